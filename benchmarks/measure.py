"""Comparisons: contestants take turns, and the result is a ratio with its spread."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """The median, the lowest and the highest of some figures."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, figures: Iterable[float]) -> Spread:
        """The spread of the figures that are numbers; nan if none is."""
        found = sorted(figure for figure in figures if not math.isnan(figure)) or [math.nan]
        return cls(statistics.median(found), found[0], found[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table. A row without a `goal` is for comparison."""

    work: str
    measured: Spread
    against: str = ""
    goal: float | None = None
    unit: str = "x"

    def cells(self) -> tuple[str, str, str, str]:
        """The work, the goal, the result, and whether the goal is met."""
        goal = "" if self.goal is None else f"at most {self.goal:g}{self.unit} "
        return self.work, (goal + self.against).strip(), self._result(), self._met()

    def _result(self) -> str:
        found = self.measured
        if math.isnan(found.median):
            return "no figure"
        return f"{_short(found.median)}{self.unit} ({_short(found.low)}..{_short(found.high)})"

    def _met(self) -> str:
        if self.goal is None or math.isnan(self.measured.median):
            return ""
        return "yes" if self.measured.median <= self.goal else "no"


def turns(runs: int, *contestants: Callable[[], float]) -> Sequence[tuple[float, ...]]:
    """The seconds of each contestant, round by round. They alternate, so that a busy machine affects all of them."""
    return [tuple(contestant() for contestant in contestants) for _ in range(runs)]


def beyond(many: float, one: float) -> float:
    """The time of the work without the start-up, which one piece of it needs as well; nan if noise hides it."""
    return many - one if many > one else math.nan


def _short(figure: float) -> str:
    return f"{figure:.0f}" if abs(figure) >= 100 else f"{figure:.3g}"
