"""How all views write durations, local times, long lists, and text from documents and bodies."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Final

from dagrun.errors import one_line


def seconds(duration: float | None) -> str:
    """A duration for people: `0.42s`, `3m 05s`, `2h 10m`; `-` when there is none."""
    if duration is None or not math.isfinite(duration):
        return "-"
    if duration < 59.995:
        return f"{duration:.2f}s"
    minutes, rest = divmod(round(duration), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02d}s"
    return f"{minutes // 60}h {minutes % 60:02d}m"


def clock(moment: float, now: float) -> str:
    """A moment in local time: `10:02:31`, with the date if it is not today."""
    return clocks([moment], now)[0]


def clocks(moments: Sequence[float], now: float) -> list[str]:
    """Moments in local time; all with the date if one of them is not today."""
    local = [time.localtime(moment) for moment in moments]
    today = time.localtime(now)[:3]
    form = "%H:%M:%S" if all(then[:3] == today for then in local) else "%Y-%m-%d %H:%M:%S"
    return [time.strftime(form, then) for then in local]


def count(number: int, noun: str) -> str:
    """`1 task`, `3 tasks`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def elided(items: Sequence[str], most: int) -> list[str]:
    """The items; if there are more than `most`, only the first and the last, with the number of the others between them."""
    if len(items) <= most:
        return list(items)
    head = most // 2
    tail = most - head
    return [*items[:head], f"... {len(items) - most} more ...", *items[len(items) - tail :]]


def plain(text: str, most: int = 300) -> str:
    """The first line of a text from a document or a body. Control characters are escaped, so that they do not reach a terminal."""
    first, *rest = text.strip().splitlines() or [""]
    if len(first) > most or rest:
        first = first[:most].rstrip() + " ..."
    return one_line(first)


_MAX_NAMES: Final = 5


def listed(names: Sequence[str], word: str = "and") -> str:
    """`a`, `a and b`, `a, b, c, d and 7 more`."""
    if len(names) > _MAX_NAMES:
        return f"{', '.join(names[: _MAX_NAMES - 1])} {word} {len(names) - _MAX_NAMES + 1} more"
    *most, last = names
    return f"{', '.join(most)} {word} {last}" if most else last
