"""Ratios, their spread, and their row of the table."""

from __future__ import annotations

import math

from benchmarks.measure import Row, Spread, beyond, turns


def test_a_row_shows_the_goal_the_median_and_the_spread() -> None:
    row = Row(work="starting", goal=2.5, against="`python -c pass`", measured=Spread.of([3, 1.25, 2]))
    assert row.cells() == ("starting", "at most 2.5x `python -c pass`", "2x (1.25..3)", "yes")


def test_a_goal_that_is_missed() -> None:
    row = Row(work="loading", goal=60, unit=" MB", measured=Spread.of([151.26]))
    assert row.cells() == ("loading", "at most 60 MB", "151 MB (151..151)", "no")


def test_a_row_for_comparison_has_no_goal() -> None:
    assert Row(work="all", against="dask", measured=Spread.of([4])).cells() == (
        "all",
        "dask",
        "4x (4..4)",
        "",
    )


def test_a_value_hidden_by_noise_is_no_figure_and_meets_no_goal() -> None:
    hidden = Spread.of([beyond(1.0, 1.5)])
    assert Row(work="one more", goal=1, measured=hidden).cells()[2:] == ("no figure", "")
    assert Spread.of([beyond(1.0, 1.5), beyond(3, 1)]) == Spread(2, 2, 2)
    assert math.isnan(beyond(1, 1))


def test_contestants_take_turns() -> None:
    order: list[str] = []

    def contestant(name: str) -> float:
        order.append(name)
        return 1.0

    assert turns(2, lambda: contestant("a"), lambda: contestant("b")) == [(1, 1), (1, 1)]
    assert order == ["a", "b", "a", "b"]
