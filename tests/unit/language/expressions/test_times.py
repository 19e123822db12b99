"""Times: formatted for a zone, and shifted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dagrun.language.expressions.times import format_time, pattern_problem, read_shift, shift_time


def test_a_time_is_formatted_for_its_zone() -> None:
    assert format_time("2026-07-01T22:30:00Z", "%Y-%m-%d %H:%M", "Europe/Berlin") == "2026-07-02 00:30"


def test_a_day_is_the_same_in_every_zone() -> None:
    assert format_time("2026-01-31", "%d.%m.%Y", "America/New_York") == "31.01.2026"


def test_a_percent_sign_is_written_twice() -> None:
    assert pattern_problem("%H%%") == ""
    assert pattern_problem("%") == (
        "'%' is not supported; write for example %Y-%m-%d %H:%M:%S, and %% for a percent sign"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [("-1d", timedelta(days=-1)), ("1h30m", timedelta(minutes=90)), ("+2w", timedelta(weeks=2)), ("1.5s", timedelta(seconds=1.5))],
)  # fmt: skip
def test_a_difference_has_units(text: str, expected: timedelta) -> None:
    assert read_shift(text) == expected


@pytest.mark.parametrize("text", ["", "1", "d", "1x", "1m1h", "9" * 400 + "w"])
def test_anything_else_is_no_difference(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a time difference|is too large"):
        read_shift(text)


def test_a_shifted_time_is_in_utc_and_a_shifted_day_is_a_day() -> None:
    assert shift_time("2026-03-01T12:00:00+02:00", "1h") == "2026-03-01T11:00:00.000Z"
    assert shift_time("2026-03-01", "-1d") == "2026-02-28"


def test_a_time_needs_a_zone() -> None:
    with pytest.raises(ValueError, match="has no time zone; write 2026-01-31T09:00Z"):
        shift_time("2026-01-31T09:00", "1d")
