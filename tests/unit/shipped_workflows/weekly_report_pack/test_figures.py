"""The figures of a week."""

from __future__ import annotations

from datetime import date

from dagrun.shipped_workflows.shared.local_files import InputText
from dagrun.shipped_workflows.weekly_report_pack.activity import read_activity
from dagrun.shipped_workflows.weekly_report_pack.figures import (
    Week,
    duration,
    rollbacks,
    still_open,
    totals,
    week_of,
)


def week(*lines: str) -> Week:
    text = InputText("log", ("date,time,kind,item,detail", *lines))
    return week_of(read_activity(text), date(2026, 2, 2), date(2026, 2, 8))


def test_both_ends_of_the_range_count() -> None:
    counted = week("2026-02-01,,commit", "2026-02-02,,commit", "2026-02-08,,commit", "2026-02-09,,commit")
    assert (len(counted.entries), len(counted.left_out)) == (2, 2)


def test_an_incident_lasts_from_its_first_entry_to_its_end() -> None:
    counted = week("2026-02-03,08:00,incident opened,INC-7", "2026-02-04,09:05,incident resolved,INC-7")
    (incident,) = counted.incidents
    assert incident.minutes == 25 * 60 + 5


def test_an_incident_without_an_end_is_open() -> None:
    counted = week("2026-02-03,08:00,incident opened,INC-7", "2026-02-04,,incident,,the mail is down")
    assert totals(counted)["open_incidents"] == 2


def test_a_detail_may_say_that_the_incident_ended() -> None:
    (incident,) = week("2026-02-04,,incident,,mail was down; resolved").incidents
    assert incident.end is incident.first


def test_a_rollback_is_a_deployment() -> None:
    counted = week("2026-02-03,,deployment,web 9,rolled back to 8", "2026-02-04,,deployment,web 10")
    assert [entry.item for entry in rollbacks(counted)] == ["web 9"]
    assert (totals(counted)["deployments"], totals(counted)["rollbacks"]) == (2, 1)


def test_a_ticket_that_is_not_closed_is_still_open() -> None:
    counted = week(
        "2026-02-03,,ticket opened,A-1", "2026-02-03,,ticket opened,A-2", "2026-02-05,,ticket closed,A-1"
    )
    assert [entry.item for entry in still_open(counted)] == ["A-2"]


def test_a_duration_has_hours_only_when_needed() -> None:
    assert [duration(45), duration(125)] == ["45 min", "2 h 05 min"]
