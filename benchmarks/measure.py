"""How things are compared: contestants take turns, and what is told is a ratio with its spread."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some figures, and how far they lay apart."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, figures: Iterable[float]) -> Spread:
        """Without those that are none; if that is all, it is none itself."""
        found = sorted(figure for figure in figures if not math.isnan(figure)) or [math.nan]
        return cls(statistics.median(found), found[0], found[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table. Without a `goal` it is there to be compared with."""

    work: str
    measured: Spread
    against: str = ""
    goal: float | None = None
    unit: str = "x"

    def cells(self) -> tuple[str, str, str, str]:
        """What was measured, what is wanted, what came of it, and whether that will do."""
        wanted = "" if self.goal is None else f"at most {self.goal:g}{self.unit} "
        return self.work, (wanted + self.against).strip(), self._told(), self._met()

    def _told(self) -> str:
        found = self.measured
        if math.isnan(found.median):
            return "no figure"
        return f"{_short(found.median)}{self.unit} ({_short(found.low)}..{_short(found.high)})"

    def _met(self) -> str:
        if self.goal is None or math.isnan(self.measured.median):
            return ""
        return "yes" if self.measured.median <= self.goal else "no"


def turns(runs: int, *contestants: Callable[[], float]) -> Sequence[tuple[float, ...]]:
    """What each contestant took, round by round. They alternate, so that a busy machine is busy for all."""
    return [tuple(contestant() for contestant in contestants) for _ in range(runs)]


def beyond(many: float, one: float) -> float:
    """What the work took, without the start-up that one piece of it needs too; no number where noise hides it."""
    return many - one if many > one else math.nan


def _short(figure: float) -> str:
    return f"{figure:.0f}" if abs(figure) >= 100 else f"{figure:.3g}"
