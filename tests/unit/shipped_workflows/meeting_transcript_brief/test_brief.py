"""The brief of different meetings: a chat stand-up, board minutes, subtitles, small talk, any text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.shipped_workflows.meeting_transcript_brief.brief import meeting_transcript_brief

STANDUP = """\
mo: morning all. quick one today, i've got the dentist at ten
jess: morning
mo: yesterday i chased the flaky login test, turns out it was the clock on the runner. i'll push a fix today
jess: nice. i'm still on the invoice pdf, the umlauts come out as boxes. no idea why
ravi: could be the font subset?
jess: maybe. ravi can you look at it with me after this?
ravi: sure, give me ten minutes
ravi: the vendor key. i was going to email them last week but forgot
jess: who's their contact now, since paula left?
ravi: not sure
mo: i can do that, i still have the old thread. will mail them before lunch
jess: also we should really rewrite the importer some day
ravi: are we doing the demo tomorrow or thursday?
mo: let's do it thursday
jess: works for me
"""

BOARD = """\
Minutes of the meeting of the Board held on 18 March 2026 at the Guildhall

Present: Mrs E. Thornbury (Chair), Mr D. Achebe, Dr S. Lindgren, Ms P. O'Hara
In attendance: Mr T. Webb (Clerk)
Apologies: Rev. J. Marsh

1. Finance
Mr Achebe presented the accounts to the end of February. There was a discussion of the
heating costs, which had risen by a fifth. Dr Lindgren asked whether the reserve could
be used. Mr Achebe explained that the reserve was restricted.
RESOLVED: that the budget for 2026/27 be adopted at GBP 148,000.
ACTION: Mr Achebe to obtain three quotations for the boiler by 30 April 2026.

2. Lease of the hall
It was agreed that the lease to the dance school be extended by two years.
The Board had considered a shorter term at its last meeting.
ACTION: Clerk to write to the dance school.
ACTION: Review insurance of the hall.

3. Summer fair
It was suggested that volunteers might be recruited from the school.
Open question: Who holds the key to the cricket pavilion?
"""

SUBTITLES = """\
WEBVTT

1
00:00:01.000 --> 00:00:04.500
<v Hana Kobayashi>Thanks for joining. So, the venue for the offsite.

2
00:00:04.600 --> 00:00:12.000
<v Hana Kobayashi>Let's go with the lake hotel.</v>

3
00:00:12.100 --> 00:00:14.000
<v Ola>Yes!</v>

4
00:00:14.200 --> 00:00:20.000
<v Pedro Álvarez>OK, I'll book the rooms by 12 May
and send everybody the address.

5
00:00:20.100 --> 00:00:24.000
<v Ola>What does it cost per person?</v>

6
00:00:24.100 --> 00:00:27.000
<v Pedro Álvarez>I don't know yet, they owe me an offer.</v>
"""

PRICING = """\
# Pricing sync, 2026-02-03

