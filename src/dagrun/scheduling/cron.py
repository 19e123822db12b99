"""Five-field cron expressions: parsed once, with helpful errors, and matched on local time without zones.

croniter finds the days (months, leap years, day of month or weekday); the times within a day are a sorted tuple. Local
minutes are whole numbers, counted from 1970-01-01 00:00 local time.
"""

from __future__ import annotations

import re
import threading
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

from dagrun.errors import did_you_mean

_DAY: Final = 1440
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - local time has no zone here
_LAST_DAY: Final = (datetime(9000, 1, 1) - _EPOCH).days  # noqa: DTZ001

#: How many results are cached for each set of days.
_REMEMBERED: Final = 64
#: The days from which the shortest gap is taken: this many matches from 1 January 2026 on.
_SAMPLE_DAY: Final = (datetime(2026, 1, 1) - _EPOCH).days  # noqa: DTZ001
_SAMPLED: Final = 32


class CronError(ValueError):
    """An invalid expression, or one that never matches; `offset` is the position in its text."""

    def __init__(self, message: str, suggestion: str = "", offset: int = 0) -> None:
        super().__init__(message)
        self.suggestion = suggestion
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Cron:
    """A valid expression. Two with the same text are equal."""

    text: str
    #: Whether neither its minute nor its hour field starts with `*`.
    fixed: bool = field(compare=False)
    #: The minutes of a day, in order.
    times: tuple[int, ...] = field(compare=False, repr=False)
    days: Days = field(compare=False, repr=False)
    #: A meaning that users may not expect, and how to write what they may have meant; or empty.
    advice: str = field(default="", compare=False, repr=False)
    alternative: str = field(default="", compare=False, repr=False)

    def first(self, local: int) -> int | None:
        """The first match at or after a local minute; None: none before the year 9000."""
        day, time = divmod(local, _DAY)
        found = self.days.first(day)
        if found == day:
            at = bisect_left(self.times, time)
            if at < len(self.times):
                return day * _DAY + self.times[at]
            found = self.days.first(day + 1)
        return None if found is None else found * _DAY + self.times[0]

    def last(self, before: int) -> int | None:
        """The last match before a local minute; None: none since the epoch."""
        day, time = divmod(before, _DAY)
        found = self.days.last(day)
        if found == day:
            at = bisect_left(self.times, time)
            if at:
                return day * _DAY + self.times[at - 1]
            found = self.days.last(day - 1)
        return None if found is None else found * _DAY + self.times[-1]

    def count(self, first: int, before: int) -> int:
        """How many matches there are from one local minute on and before another. Costs one step for each day."""
        if before <= first:
            return 0
        (day, time), (last_day, end) = divmod(first, _DAY), divmod(before, _DAY)
        whole = self.days.count(day, last_day) * len(self.times)
        skipped = bisect_left(self.times, time) if self.days.first(day) == day else 0
        begun = bisect_left(self.times, end) if self.days.first(last_day) == last_day else 0
        return whole - skipped + begun

    def shortest_gap(self) -> int:
        """The shortest time between two matches, in minutes; what clocks that are put forward or back do is left out."""
        within = min((later - time for time, later in pairwise(self.times)), default=_LAST_DAY * _DAY)
        return min(within, self.days.shortest_gap() * _DAY + self.times[0] - self.times[-1])


class Days:
    """The days on which expressions match, counted from the epoch. Shared by all expressions with the same days."""

    def __init__(self, days: str, months: str, weekdays: str, both: bool = False) -> None:
        self.text = f"0 0 {days} {months} {weekdays}"
        #: Whether the day of month and the weekday must both match; else one of them is enough, if both are restricted.
        self.both = both
        self._every = self.text == "0 0 * * *"
        self._iterator: Any = None  # croniter has no types
        # The iterator has a position, so threads take turns.
        self._mutex = threading.Lock()
        # Schedules with the same days ask for the same ones, tick after tick.
        self._find = lru_cache(_REMEMBERED)(self._search)

    def first(self, day: int) -> int | None:
        """The first such day at or after `day`; None: none before the year 9000."""
        if day >= _LAST_DAY:
            return None
        return day if self._every else self._find(day, 1)

    def last(self, day: int) -> int | None:
        """The last such day at or before `day`; None: none since the epoch."""
        if day < 0:
            return None
        found = day if self._every else self._find(day, -1)
        return found if found >= 0 else None

    def count(self, first: int, before: int) -> int:
        """How many such days there are from `first` on and before `before`."""
        if self._every:
            return max(0, before - first)
        total = 0
        day = self.first(first)
        while day is not None and day < before:
            total += 1
            day = self.first(day + 1)
        return total

    def shortest_gap(self) -> int:
        """The smallest number of days from one such day to the next, as far as the next ones show."""
        days = [day := self.first(_SAMPLE_DAY) or 0]
        days += [day := self.first(day + 1) or day + _SAMPLED for _ in range(_SAMPLED)]
        return min(later - earlier for earlier, later in pairwise(days))

    def _search(self, day: int, direction: int) -> int:
        """The first such day from `day` on (1), or back from it (-1)."""
        start = _EPOCH + timedelta(days=day, minutes=-direction)
        with self._mutex:
            if self._iterator is None:
                # Imported here: 28 ms that only projects with schedules need.
                from croniter import croniter  # type: ignore[import-untyped]

                self._iterator = croniter(self.text, start, day_or=not self.both)
            self._iterator.set_current(start, force=True)
            step = self._iterator.get_next if direction > 0 else self._iterator.get_prev
            moment: datetime = step(datetime)
        return (moment - _EPOCH).days


