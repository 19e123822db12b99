"""When expressions match where clocks are put forward and back, with every case that libraries are known to get wrong."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dagrun.scheduling.cron import parse
from dagrun.scheduling.timetable import Timetable
from dagrun.scheduling.timezones import zone
from tests.unit.scheduling.oracle import ZONES, Wall, expressions, transitions

SEED = 20261120


def table(cron: str, name: str = "UTC") -> Timetable:
    return Timetable(parse(cron), zone(name))


def minute(moment: datetime) -> int:
    return int(moment.timestamp()) // 60


def all_fires(one: Timetable, first: int, before: int) -> list[int]:
    found = []
    at = one.first(first)
    while at is not None and at < before:
        found.append(at)
        at = one.first(at + 1)
    return found


def on_the_wall(cron: str, name: str, start: str, hours: float) -> list[str]:
    """The fires of some hours from a local time on, as the clock shows them with its offset."""
    info = ZoneInfo(name)
    first = minute(datetime.fromisoformat(start).replace(tzinfo=info))
    fires = all_fires(table(cron, name), first, first + round(hours * 60))
    return [datetime.fromtimestamp(at * 60, info).strftime("%d %H:%M%z")[:-2] for at in fires]


@pytest.mark.parametrize(
    ("cron", "name", "start", "expected"),
    [
        # A fixed time that is leapt over comes at the first instant after the leap, and once.
        ("30 2 * * *", "America/New_York", "2026-03-08", ["08 03:00-04"]),
        ("0 2 * * *", "America/New_York", "2026-03-08", ["08 03:00-04"]),
        ("0,15,30 2 * * *", "America/New_York", "2026-03-08", ["08 03:00-04"]),
        ("0 2,3 * * *", "America/New_York", "2026-03-08", ["08 03:00-04"]),
        ("30 1-3 * * *", "America/New_York", "2026-03-08", ["08 01:30-05", "08 03:00-04", "08 03:30-04"]),
        ("30 1 * * *", "Europe/London", "2026-03-29", ["29 02:00+01"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-04", ["04 02:30+11"]),
        ("0 0 * * *", "America/Santiago", "2026-09-05T12:00", ["06 01:00-03"]),
        ("30 1 * * *", "Antarctica/Troll", "2026-03-29", ["29 03:00+02"]),
        # Other jobs have nothing there.
        ("0 */2 * * *", "America/New_York", "2026-03-08", ["08 00:00-05", "08 04:00-04"]),
        ("*/15 2 * * *", "America/New_York", "2026-03-08", []),
        ("*/20 1-2 * * *", "America/New_York", "2026-03-08", ["08 01:00-05", "08 01:20-05", "08 01:40-05"]),
        ("0 */2 * * *", "Australia/Lord_Howe", "2026-10-04", ["04 00:00+10", "04 04:00+11"]),
        # A fixed time that comes twice runs the first time.
        ("30 1 * * *", "America/New_York", "2026-11-01", ["01 01:30-04"]),
        ("0 1 * * *", "America/New_York", "2026-11-01", ["01 01:00-04"]),
        ("30 1-3 * * *", "America/New_York", "2026-11-01", ["01 01:30-04", "01 02:30-05", "01 03:30-05"]),
        ("0 0,1,2 * * *", "America/New_York", "2026-11-01", ["01 00:00-04", "01 01:00-04", "01 02:00-05"]),
        ("45 1 * * *", "Europe/London", "2026-10-25", ["25 01:45+01"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-05", ["05 01:45+11"]),
        # Other jobs run at every match that really occurs.
        ("*/30 1 * * *", "America/New_York", "2026-11-01",
         ["01 01:00-04", "01 01:30-04", "01 01:00-05", "01 01:30-05"]),
        ("*/20 1-2 * * *", "Australia/Lord_Howe", "2026-04-05",
         ["05 01:00+11", "05 01:20+11", "05 01:40+11", "05 01:40+10", "05 02:00+10", "05 02:20+10", "05 02:40+10"]),
    ],
)  # fmt: skip
def test_a_night_in_which_clocks_are_changed(cron: str, name: str, start: str, expected: list[str]) -> None:
    hours = 23 if "T" in start else 4.9
    got = on_the_wall(cron, name, start, hours)
    assert got == expected


def test_half_hours_around_half_an_hour() -> None:
    spring = on_the_wall("30 * * * *", "Australia/Lord_Howe", "2026-10-04", 4)
    assert spring == ["04 00:30+10", "04 01:30+10", "04 02:30+11", "04 03:30+11"]
    autumn = on_the_wall("30 * * * *", "Australia/Lord_Howe", "2026-04-05", 4)
    assert autumn == ["05 00:30+11", "05 01:30+11", "05 01:30+10", "05 02:30+10"]
    assert "05 02:00+10" in on_the_wall("0 */2 * * *", "Australia/Lord_Howe", "2026-04-05", 4)


def test_a_day_that_a_whole_country_leapt_over() -> None:
    got = on_the_wall("0 9 * * *", "Pacific/Apia", "2011-12-29T08:00", 40)
    assert got == ["29 09:00-10", "31 00:00+14", "31 09:00+14"]


def test_the_next_moment_is_later_than_the_one_that_was_asked_about() -> None:
    hourly = table("0 * * * *")
    assert hourly.next_after(3599.999) == 3600
    assert hourly.next_after(3600) == 7200
    assert hourly.next_after(3600.001) == 7200


def test_a_day_that_comes_once_in_four_years_or_eight() -> None:
    leap = table("0 12 29 2 *", "Europe/Berlin")
    years = []
    at: float | None = datetime(2090, 1, 1, tzinfo=UTC).timestamp()
    for _ in range(3):
        assert at is not None
        at = leap.next_after(at)
        assert at is not None
        years.append(datetime.fromtimestamp(at, UTC).year)
    assert years == [2092, 2096, 2104]


def test_nothing_comes_after_the_end_of_time_or_before_its_beginning() -> None:
    assert table("0 0 1 1 *").next_after(datetime(9000, 6, 1, tzinfo=UTC).timestamp()) is None
    assert table("0 0 1 6 *").last(minute(datetime(1970, 5, 1, tzinfo=UTC))) is None
    assert table("* * * * *").last(0) is None


@pytest.mark.parametrize("name", ZONES)
def test_around_every_change_of_2026_many_expressions_agree_with_a_walk_over_the_minutes(
    name: str,
) -> None:
    print("seed", SEED)
    changes = transitions(name, 2026)
    assert len(changes) >= 2
    two_days = timedelta(days=2)
    walls = [Wall(name, change - two_days, change + two_days) for change in changes]
    for cron in expressions(SEED, 250):
        one = table(cron, name)
        for wall in walls:
            expected = wall.fires(cron)
            first, change, before = wall.first, wall.first + 2 * 1440, wall.first + 4 * 1440
            assert all_fires(one, first, before) == expected, cron
            for middle in range(change - 120, change + 241, 40):
                at = bisect_left(expected, middle)
                assert at == len(expected) or one.first(middle) == expected[at], cron
                assert at == 0 or one.last(middle) == expected[at - 1], cron
                assert one.count(first, middle) == at, cron
                assert one.count(middle, before) == len(expected) - at, cron


BERLIN = minute(datetime(2026, 3, 28, tzinfo=UTC))


@given(
    st.integers(0, 10**6).map(lambda seed: expressions(seed, 1)[0]),
    st.sampled_from([*ZONES, "UTC", "Asia/Kolkata", "Asia/Beirut", "Europe/Dublin"]),
    st.integers(BERLIN, BERLIN + 366 * 1440),
    st.integers(0, 5 * 1440),
    st.integers(0, 5 * 1440),
)
@example("30 2 * * *", "America/New_York", minute(datetime(2026, 3, 8, 6, 50, tzinfo=UTC)), 11, 100)
def test_looking_ahead_looking_back_and_counting_agree(
    cron: str, name: str, start: int, one: int, other: int
) -> None:
    made = table(cron, name)
    middle, end = start + one, start + one + other
    fires = all_fires(made, start, end)
    assert made.count(start, end) == len(fires)
    assert made.count(start, middle) + made.count(middle, end) == len(fires)
    before = made.last(end)
    assert before is None or before < end
    assert (before if before is not None and before >= start else None) == (fires[-1] if fires else None)


def test_counting_a_year_of_every_minute_takes_a_few_steps() -> None:
    every = table("* * * * *", "Europe/Berlin")
    first = minute(datetime(2025, 11, 20, tzinfo=UTC))
    assert every.count(first, first + 365 * 1440) == 525_600
