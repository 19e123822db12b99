"""Schedules as values, and what may become of a fire: frozen, no I/O, no clock.

A fire is named by its `minute`, text in UTC (`2026-11-20 09:00`), which sorts as time does.
"""

from __future__ import annotations

import hashlib
import time
from calendar import timegm
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from dagrun.schedules.timetable import Timetable
from dagrun.source import Place, Source

_FORM = "%Y-%m-%d %H:%M"


def minute_text(minute: int) -> str:
    """A minute, counted from the epoch in UTC, as it is written in records: `2026-11-20 09:00`."""
    return time.strftime(_FORM, time.gmtime(minute * 60))


def minute_number(text: str) -> int:
    """The minute that such text names, counted from the epoch. Raises ValueError for other text."""
    return timegm(time.strptime(text, _FORM)) // 60


class Overlap(StrEnum):
    """What a fire does while the schedule's last run still runs."""

    SKIP = "skip"
    QUEUE = "queue"
    PARALLEL = "parallel"
    REPLACE = "replace"


class Catchup(StrEnum):
    """Which of the fires that were missed are made up for."""

    NONE = "none"
    #: The last one.
    LATEST = "latest"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a schedule was written. Asking for a place reads the text once more: only those who tell of it ask."""

    source: Source
    path: tuple[str | int, ...]

    def place(self, *keys: str | int) -> Place:
        """Where the schedule, or one of its keys, stands."""
        return self.source.place((*self.path, *keys))


DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One entry of a file of schedules. Two are equal when they mean the same, wherever they were written."""

    id: str
    #: Its cron expression in its zone.
    timetable: Timetable
    #: The document to run, as it was written: a path from the project root, or a name.
    dag: str
    #: None: the DAG's own.
    tenant: str | None = None
    enabled: bool = True
    params: Mapping[str, Any] = field(default_factory=dict)
    overlap: Overlap = Overlap.SKIP
    catchup: Catchup = Catchup.NONE
    #: How long ago, in seconds, a missed fire may have been to be made up for.
    catchup_window: float = DAY
    #: The first and the last minute that may fire, counted from the epoch in UTC; None: no bound.
    start: int | None = None
    end: int | None = None
    #: A fire starts up to so many seconds after its minute.
    jitter: float = 0.0
    origin: Origin | None = field(default=None, compare=False, repr=False)

    def fires(self, after: float) -> Iterator[float]:
        """The moments later than `after` at which the schedule would fire, within its bounds, enabled or not."""
        minute = int(after // 60) + 1
        if self.start is not None:
            minute = max(minute, self.start)
        while (found := self.timetable.first(minute)) is not None and (self.end is None or found <= self.end):
            yield found * 60.0
            minute = found + 1

    def start_of(self, minute: int) -> float:
        """When the run of a fire is to start: the same in every process, up to `jitter` seconds after its minute."""
        if not self.jitter:
            return minute * 60.0
        digest = hashlib.blake2b(f"{self.id} {minute}".encode(), digest_size=8).digest()
        return round(minute * 60 + self.jitter * int.from_bytes(digest) / 2**64, 3)


@dataclass(frozen=True, slots=True)
class Account:
    """How far a schedule's account goes: every fire up to and including `minute` was fired or recorded as skipped.

    It is what the last line of a claim file says.
    """

    minute: str
    #: False: the schedule was seen disabled then, and what came later was passed over, not missed.
    enabled: bool = True


class SkipReason(StrEnum):
    """Why a fire did not become a run, as far as time alone decides."""

    MISSED = "Missed"
    DISABLED = "Disabled"
    OUT_OF_BOUNDS = "OutOfBounds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A run is due. It is claimed now and starts at `start`, which is later than its minute where there is jitter."""

    schedule: Schedule
    minute: str
    start: float
    #: It was missed and is made up for.
    caught_up: bool = False

    @property
    def account(self) -> Account:
        """Where the account stands once this is recorded."""
        return Account(self.minute)


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """`count` fires, from `first` to `last`, do not become runs."""

    schedule: Schedule
    reason: SkipReason
    count: int
    first: str
    last: str

    @property
    def minute(self) -> str:
        """The minute of the record: the last one."""
        return self.last

    @property
    def account(self) -> Account:
        """Where the account stands once this is recorded."""
        return Account(self.last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Nothing to tell anybody, but the account moves: a schedule is seen first, or is enabled or disabled since."""

    schedule: Schedule
    account: Account

    @property
    def minute(self) -> str:
        """The minute of the record."""
        return self.account.minute


Decision = Due | Skip | Seen