**Wren Castillo** (00:00): We said last month we'd keep the free tier.
**Wren Castillo** (00:20): Right. We've decided to raise Pro to 29 dollars in April. Legal signed off.
**Noor** (00:31): And Team?
**Wren Castillo** (00:35): I'd propose we leave Team as it is.
**Noor** (00:40): I disagree, Team is where we lose money.
**Idris Bello** (00:52): I'll pull the churn numbers for Team before the next sync.
**Noor** (01:00): If I find the time I'll write a memo.
**Wren Castillo** (01:05): Wait. Finance just pinged me. Scratch that, we're not raising Pro in April.
"""

SMALL_TALK = """\
[00:01] Bea: Can everybody hear me? I'll share my screen.
[00:02] Cy: Yes! I'll be honest, I'm half asleep.
[00:03] Bea: Somebody should buy a coffee machine.
[00:04] Cy: We could go to the lake at some point. Maybe I'll bring the boat.
[00:05] Bea: If it rains I'll write a poem. Anyway, I'll be back in a minute.
"""

MEETINGS = {
    "standup": STANDUP,
    "board": BOARD,
    "subtitles": SUBTITLES,
    "pricing": PRICING,
    "small talk": SMALL_TALK,
}


def brief(transcript: str = "", **given: Any) -> dict[str, Any]:
    """The outputs of one brief."""
    return dict(meeting_transcript_brief(meeting_title="Test", transcript=transcript, **given).outputs)


def tasks(outputs: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(item["owner"], item["due"]) for item in outputs["action_items"] if item["status"] == "open"]


def standing(outputs: dict[str, Any]) -> list[str]:
    return [decision["text"] for decision in outputs["decisions"] if decision["status"] == "standing"]


def quotes(outputs: dict[str, Any]) -> list[tuple[str, int]]:
    """Every text in the outputs that has a line, with that line."""
    found = [(person["name"], person["line"]) for person in outputs["attendees"]]
    found += [(decision["text"], decision["line"]) for decision in outputs["decisions"]]
    for item in outputs["action_items"]:
        found += [(item["owner"], item["line"]), (item["action"], item["action_line"])]
        found += [(item["due"], item["due_line"])] if item["due"] else []
    found += [(question["text"], question["line"]) for question in outputs["open_questions"]]
    for entry in outputs["decisions"] + outputs["action_items"] + outputs["open_questions"]:
        found += [(entry[key], entry[f"{key}_line"]) for key in ("about", "reply") if entry.get(key)]
    return found


def is_at(text: str, line: int, lines: list[str]) -> bool:
    """Whether the text begins in that line; it may be wrapped over the next ones."""
    passage = [
        re.sub(r"</?v[^>]*>", "", raw) if index else raw.replace("</v>", "")
        for index, raw in enumerate(lines[line - 1 :])
    ]
    joined = " ".join(" ".join(passage).split())
    start = joined.find(" ".join(text.split()))
    return 0 <= start <= len(lines[line - 1])


@pytest.mark.parametrize("name", MEETINGS)
def test_every_quotation_is_at_its_line(name: str) -> None:
    lines = MEETINGS[name].split("\n")
    for text, line in quotes(brief(MEETINGS[name])):
        assert is_at(text, line, lines), (text, line)


def test_a_stand_up_in_lower_case() -> None:
    outputs = brief(STANDUP)
    assert tasks(outputs) == [("mo", "today"), ("ravi", None), ("mo", "before lunch")]
    assert standing(outputs) == ["let's do it thursday"]
    assert outputs["decisions"][0]["about"] == "are we doing the demo tomorrow or thursday?"
    assert [question["text"] for question in outputs["open_questions"]] == [
        "who's their contact now, since paula left?"
    ]


def test_board_minutes() -> None:
    outputs = brief(BOARD)
    assert tasks(outputs) == [("Mr Achebe", "by 30 April 2026"), ("Clerk", None)]
    assert standing(outputs) == [
        "that the budget for 2026/27 be adopted at GBP 148,000.",
        "It was agreed that the lease to the dance school be extended by two years.",
    ]
    assert [person["name"] for person in outputs["attendees"]] == [
        "Mrs E. Thornbury", "Mr D. Achebe", "Dr S. Lindgren", "Ms P. O'Hara", "Mr T. Webb",
    ]  # fmt: skip


def test_an_action_without_an_owner_is_listed_as_unowned() -> None:
    kinds = {question["text"]: question["kind"] for question in brief(BOARD)["open_questions"]}
    assert kinds == {
        "Review insurance of the hall.": "unowned",
        "Who holds the key to the cricket pavilion?": "question",
    }


def test_subtitles() -> None:
    outputs = brief(SUBTITLES)
    assert standing(outputs) == ["Let's go with the lake hotel."]
    assert tasks(outputs) == [("Pedro Álvarez", "by 12 May")]
    assert outputs["open_questions"][0]["reply"] == "I don't know yet, they owe me an offer."


def test_a_revoked_decision_is_superseded() -> None:
    outputs = brief(PRICING)
    assert standing(outputs) == []
    assert outputs["decisions"][0]["superseded_line"] == 10


def test_a_disputed_proposal_is_no_decision_and_a_revoked_decision_changes_no_action() -> None:
    outputs = brief(PRICING)
    assert len(outputs["decisions"]) == 1
    assert tasks(outputs) == [("Idris Bello", None)]


def test_small_talk_has_no_action_items_and_no_decisions() -> None:
    outputs = brief(SMALL_TALK)
    assert (outputs["action_items"], outputs["decisions"]) == ([], [])
    assert [(q["text"], q["kind"]) for q in outputs["open_questions"]] == [
        ("Somebody should buy a coffee machine.", "unowned")
    ]


@pytest.mark.parametrize(
    "line",
    [
        "[00:03:12] Ana Ruiz: I'll send the plan by Friday.",
        "Ana Ruiz: I'll send the plan by Friday.",
        "00:03 Ana Ruiz: I'll send the plan by Friday.",
        "(00:03) Ana Ruiz: I'll send the plan by Friday.",
        "00:03 - Ana Ruiz: I'll send the plan by Friday.",
        "**Ana Ruiz** (00:03): I'll send the plan by Friday.",
        "**Ana Ruiz:** I'll send the plan by Friday.",
        "Ana Ruiz (00:03): I'll send the plan by Friday.",
        "Ana Ruiz  0:03\nI'll send the plan by Friday.",
        "WEBVTT\n\n00:03.000 --> 00:05.000\n<v Ana Ruiz>I'll send the plan by Friday.</v>",
    ],
)
def test_every_common_layout_is_read(line: str) -> None:
    outputs = brief(line)
    assert tasks(outputs) == [("Ana Ruiz", "by Friday")]
    assert [person["name"] for person in outputs["attendees"]] == ["Ana Ruiz"]


@pytest.mark.parametrize(
    ("said", "due", "iso"),
    [
        ("by Friday 10 October", "by Friday 10 October", "2025-10-10"),
        ("by Monday 10 October", "by Monday 10 October", None),  # the tenth was a Friday
        ("by January 9", "by January 9", "2026-01-09"),
        ("by the 22nd", "by the 22nd", None),
        ("next week", "next week", None),
        ("and I mean it", None, None),
    ],
)
def test_a_due_date_is_resolved_only_when_day_and_month_were_said(
    said: str, due: str | None, iso: str | None
) -> None:
    outputs = brief(f"Meeting of 7 October 2025\n\nAna: I'll send the plan {said}.\nBo: Thanks.\nAna: Bye.\n")
    assert [(item["due"], item["due_date"]) for item in outputs["action_items"]] == [(due, iso)]


def test_without_any_year_no_date_is_made_up() -> None:
    assert brief("Ana: I'll send the plan by 10 October.")["action_items"][0]["due_date"] is None


@pytest.mark.parametrize("reply", ["No, I can't this week.", "Maybe.", "What plan?", "I don't know how."])
def test_a_request_without_agreement_is_no_action_item(reply: str) -> None:
    outputs = brief(f"Ana: Bo, could you draft the plan?\nBo: {reply}\nAna: Hm.\n")
    assert outputs["action_items"] == []
    assert outputs["open_questions"][0]["kind"] == "request"


def test_an_accepted_request_belongs_to_the_person_who_agreed() -> None:
    outputs = brief("Ana: Can you draft the plan?\nBo: Sure, by Monday.\nAna: Great.\n")
    assert tasks(outputs) == [("Bo", "by Monday")]


def test_a_promise_that_is_no_longer_needed_is_settled() -> None:
    outputs = brief("Ana: I'll order the cake.\nBo: No need, Ana, it's here.\nAna: Oh.\n")
    assert tasks(outputs) == []
    assert outputs["action_items"][0]["settled_line"] == 2


def test_without_a_transcript_the_brief_says_so_and_shows_upstream_values(
    capsys: pytest.CaptureFixture[str],
) -> None:
    outputs = brief(report__summary="12 entries", report__highlights=["INC-1 is open"], other="x")
    printed = capsys.readouterr().out
    assert "No transcript was given: this brief is written from what upstream tasks sent." in printed
    assert "- report: 12 entries" in printed
    assert "- INC-1 is open" in printed
    assert (outputs["attendees"], outputs["decisions"], outputs["action_items"]) == ([], [], [])


def test_without_transcript_and_upstream_the_brief_says_that_there_is_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    brief()
    assert "upstream tasks sent nothing" in capsys.readouterr().out


def test_with_both_the_upstream_values_are_a_section(capsys: pytest.CaptureFixture[str]) -> None:
    brief(BOARD, sweep__items=[{"title": "Boiler", "due": "2026-04-30"}])
    assert "## Carried over from upstream\n\n- Boiler (due 2026-04-30)" in capsys.readouterr().out


def test_the_printed_brief_is_the_written_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    brief(BOARD, output=tmp_path / "brief.md")
    assert capsys.readouterr().out == (tmp_path / "brief.md").read_text(encoding="utf-8")


def test_a_second_brief_of_the_same_input_changes_nothing(tmp_path: Path) -> None:
    def once(text: str) -> bool:
        return meeting_transcript_brief(transcript=text, output=tmp_path / "b.md").changed

    assert [once(BOARD), once(BOARD), once(STANDUP)] == [True, False, True]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="The transcript file does not exist"):
        brief(transcript_file=tmp_path / "none.vtt")


def test_text_and_file_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not both"):
        brief("Ana: hello", transcript_file=tmp_path / "t.txt")


PIECES = st.sampled_from(
    ["Ana: ", "Bo Li: ", "[00:01] ", "\n", "\n\n", "I'll send it ", "by 10 May", ". ", "? ", "ACTION: ", "Bo Li to call ", "we've decided ",
     "let's use it", "scrap that", "Present: Ana, Bo", "can you check that, Bo?", "sure", "- ", "Actions\n", "**Ana** (1:00): ", "<v Ana>"]
)  # fmt: skip


@given(st.lists(PIECES | st.text(max_size=6), max_size=40).map("".join))
def test_any_text_gives_a_brief_and_owners_are_at_their_lines(text: str) -> None:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    outputs = brief(text)
    for quoted, line in quotes(outputs):
        assert 1 <= line <= len(lines), quoted
    for item in outputs["action_items"]:
        assert item["owner"] in lines[item["line"] - 1]
    for person in outputs["attendees"]:
        assert person["name"] in lines[person["line"] - 1]
