"""An inbox and a file list, read as items."""

from __future__ import annotations

from datetime import date

from dagrun.shipped_workflows.inbox_drive_sweep.items import read_files, read_inbox


def lines(text: str) -> list[str]:
    return text.split("\n")


def test_a_mail_has_its_headers_and_its_body_without_quoted_text() -> None:
    (mail,) = read_inbox(lines("From: Bo <b@x.org>\nDate: 2026-03-02\nSubject: Key\n\nHere.\n> Where?\n"))
    assert (mail.kind, mail.sender, mail.title) == ("mail", "Bo <b@x.org>", "Key")
    assert (mail.day, mail.text) == (date(2026, 3, 2), "Here.")


def test_a_folded_header_is_one_header() -> None:
    (mail,) = read_inbox(lines("From: a@x.org\nSubject: one\n two\n\ntext\n"))
    assert mail.title == "one two"


def test_a_forwarded_mail_is_no_item() -> None:
    text = "From: a@x.org\nSubject: x\n\n---- Forwarded message ----\nFrom: b@x.org\nDate: 2026-01-01\n"
    assert [mail.sender for mail in read_inbox(lines(text))] == ["a@x.org"]


def test_a_line_of_a_list_may_name_date_and_sender() -> None:
    first, second = read_inbox(lines("- 2026-05-04 | Kim | Numbers\n- Ana <a@x.org>: call back\n"))
    assert (first.day, first.sender, first.title) == (date(2026, 5, 4), "Kim", "Numbers")
    assert (second.sender, second.title) == ("Ana <a@x.org>", "call back")


def test_a_file_list_has_columns_in_the_order_of_its_heading() -> None:
    (file,) = read_files(lines("Modified;Owner;Name;Remark\n2026-02-01;Bo;a.txt;2 new comments"))
    assert (file.title, file.sender, file.day, file.text) == (
        "a.txt",
        "Bo",
        date(2026, 2, 1),
        "2 new comments",
    )


def test_without_a_heading_the_columns_are_path_owner_date() -> None:
    (file,) = read_files(lines("a.txt, Bo, 2026-02-01, draft"))
    assert (file.title, file.sender, file.text) == ("a.txt", "Bo", "draft")
