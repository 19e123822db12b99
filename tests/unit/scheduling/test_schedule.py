"""Schedules as values: minutes as text, fires within bounds, jitter that every process agrees on."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.documents.yaml import Place, Source
from dagrun.scheduling.schedule import (
    DueFire,
    ScheduleOrigin,
    SkippedFires,
    SkipReason,
    Watermark,
    WatermarkMoved,
    minute_number,
    minute_text,
)
from tests.unit.scheduling.harness import at, schedule

NINE = int(at("09:00")) // 60
FIRST, LAST = -1_035_593_280, 4_223_371_679  # the first minute of the year 1, and the last of the year 9999


@given(st.integers(FIRST, LAST))
def test_minutes_are_written_and_read(minute: int) -> None:
    assert minute_number(minute_text(minute)) == minute


@given(st.integers(FIRST, LAST), st.integers(FIRST, LAST))
def test_minutes_sort_as_time_does(one: int, other: int) -> None:
    assert (minute_text(one) < minute_text(other)) == (one < other)


def test_a_minute_reads_as_people_write_it() -> None:
    assert minute_text(NINE) == "2026-11-20 09:00"
    with pytest.raises(ValueError, match="does not match"):
        minute_number("2026-11-20T09:00")


def test_fires_are_the_moments_within_the_bounds() -> None:
    one = schedule(start="2026-11-20 09:07", end="2026-11-20 09:15")
    assert list(one.fires(0)) == [at("09:10"), at("09:15")]
    assert list(one.fires(at("09:10"))) == [at("09:15")]
    assert list(one.fires(at("09:15"))) == []


def test_fires_without_bounds_go_on_whether_enabled_or_not() -> None:
    assert list(islice(schedule(enabled=False).fires(at("09:00")), 2)) == [at("09:05"), at("09:10")]


def test_without_jitter_a_fire_starts_in_its_minute() -> None:
    assert schedule().start_of(NINE) == at("09:00")


def test_jitter_is_the_same_for_everybody_and_differs_from_fire_to_fire() -> None:
    one = schedule(jitter=300.0)
    starts = [one.start_of(NINE + i) - at("09:00") - 60 * i for i in range(1000)]
    assert starts == [schedule(jitter=300.0).start_of(NINE + i) - at("09:00") - 60 * i for i in range(1000)]
    assert all(0 <= start <= 300 for start in starts)
    assert 140 < sum(starts) / len(starts) < 160
    assert schedule(id="other", jitter=300.0).start_of(NINE) != one.start_of(NINE)


def test_schedules_that_mean_the_same_are_equal_wherever_they_were_written() -> None:
    source = Source.inline("[{id: ops}]")
    assert schedule(origin=ScheduleOrigin(source, (0,))) == schedule()
    assert schedule(origin=ScheduleOrigin(source, (0,))) != schedule(tenant="other")
    assert schedule("*/5 * * * *") != schedule("*/6 * * * *")
    assert schedule(timezone="UTC") != schedule(timezone="Europe/London")


def test_a_schedule_knows_where_it_was_written() -> None:
    origin = ScheduleOrigin(Source.inline("- id: a\n- id: b\n  dag: x\n"), (1,))
    assert origin.place() == Place("<inline>", 2, 3)
    assert origin.place("dag") == Place("<inline>", 3, 8)


def test_every_decision_says_what_the_watermark_is_once_it_is_recorded() -> None:
    one = schedule()
    due = DueFire(schedule=one, minute="2026-11-20 09:00", start=at("09:00"))
    assert due.watermark == one.watermark_at("2026-11-20 09:00")
    skip = SkippedFires(
        schedule=one, reason=SkipReason.MISSED, count=2, first="2026-11-20 09:00", last="2026-11-20 09:05"
    )
    assert (skip.minute, skip.watermark) == ("2026-11-20 09:05", one.watermark_at("2026-11-20 09:05"))
    seen = WatermarkMoved(schedule=one, watermark=Watermark("2026-11-20 09:00", enabled=False))
    assert seen.minute == "2026-11-20 09:00"
