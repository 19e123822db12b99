"""Dates and deadlines in English text."""

from __future__ import annotations

from datetime import date

import pytest

from dagrun.shipped_workflows.shared.dates import deadline_words, due_words, full_date, literal_date, resolve

TUESDAY = date(2026, 3, 3)


@pytest.mark.parametrize(
    "text", ["on 2025-10-07", "7 October 2025", "Oct 7, 2025", "7.10.2025", "Tue, 07 Oct 2025 09:00"]
)
def test_a_full_date_is_found_in_every_usual_form(text: str) -> None:
    assert full_date(text) == date(2025, 10, 7)


@pytest.mark.parametrize("text", ["7 October", "2025-02-31", "version 2025.10"])
def test_a_full_date_needs_a_year_and_a_day_that_exists(text: str) -> None:
    assert full_date(text) is None


def test_a_deadline_has_a_cue() -> None:
    assert deadline_words("Please pay by Friday 10 October, thanks") == "by Friday 10 October"
    assert deadline_words("We met on Friday") is None


def test_a_due_date_may_be_a_bare_day_but_not_in_the_past() -> None:
    assert due_words("I'll send it on Thursday.") == "on Thursday"
    assert due_words("The board said no on Thursday.") is None


@pytest.mark.parametrize(
    ("words", "day"),
    [
        ("tomorrow", date(2026, 3, 4)),
        ("by Tuesday", TUESDAY),
        ("next Tuesday", date(2026, 3, 10)),
        ("the 2nd", date(2026, 4, 2)),
        ("end of the week", date(2026, 3, 6)),
        ("end of the month", date(2026, 3, 31)),
        ("this quarter", date(2026, 3, 31)),
        ("next year", date(2027, 12, 31)),
        ("10 January", date(2026, 1, 10)),  # less than three months ago: overdue
    ],
)
def test_words_are_resolved_from_the_day_they_were_written(words: str, day: date) -> None:
    assert resolve(words, TUESDAY) == day


def test_a_literal_date_refuses_a_weekday_that_contradicts() -> None:
    assert literal_date("by Friday 10 October", date(2025, 10, 1)) == date(2025, 10, 10)
    assert literal_date("by Monday 10 October", date(2025, 10, 1)) is None
