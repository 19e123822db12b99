"""What a cron expression means, said a second time: a walk over the minutes of UTC with a field parser of its own.

The clock on the wall is written down once for each zone, as one bit mask for each value of each field: bit i is minute i. An
expression is then a handful of ORs and ANDs, so a year of minutes costs milliseconds.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import or_
from zoneinfo import ZoneInfo

ZONES = (
    "America/New_York", "Europe/London", "Australia/Lord_Howe", "America/Santiago", "Antarctica/Troll",
    "Africa/Casablanca",
)  # fmt: skip
MINUTE = timedelta(minutes=1)
LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))


def values(word: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for item in word.split(","):
        body, _, step = item.partition("/")
        first, _, last = (f"{low}-{high}" if body == "*" else body).partition("-")
        found.update(range(int(first), int(last or first) + 1, int(step or 1)))
    return found


class Wall:
    """What the clock on the wall of a zone shows in a stretch of UTC minutes."""

    def __init__(self, zone: str, start: datetime, end: datetime) -> None:
        self.first = int(start.timestamp()) // 60
        info = ZoneInfo(zone)
        #: The minute after each leap, and masks of what was leapt over.
        self.leaps: list[tuple[int, list[list[int]]]] = []
        shown: datetime | None = None
        latest = datetime.min.replace(tzinfo=UTC)
        rows: list[tuple[int, ...]] = []
        total = int((end - start) / MINUTE)
        fresh = bytearray(total)
        for i in range(total):
            local = (start + i * MINUTE).astimezone(info).replace(tzinfo=UTC)
            if shown is not None and local - shown > MINUTE:
                over = [shown + k * MINUTE for k in range(1, int((local - shown) / MINUTE))]
                self.leaps.append((i, _masks([_fields(one) for one in over])))
            fresh[i] = local > latest
            latest = max(latest, local)
            shown = local
            rows.append(_fields(local))
        self.masks = _masks(rows)
        #: The minutes in which the clock shows a time for the first time.
        self.begins = _mask(fresh)

    def fires(self, expression: str) -> list[int]:
        """The minutes, counted from the epoch, at which Debian's cron would run a job of this expression."""
        words = expression.split()
        hits = _hits(self.masks, words)
        if not words[0].startswith("*") and not words[1].startswith("*"):
            hits &= self.begins
            for at, over in self.leaps:
                if _hits(over, words):
                    hits |= 1 << at
        return [self.first + i for i in _bits(hits)]


def _fields(local: datetime) -> tuple[int, ...]:
    return (local.minute, local.hour, local.day, local.month, local.isoweekday() % 7)


def _masks(rows: list[tuple[int, ...]]) -> list[list[int]]:
    masks = []
    for number in range(len(LIMITS)):
        columns: dict[int, bytearray] = {}
        for i, row in enumerate(rows):
            value = row[number]
            if value not in columns:
                columns[value] = bytearray(len(rows))
            columns[value][i] = 1
        masks.append([_mask(columns[value]) if value in columns else 0 for value in range(60)])
    return masks


def _mask(flags: bytearray) -> int:
    return int(flags[::-1].translate(bytes.maketrans(b"\0\1", b"01")) or b"0", 2)


def _hits(masks: list[list[int]], words: list[str]) -> int:
    minute, hour, day, month, weekday = (
        reduce(or_, (masks[n][value] for value in values(word, *LIMITS[n])), 0)
        for n, word in enumerate(words)
    )
    either = not words[2].startswith("*") and not words[4].startswith("*")
    return minute & hour & month & (day | weekday if either else day & weekday)


def _bits(mask: int) -> Iterator[int]:
    text = bin(mask)[:1:-1]
    at = text.find("1")
    while at >= 0:
        yield at
        at = text.find("1", at + 1)


def transitions(zone: str, year: int) -> list[datetime]:
    """When a zone's clocks are changed in a year, to the hour."""
    info, start = ZoneInfo(zone), datetime(year, 1, 1, tzinfo=UTC)
    hours = [start + timedelta(hours=h) for h in range(366 * 24)]
    offsets = [hour.astimezone(info).utcoffset() for hour in hours]
    return [hours[i] for i in range(1, len(hours)) if offsets[i] != offsets[i - 1]]


def _field(draw: random.Random, low: int, high: int, free: float) -> str:
    if draw.random() < free:
        return "*"

    def item() -> str:
        shape = draw.random()
        if shape < 0.6:
            return str(draw.randint(low, high))
        if shape < 0.8:
            first = draw.randint(low, high)
            last = draw.randint(first, min(high, first + 4))
            return f"{first}-{last}" + (f"/{draw.randint(1, 3)}" if draw.random() < 0.3 else "")
        return f"*/{draw.randint(2, max(2, (high - low) // 2))}"

    return ",".join(item() for _ in range(draw.choice((1, 1, 1, 2))))


def expressions(seed: int, number: int) -> list[str]:
    """Random expressions, most of them about the small hours, when clocks are changed."""
    draw = random.Random(seed)
    found: list[str] = []
    while len(found) < number:
        hour = str(draw.randint(0, 4)) if draw.random() < 0.4 else _field(draw, 0, 23, 0.3)
        words = [
            _field(draw, 0, 59, 0.05), hour, _field(draw, 1, 28, 0.7), _field(draw, 1, 12, 0.85), _field(draw, 0, 6, 0.7),
        ]  # fmt: skip
        found.append(" ".join(words))
    return found
