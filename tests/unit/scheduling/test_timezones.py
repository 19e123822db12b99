"""Time zones as periods of constant offset."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice, pairwise

import pytest

from dagrun.scheduling.timezones import Zone, ZoneError, zone


def minute(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) // 60


def test_a_year_of_new_york_has_three_periods() -> None:
    new_year = minute("2026-01-01")
    periods = list(islice(zone("America/New_York").periods(new_year), 3))
    assert [(period.start - new_year, period.before, period.offset) for period in periods] == [
        (0, -300, -300),
        (minute("2026-03-08T07:00") - new_year, -300, -240),
        (minute("2026-11-01T06:00") - new_year, -240, -300),
    ]
    assert [period.end for period in periods[:-1]] == [period.start for period in periods[1:]]
    assert periods[-1].end == minute("2027-01-01")


@pytest.mark.parametrize("name", ["UTC", "America/New_York", "Africa/Casablanca", "Pacific/Apia"])
def test_periods_follow_one_another_in_both_directions(name: str) -> None:
    start = minute("2009-06-01")
    ahead = []
    for period in zone(name).periods(start):
        ahead.append(period)
        if period.start > minute("2013-06-01"):
            break
    assert ahead[0].start <= start < ahead[0].end
    assert all(one.end == two.start and one.offset == two.before for one, two in pairwise(ahead))
    back = zone(name).periods_back(ahead[-1].start)
    assert [next(back) for _ in ahead] == ahead[::-1]


@pytest.mark.parametrize(
    ("name", "local", "utc"),
    [
        ("Europe/Berlin", "2026-01-01", "2025-12-31T23:00"),
        ("Europe/Berlin", "2026-07-01T12:30", "2026-07-01T10:30"),
        # Twice: the first time. Never: the first instant after the leap.
        ("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30"),
        ("America/New_York", "2026-11-01T02:00", "2026-11-01T07:00"),
        ("America/New_York", "2026-03-08T02:30", "2026-03-08T07:00"),
        ("America/Santiago", "2026-09-06", "2026-09-06T04:00"),
        ("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00"),
        ("UTC", "1970-01-02", "1970-01-02"),
    ],
)
def test_a_local_time_is_a_minute(name: str, local: str, utc: str) -> None:
    assert zone(name).minute_of(datetime.fromisoformat(local)) == minute(utc)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("Europe/Berln", "did you mean 'Europe/Berlin'?"),
        ("europe/berlin", "did you mean 'Europe/Berlin'?"),
        ("Berlin", "did you mean 'Europe/Berlin'?"),
        ("America/NewYork", "did you mean 'America/New_York'?"),
        ("../etc/passwd", ""),
        ("a\0b", ""),
        ("", ""),
    ],
)
def test_an_unknown_zone_is_reported_with_the_nearest_one(name: str, suggestion: str) -> None:
    with pytest.raises(ZoneError) as error:
        zone(name)
    assert str(error.value) == f"unknown time zone '{name}'"
    assert error.value.suggestion == suggestion


@pytest.mark.parametrize("name", ["Europe", "/etc/localtime", "x" * 1000])
def test_what_is_a_directory_or_a_path_is_no_zone(name: str) -> None:
    with pytest.raises(ZoneError):
        zone(name)


def test_zones_are_known_by_their_names() -> None:
    assert zone("Europe/Berlin") is zone("Europe/Berlin")
    assert Zone("UTC") == Zone("UTC") != Zone("Europe/London")
    assert len({Zone("UTC"), Zone("UTC")}) == 1
    assert repr(Zone("UTC")) == "Zone('UTC')"
