"""The inbox sweep of different inboxes: support mail, to-do lists, plain words, any text."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.shipped_workflows.inbox_drive_sweep.sweep import inbox_drive_sweep

SUPPORT = """\
From: Billing Robot <no-reply@shop.example>
To: help@shop.example
Date: Mon, 02 Mar 2026 06:00:00 +0000
Subject: Daily digest of refunds

You are receiving this because you work here. Unsubscribe below.

From: Ana Quispe <ana@quispe.example>
To: help@shop.example
Date: Mon, 02 Mar 2026 09:12:00 +0000
Subject: Cannot log in

Since this morning I cannot log in and our opening is tomorrow. Could you
please reset the account by Tuesday 3 March?

From: Ana Quispe <ana@quispe.example>
To: help@shop.example
Date: Mon, 02 Mar 2026 15:40:00 +0000
Subject: Re: Cannot log in

Still locked out. This is urgent!

> Since this morning I cannot log in

From: Olu <olu@corner.example>
To: help@shop.example
Date: Sun, 01 Mar 2026 20:01:00 +0000
Subject: Nice shop

Just wanted to say thanks. No need to answer, no rush at all.

---------- Forwarded message ---------
From: Someone Else <else@corner.example>
Date: Sat, 28 Feb 2026
Subject: URGENT do it by 1 March
"""

TODO = """\
# Inbox
- 2026-05-04 | Kim | Quarterly numbers, needed by 2026-05-06
- 2026-05-04 | Lou | Newsletter: ten tips for spring
- ask the landlord about the heating
  (he is back next week)