# --- reading -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Field:
    """One of the five fields."""

    name: str
    low: int
    high: int
    names: Mapping[str, int] = field(default_factory=dict)


_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIELDS: Final = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, {name: i for i, name in enumerate(_MONTHS, 1)}),
    _Field("day of week", 0, 7, {name: i for i, name in enumerate(_WEEKDAYS)}),
)
_NAMED: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_DAYS_IN: Final = dict(zip(range(1, 13), (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), strict=True))
_NUMBER: Final = re.compile("[0-9]{1,4}")


@lru_cache(maxsize=50_000)
def parse(text: str) -> Cron:
    """Parse an expression; the result is cached. Raises CronError."""
    words = [(match[0], match.start()) for match in re.finditer(r"[^ \t]+", text)]
    if words and words[0][0].startswith("@"):
        named = _NAMED.get(text.strip(" \t").lower())
        if named is None:
            raise _unknown_name(text.strip(" \t"))
        words = [(match[0], 0) for match in re.finditer(r"[^ \t]+", named)]
    if len(words) != len(_FIELDS):
        raise _wrong_number(words)
    values = [_read(one, word, at) for one, (word, at) in zip(_FIELDS, words, strict=True)]
    minutes, hours, days, months, _ = values
    free = [_is_free(word) for word, _ in words]
    # As in Debian's cron: if one of the two fields starts with `*`, whatever its step, both must match.
    both = not free[2] and not free[4] and any(words[i][0].startswith("*") for i in (2, 4))
    if not free[2] and (free[4] or both):
        _refuse_impossible_dates(days, months, words[2][1])
    return Cron(
        text=text,
        fixed=not any(word.startswith("*") for word, _ in words[:2]),
        times=_times(minutes, hours),
        days=_days(*_days_text(values, free, both), both),
        **(_advice(words[2][0], words[4][0]) if both else {}),
    )


def _advice(days: str, weekdays: str) -> dict[str, str]:
    """Advice on an expression whose day of month and weekday must both match: it is easily read as one or the other."""
    starred = days if days.startswith("*") else weekdays
    written = starred.replace("*", "1-31" if starred is days else "0-6", 1)
    return {
        "advice": f"it is due on days that fit both '{days}' (day of month) and '{weekdays}' (day of week), as in Debian's"
        f" cron, because '{starred}' starts with '*'",
        "alternative": f"for days that fit either, write '{written}'",
    }


def _days_text(values: Sequence[frozenset[int]], free: Sequence[bool], both: bool) -> tuple[str, str, str]:
    """The day fields for croniter, always as lists, which it reads without special rules."""
    _, _, days, months, weekdays = values
    every = len(days) == 31 or len(weekdays) == 7
    if every and not both and not free[2] and not free[4]:
        return "*", _listed(months, free[3]), "*"  # one OR the other is any day
    return _listed(days, free[2]), _listed(months, free[3]), _listed(weekdays, free[4])


def _listed(values: frozenset[int], is_free: bool) -> str:
    return "*" if is_free else ",".join(str(value) for value in sorted(values))


@lru_cache(maxsize=10_000)
def _times(minutes: frozenset[int], hours: frozenset[int]) -> tuple[int, ...]:
    return tuple(hour * 60 + minute for hour in sorted(hours) for minute in sorted(minutes))


_days = lru_cache(maxsize=10_000)(Days)


def _is_free(word: str) -> bool:
    """Whether a field allows every value, and starts with `*`."""
    return any(item in ("*", "*/1") for item in word.split(",")) and word.startswith("*")


def _read(one: _Field, word: str, at: int) -> frozenset[int]:
    """The values of a field; Sunday is 0."""
    found: set[int] = set()
    for item in word.split(","):
        found.update(_item(one, item, at))
        at += len(item) + 1
    if one.high == 7:
        found = {value % 7 for value in found}
    return frozenset(found)


