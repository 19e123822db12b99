"""A team's activity in its three forms."""

from __future__ import annotations

from datetime import date

import pytest

from dagrun.shipped_workflows.shared.local_files import InputText
from dagrun.shipped_workflows.weekly_report_pack.activity import Activity, line_numbers, read_activity


def read(*lines: str) -> Activity:
    return read_activity(InputText("log.txt", lines))


def test_a_table_is_read_by_the_names_of_its_columns() -> None:
    (entry,) = read("who;date;type;text", "Ana;2026-02-04;Deployment;Web 9").entries
    assert (entry.day, entry.kind, entry.person, entry.detail) == (
        date(2026, 2, 4),
        "deployment",
        "Ana",
        "Web 9",
    )


def test_a_cell_may_span_lines_and_the_next_entry_has_its_own_line() -> None:
    entries = read("date,text", '2026-02-04,"one', 'two"', "2026-02-05,three").entries
    assert [entry.line for entry in entries] == [2, 4]


def test_json_lines_may_have_other_names_for_the_fields() -> None:
    (entry,) = read(
        '{"timestamp": "2026-02-03T08:05:00Z", "author": "Rui", "key": "A-1", "title": "x"}'
    ).entries
    assert (entry.time, entry.person, entry.words) == ("08:05", "Rui", "A-1: x")


@pytest.mark.parametrize(
    ("text", "kind", "person"),
    [
        ("Ida: closed #9", "ticket closed", "Ida"),
        ("INC-7 resolved (Rui)", "incident resolved", "Rui"),
        ("released web 9 by Zoë", "deployment", "Zoë"),
        ("lunch", "other", ""),
    ],
)
def test_the_kind_and_the_person_of_a_plain_line_are_guessed(text: str, kind: str, person: str) -> None:
    (entry,) = read(f"2026-02-03 {text}").entries
    assert (entry.kind, entry.person) == (kind, person)


def test_lines_without_a_date_are_listed_by_number() -> None:
    assert read("Log", "2026-02-03 x", "", "y").undated == (1, 4)


def test_an_unreadable_date_is_refused_with_its_line() -> None:
    with pytest.raises(ValueError, match=r"log\.txt, line 2: cannot read the date '2026-02-31'"):
        read("date,text", "2026-02-31,x")


def test_at_most_five_line_numbers_are_shown() -> None:
    assert line_numbers(read(*["2026-02-03 x"] * 6).entries) == "1, 2, 3, 4, 5, ..."
