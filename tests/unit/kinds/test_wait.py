"""Waits: what ends them, and when."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dagrun.kinds import KINDS
from dagrun.kinds.kind import Wait
from dagrun.kinds.wait import WaitAction, moment_of
from dagrun.language.expressions import EvaluationError
from tests.unit.harness import read
from tests.unit.kinds.harness import start

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC).timestamp()


def at(text: str, zone: str = "UTC", now: float = NOON) -> str:
    """A moment, as UTC."""
    return datetime.fromtimestamp(moment_of(text, zone, now), UTC).strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-04-01T09:00:00Z", "Europe/Berlin", "2026-04-01 09:00:00"),
        ("2026-04-01T09:00:00+02:00", "UTC", "2026-04-01 07:00:00"),
        ("2026-04-01 09:00", "Europe/Berlin", "2026-04-01 07:00:00"),
        ("2026-04-01", "UTC", "2026-04-01 00:00:00"),
        ("13:30", "UTC", "2026-03-28 13:30:00"),
        ("12:00", "UTC", "2026-03-28 12:00:00"),
        ("11:59", "UTC", "2026-03-29 11:59:00"),
        ("9:00", "Europe/Berlin", "2026-03-29 07:00:00"),  # the clocks go forward in that night
        ("02:30", "Europe/Berlin", "2026-03-29 01:00:00"),  # which skips this time
        ("23:59:30", "UTC", "2026-03-28 23:59:30"),
    ],
)
def test_a_moment_is_a_date_or_the_next_time_of_day_in_a_zone(text: str, zone: str, expected: str) -> None:
    assert at(text, zone) == expected


@pytest.mark.parametrize("text", ["", "soon", "25:00", "12:60", "2026-13-01", "1766000000"])
def test_anything_else_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match="is no moment; write for example"):
        at(text)


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown time zone 'Mars'"):
        at("12:00", "Mars")


def test_a_document_says_what_ends_a_wait() -> None:
    dag = read("""
        tasks:
          - {id: a, wait: {seconds: 1h30m}}
          - {id: b, wait: {until: 09:30, timezone: Europe/Berlin}}
          - {id: c, wait: {file: in/data.csv, settle: 10s, timeout: 1h}}
          - {id: d, wait: {signal: go}, timeout: 5}
    """)
    assert [each.action for each in dag.tasks] == [
        WaitAction(seconds=5400.0),
        WaitAction(until="09:30", timezone="Europe/Berlin"),
        WaitAction(file="in/data.csv", settle=10.0, timeout=3600.0),
        WaitAction(signal_name="go"),
    ]
    assert [each.timeout for each in dag.tasks] == [None, None, None, 5.0]


def test_what_begins_knows_its_end() -> None:
    assert start(WaitAction(seconds=90.0), now=NOON) == Wait(until=NOON + 90)
    assert start(WaitAction(until="13:00"), now=NOON) == Wait(until=NOON + 3600)
    assert start(WaitAction(file="in/x", settle=2.0, timeout=9.0)) == Wait(
        file=Path("/project/in/x"), settle=2.0, timeout=9.0
    )
    assert start(WaitAction(signal_name="go")) == Wait(signal="go")


def test_a_moment_a_file_and_a_signal_may_be_expressions() -> None:
    assert start(WaitAction(until="${{ params.x }}"), lambda _: "12:30", now=NOON) == Wait(until=NOON + 1800)
    assert start(WaitAction(file="${{ params.x }}.csv"), lambda _: "a") == Wait(file=Path("/project/a.csv"))
    assert start(WaitAction(signal_name="${{ params.x }}"), lambda _: "go") == Wait(signal="go")


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (WaitAction(until="${{ params.x }}"), "wait.until: ' ' is no moment"),
        (WaitAction(file="${{ params.x }}"), "wait.file: ' ' names no file"),
        (WaitAction(signal_name="${{ params.x }}"), "wait.signal: ' ' is no name of a signal"),
    ],
)
def test_an_expression_without_a_fitting_value_fails_the_task(action: WaitAction, message: str) -> None:
    with pytest.raises(EvaluationError) as failed:
        start(action, lambda _: " ", now=NOON)
    assert failed.value.message.startswith(message)


@pytest.mark.parametrize(
    ("action", "label"),
    [
        (WaitAction(seconds=90.0), "wait: 90s"),
        (WaitAction(until="09:30"), "wait: until 09:30"),
        (WaitAction(until="09:30", timezone="Europe/Berlin"), "wait: until 09:30 Europe/Berlin"),
        (WaitAction(file="x"), "wait: file x"),
        (WaitAction(signal_name="go"), "wait: signal go"),
    ],
)
def test_a_dry_run_shows_what_is_waited_for(action: WaitAction, label: str) -> None:
    assert KINDS["wait"].label(action) == label


def test_a_default_timeout_is_meant_for_bodies() -> None:
    dag = read("""
        defaults: {timeout: 5}
        tasks: [{id: a, wait: {seconds: 60}}, {id: b, approval: {}}, {id: c, run: x}]
    """)
    assert [each.timeout for each in dag.tasks] == [None, None, 5.0]
    dag = read("jobs: {a: {wait: {signal: go}}, b: {wait: {signal: go}, timeout: 9}}")
    assert [each.timeout for each in dag.tasks] == [None, 9.0]
