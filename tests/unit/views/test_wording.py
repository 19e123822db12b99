"""Words that all views share."""

from __future__ import annotations

import math
import time

import pytest

from dagrun.views.wording import clock, clocks, count, elided, listed, plain, seconds


@pytest.mark.parametrize(
    ("duration", "text"),
    [(0.418, "0.42s"), (59.99, "59.99s"), (59.996, "1m 00s"), (185, "3m 05s"), (7800, "2h 10m"), (None, "-"), (math.nan, "-")],
)  # fmt: skip
def test_a_duration(duration: float | None, text: str) -> None:
    assert seconds(duration) == text


def test_moments_of_today_have_no_date() -> None:
    noon = time.mktime((2026, 3, 1, 12, 0, 5, 0, 0, -1))
    assert clock(noon, noon + 60) == "12:00:05"


def test_with_one_moment_of_another_day_all_have_a_date() -> None:
    noon = time.mktime((2026, 3, 1, 12, 0, 5, 0, 0, -1))
    assert clocks([noon, noon + 86400], noon) == ["2026-03-01 12:00:05", "2026-03-02 12:00:05"]


def test_a_number_of_things() -> None:
    assert [count(number, "task") for number in (0, 1, 2)] == ["0 tasks", "1 task", "2 tasks"]


def test_of_a_long_list_the_middle_is_left_out() -> None:
    assert elided(list("abcdef"), 3) == ["a", "... 3 more ...", "e", "f"]
    assert elided(list("abc"), 3) == ["a", "b", "c"]


def test_names_in_a_sentence() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"], "or") == "a, b or c"
    assert listed(list("abcdefg")) == "a, b, c, d and 3 more"


def test_text_of_others_is_one_line_that_moves_no_cursor() -> None:
    assert plain("first\nsecond") == "first ..."
    assert plain("\x1b[2J") == "\\x1b[2J"
    assert plain("x" * 20, 5) == "xxxxx ..."
