"""The weekly report of different activity: the log of a bakery, JSON lines, a table, and none."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.shipped_workflows.weekly_report_pack.weekly_report import weekly_report_pack

BAKERY = """\
Log of the bakery

2026-02-02 Yusuf: fixed oven #3
2026-02-02 09:30 - delivered 40 loaves to the school (Ida)
2026-02-03 Ida: reported #9, the mixer makes a noise
2026-02-05 outage of the card terminal
2026-02-09 Ida: next week's order
call the miller
"""

RECORDS = [
    {
        "timestamp": "2026-02-03T08:00:00Z",
        "type": "incident_opened",
        "author": "Rui",
        "key": "INC-7",
        "title": "No mail",
    },
    {
        "timestamp": "2026-02-03T10:05:00Z",
        "type": "incident_resolved",
        "author": "Rui",
        "key": "INC-7",
        "title": "Mail is back",
    },
    {
        "timestamp": "2026-02-04T08:00:00Z",
        "type": "deployment",
        "author": "Zoë",
        "title": "Web 9, rollback of 10",
    },
    {"timestamp": "2026-01-31T08:00:00Z", "type": "commit", "author": "Zoë", "title": "Too early"},
]
JSON_LINES = "\n".join(json.dumps(record) for record in RECORDS)

MONDAY, SUNDAY = date(2026, 2, 2), date(2026, 2, 8)


def report(tmp_path: Path | None = None, **given: Any) -> tuple[dict[str, Any], str]:
    """The outputs and the written report of that week."""
    output = tmp_path / "report.md" if tmp_path else None
    given = {"start_date": MONDAY, "end_date": SUNDAY, "output": output} | given
    outputs = dict(weekly_report_pack(**given).outputs)
    return outputs, output.read_text(encoding="utf-8") if output else ""


def test_plain_lines_are_counted_by_day_and_person(tmp_path: Path) -> None:
    outputs, text = report(tmp_path, activity=BAKERY)
    totals = outputs["totals"]
    assert (totals["entries"], totals["left_out"], totals["people"]) == (4, 1, 2)
    assert (totals["tickets_closed"], totals["tickets_opened"], totals["incidents"]) == (1, 1, 1)
    assert "| Ida | 2 |" in text
    assert "- 09:30 other: delivered 40 loaves to the school (Ida)" in text


def test_lines_without_a_date_are_reported(tmp_path: Path) -> None:
    _, text = report(tmp_path, activity=BAKERY)
    assert "Left out, without a date: 2 lines (1, 8)" in text
    assert "Left out, not in the range: 1 entry (lines 7)" in text


def test_an_incident_of_json_lines_has_its_duration(tmp_path: Path) -> None:
    outputs, text = report(tmp_path, activity=JSON_LINES)
    assert "INC-7 (2026-02-03): No mail; resolved after 2 h 05 min (line 1)" in text
    assert (outputs["totals"]["rollbacks"], outputs["totals"]["open_incidents"]) == (1, 0)


def test_an_incident_without_an_end_is_open() -> None:
    outputs, _ = report(activity=JSON_LINES.split("\n")[0])
    assert outputs["totals"]["open_incidents"] == 1
    assert "still open" in outputs["highlights"][0]


def test_a_table_may_quote_its_delimiters(tmp_path: Path) -> None:
    _, text = report(tmp_path, activity='Date;Who;Type;Text\n2026-02-04;Ana;note;"one; two"\n')
    assert "- note: one; two (Ana)" in text


def test_the_last_day_counts_and_days_without_entries_are_shown(tmp_path: Path) -> None:
    outputs, text = report(tmp_path, activity="date,kind\n2026-02-08,commit\n2026-02-09,commit\n")
    assert outputs["totals"]["entries"] == 1
    assert text.count("Nothing.") == 6


def test_upstream_priorities_are_listed_without_noise(tmp_path: Path) -> None:
    items = [
        {"title": "Pay the miller", "due": "2026-02-06", "level": "urgent"},
        {"title": "Ad", "level": "noise"},
    ]
    outputs, text = report(
        tmp_path, activity=BAKERY, sweep__summary="Prioritized 2 items", sweep__items=items
    )
    assert "1. Pay the miller (due 2026-02-06)" in text
    assert "Ad" not in text.split("## Priorities")[1]
    assert "Pay the miller (due 2026-02-06)" in outputs["highlights"]


def test_without_activity_the_report_says_so_and_shows_upstream_values(tmp_path: Path) -> None:
    outputs, text = report(tmp_path, sweep__summary="Prioritized 15 items")
    assert "No activity was given: this report is written from what upstream tasks sent." in text
    assert "sweep: Prioritized 15 items" in text
    assert "no activity given" in outputs["summary"]


def test_without_any_input_the_report_says_that(tmp_path: Path) -> None:
    assert "nothing: upstream sent nothing either" in report(tmp_path)[1]


def test_a_matrix_upstream_sends_one_summary_per_variant(tmp_path: Path) -> None:
    assert "sweep[box=a]: A" in report(tmp_path, sweep__summary={"box=a": "A", "box=b": "B"})[1]


def test_a_second_report_of_the_same_input_changes_nothing(tmp_path: Path) -> None:
    def once() -> bool:
        output = tmp_path / "r.md"
        return weekly_report_pack(start_date=MONDAY, end_date=SUNDAY, activity=BAKERY, output=output).changed

    assert [once(), once()] == [True, False]


def test_an_end_before_the_start_is_refused() -> None:
    with pytest.raises(ValueError, match="ends before it starts: 2026-02-08 to 2026-02-02"):
        weekly_report_pack(start_date=SUNDAY, end_date=MONDAY)


@pytest.mark.parametrize(
    "activity", ["date,kind\n2026-02-31,commit\n", "2026-02-02 ok\n2026-02-31 Ida: late\n"]
)
def test_an_unreadable_date_is_refused_with_its_line(activity: str) -> None:
    with pytest.raises(ValueError, match="inline text, line 2: cannot read the date '2026-02-31'"):
        report(activity=activity)


def test_a_broken_record_is_refused_with_its_line() -> None:
    with pytest.raises(ValueError, match="line 2: not a JSON object"):
        report(activity='{"date": "2026-02-02"}\n{"date"\n')


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="The activity file does not exist"):
        report(activity_file=tmp_path / "none.csv")


@given(
    st.lists(
        st.sampled_from(["2026-02-0", "3", " ", "\n", "Ida: ", "|", "- ", "#1 closed", "(", ")", "é"])
    ).map("".join)
)
def test_any_plain_text_gives_a_report_or_a_clear_error(activity: str) -> None:
    try:
        outputs, _ = report(activity=activity)
    except ValueError as error:
        assert "cannot read the date" in str(error)  # noqa: PT017 - most texts raise nothing
    else:
        assert outputs["totals"]["entries"] <= activity.count("\n") + 1