- URGENT: server room door is broken
"""


def sweep(**given: Any) -> dict[str, Any]:
    """The outputs of one sweep."""
    return dict(inbox_drive_sweep(**given).outputs)


def titles(outputs: dict[str, Any]) -> list[str]:
    return [item["title"] for item in outputs["items"]]


def test_a_line_of_plain_words_is_one_item() -> None:
    outputs = sweep(inbox_items="Email list...")
    assert titles(outputs) == ["Email list..."]
    assert outputs["summary"] == "Prioritized 1 item: 1 other"


def test_a_support_inbox_puts_the_locked_out_customer_first_and_the_robot_last() -> None:
    outputs = sweep(inbox_items=SUPPORT)
    assert {titles(outputs)[0], titles(outputs)[1]} == {"Cannot log in", "Re: Cannot log in"}
    assert outputs["items"][-1]["level"] == "noise"


def test_every_item_has_the_line_where_it_begins() -> None:
    lines = SUPPORT.split("\n")
    for item in sweep(inbox_items=SUPPORT)["items"]:
        assert lines[item["line"] - 1] == f"From: {item['sender']}"


def test_a_forwarded_mail_is_no_item_and_adds_no_urgency() -> None:
    outputs = sweep(inbox_items=SUPPORT)
    assert outputs["total"] == 4
    (thanks,) = (item for item in outputs["items"] if item["title"] == "Nice shop")
    assert thanks["level"] == "other"


def test_a_deadline_is_quoted_and_resolved_against_the_newest_date() -> None:
    outputs = sweep(inbox_items=SUPPORT)
    (mail,) = (item for item in outputs["items"] if item["title"] == "Cannot log in")
    assert (mail["due"], mail["due_words"]) == ("2026-03-03", "by Tuesday 3 March")
    assert outputs["today"] == "2026-03-02"


def test_later_on_the_same_deadline_is_overdue() -> None:
    outputs = sweep(inbox_items=SUPPORT, today=date(2026, 3, 5))
    (mail,) = (item for item in outputs["items"] if item["title"] == "Cannot log in")
    assert any("2 days overdue" in reason for reason in mail["reasons"])


def test_a_list_has_one_item_per_line_and_indented_lines_belong_to_the_one_above() -> None:
    outputs = sweep(inbox_items=TODO)
    assert sorted(item["line"] for item in outputs["items"]) == [2, 3, 4, 6]
    assert titles(outputs)[0] == "Quarterly numbers, needed by 2026-05-06"
    assert outputs["items"][-1]["title"].startswith("Newsletter")


def test_a_yaml_list_is_a_list() -> None:
    assert sweep(inbox_items=["pay the rent", "call Bo ASAP"])["items"][0]["title"] == "call Bo ASAP"


def test_an_answered_mail_loses_its_urgency() -> None:
    mails = (
        "From: Bo <bo@b.example>\nTo: me@m.example\nDate: 2026-01-05\nSubject: Key\n\nUrgent! Can you bring the key today?\n\n"
        "From: Bo <bo@b.example>\nTo: me@m.example\nDate: 2026-01-05\nSubject: Lunch\n\nSee you at noon.\n\n"
        "From: me@m.example\nTo: Bo <bo@b.example>\nDate: 2026-01-06\nSubject: Re: Key\n\nHere you are.\n"
    )
    (asked,) = (item for item in sweep(inbox_items=mails)["items"] if item["title"] == "Key")
    assert asked["level"] == "other"
    assert "you answered (line 15)" in asked["reasons"]


def test_a_file_that_an_urgent_mail_names_gets_points() -> None:
    drive = "Plans/kitchen.pdf, Bo, 2026-03-01\nPlans/garden.pdf, Bo, 2026-03-01\n"
    mail = "From: a@b.example\nTo: me@m.example\nDate: 2026-03-02\nSubject: Plan\n\nPlease check kitchen.pdf ASAP.\n"
    files = [item for item in sweep(inbox_items=mail, drive_items=drive)["items"] if item["kind"] == "file"]
    assert [(item["title"], item["line"]) for item in files] == [
        ("Plans/kitchen.pdf", 1),
        ("Plans/garden.pdf", 2),
    ]
    assert "named in the mail at line 1" in files[0]["reasons"]


def test_the_drive_list_may_have_a_heading_in_any_order() -> None:
    outputs = sweep(drive_items="Modified\tOwner\tName\n2026-02-01\tBo\ta.txt\n", today=date(2026, 2, 1))
    assert (outputs["items"][0]["title"], outputs["items"][0]["sender"]) == ("a.txt", "Bo")


def test_a_second_sweep_of_the_same_input_changes_nothing(tmp_path: Path) -> None:
    output = tmp_path / "new" / "sweep.md"
    assert inbox_drive_sweep(inbox_items=SUPPORT, output=output).changed is True
    before = output.read_bytes()
    assert inbox_drive_sweep(inbox_items=SUPPORT, output=output).changed is False
    assert output.read_bytes() == before
    assert [entry.name for entry in output.parent.iterdir()] == ["sweep.md"]


def test_the_printed_list_is_short(capsys: pytest.CaptureFixture[str]) -> None:
    sweep(inbox_items=SUPPORT, top=2)
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"The inbox file does not exist: .*nowhere\.txt"):
        sweep(inbox_file=tmp_path / "nowhere.txt")


def test_text_and_file_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="either as text or as a file"):
        sweep(inbox_items="a", inbox_file=tmp_path)


def test_no_input_is_refused() -> None:
    with pytest.raises(ValueError, match="Nothing to sweep"):
        sweep(inbox_items="  ")


def test_a_file_without_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"\xff\xd8\xff")
    with pytest.raises(ValueError, match="not UTF-8 text"):
        sweep(inbox_file=file)


PIECES = st.sampled_from(
    ["From: ", "Subject: x", "\n", "by Friday", "- ", "| ", "2026-01-0", "1", "urgent", "?", "Re: ", " "]
)


@given(
    st.lists(PIECES | st.text(max_size=8)).map("".join), st.lists(PIECES | st.text(max_size=8)).map("".join)
)
def test_any_text_can_be_swept_and_every_line_exists(inbox: str, drive: str) -> None:
    if not inbox.strip() and not drive.strip():
        return
    for item in sweep(inbox_items=inbox, drive_items=drive)["items"]:
        source = drive if item["kind"] == "file" else inbox
        assert 1 <= item["line"] <= len(source.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