def _item(one: _Field, item: str, at: int) -> range:
    """The values of one list entry: `*`, a value or a range, with an optional step."""
    body, slash, step = item.partition("/")
    if not body:
        message = "an entry of a list is empty" if not item else f"'{item}' has a step without a range"
        raise _wrong(one, message, at)
    if body == "*":
        # Sunday must not count twice, or steps would be wrong.
        low, high = one.low, min(one.high, 6) if one.names and one.low == 0 else one.high
    elif "-" in body:
        low, high = _range(one, body, at)
    else:
        low = high = _value(one, body, at)
        if slash:
            hint = (
                f"write '{body}-{min(one.high, 6) if one.high == 7 else one.high}/{step}', or '{body}' alone"
            )
            raise _wrong(one, f"the step in '{item}' has no range", at, hint)
    return range(low, high + 1, _step(one, step, at + len(body) + 1) if slash else 1)


def _range(one: _Field, body: str, at: int) -> tuple[int, int]:
    first, _, last = body.partition("-")
    low, high = _value(one, first, at), _value(one, last, at + len(first) + 1)
    if high == 0 and low > 0 and one.high == 7:
        high = 7  # Sunday may also end a week: FRI-SUN
    if low > high:
        hint = f"write '{first}-{_FIELDS_END[one.name]},{_FIELDS_START[one.name]}-{last}' to continue from the start"
        raise _wrong(one, f"the range '{body}' is reversed", at, hint)
    return low, high


_FIELDS_START: Final = {
    one.name: min(one.names, key=one.names.__getitem__) if one.names else str(one.low) for one in _FIELDS
}
_FIELDS_END: Final = {
    one.name: max(one.names, key=one.names.__getitem__) if one.names else str(one.high) for one in _FIELDS
}


def _step(one: _Field, text: str, at: int) -> int:
    size = (6 if one.high == 7 else one.high) - one.low + 1
    if not _NUMBER.fullmatch(text) or int(text) == 0:
        raise _wrong(one, f"the step '{text}' must be a whole number, 1 or more", at)
    if int(text) >= size:
        raise _wrong(
            one, f"the step {text} is larger than the field, which has {size} values", at,
            f"it matches only '{one.low}': write that, if it is meant",
        )  # fmt: skip
    return int(text)


def _value(one: _Field, text: str, at: int) -> int:
    named = one.names.get(text.upper())
    if named is not None:
        return named
    if not _NUMBER.fullmatch(text):
        raise _no_value(one, text, at)
    if not one.low <= int(text) <= one.high:
        raise _wrong(one, f"{text} is not between {one.low} and {one.high}", at)
    return int(text)


def _refuse_impossible_dates(days: frozenset[int], months: frozenset[int], at: int) -> None:
    if not any(min(days) <= _DAYS_IN[month] for month in months):
        longest = max(_DAYS_IN[month] for month in months)
        hint = f"the longest of its months has {longest} days"
        raise CronError(f"it never matches: there is no day {min(days)} in these months", hint, at)


# --- messages ----------------------------------------------------------------------------------------------

_ORDER: Final = "minute hour day-of-month month day-of-week"


def _wrong(one: _Field, message: str, at: int, suggestion: str = "") -> CronError:
    return CronError(f"{one.name}: {message}", suggestion, at)


def _no_value(one: _Field, text: str, at: int) -> CronError:
    if text == "?":
        return _wrong(one, "'?' is not standard cron", at, "write '*'")
    if one.high in (31, 7) and re.fullmatch(r"(?i)l|lw|l-?\d+|\w+[lw]|\w+#\d", text):
        return _wrong(
            one, f"'{text}' is not standard cron", at, "L, W and # are not supported; list the days"
        )
    if text.upper() in ("H", "R"):
        return _wrong(one, f"'{text}' is not standard cron", at, "to spread schedules, give them `jitter:`")
    if not text:
        return _wrong(one, "a range has only one end", at)
    shown = text if len(text) <= 20 else text[:19] + "…"
    hint = did_you_mean(text.upper(), one.names)
    if not hint:
        hint = f"write a number from {one.low} to {one.high}" + (f", or {_names(one)}" if one.names else "")
    return _wrong(one, f"'{shown}' is not a valid value", at, hint)


def _names(one: _Field) -> str:
    names = list(one.names)
    return f"a name: {names[0]}, {names[1]}, … {names[-1]}"


def _unknown_name(text: str) -> CronError:
    if text.lower().startswith("@every"):
        return CronError("'@every' is not standard cron", "write a step: '*/5 * * * *' is every five minutes")
    known = ", ".join(dict.fromkeys(_NAMED))
    return CronError(
        f"'{text[:40]}' is not a valid expression",
        did_you_mean(text.lower(), _NAMED) or f"valid names are {known}",
    )


def _wrong_number(words: list[tuple[str, int]]) -> CronError:
    if words and re.match(r"(CRON_)?TZ=", words[0][0]):
        return CronError("the time zone has its own key", "write `timezone:` next to `cron:`")
    number = f"{len(words)} field{'' if len(words) == 1 else 's'}"
    hint = "seconds and years are not supported" if len(words) in (6, 7) else ""
    at = words[len(_FIELDS)][1] if len(words) > len(_FIELDS) else 0
    return CronError(f"{number} where cron has five: {_ORDER}", hint, at)
