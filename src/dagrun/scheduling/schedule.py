"""Schedules as values, and what may become of a fire: frozen, no I/O, no clock.

A fire is named by its `minute`, text in UTC (`2026-11-20 09:00`), which sorts as time does.
"""

from __future__ import annotations

import hashlib
import json
import time
from calendar import timegm
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

from dagrun.documents.yaml import Place, Source
from dagrun.scheduling.timetable import Timetable

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
class ScheduleOrigin:
    """Where a schedule was written. Asking for a place reads the text once more: only those who tell of it ask."""

    source: Source
    path: tuple[str | int, ...]

    def place(self, *keys: str | int) -> Place:
        """Where the schedule, or one of its keys, stands."""
        return self.source.place((*self.path, *keys))


DAY = 86_400.0


@dataclass(frozen=True, kw_only=True)
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
    #: How long ago, in seconds, a run may have been interrupted to be resumed.
    resume_window: float = DAY
    origin: ScheduleOrigin | None = field(default=None, compare=False, repr=False)

    @cached_property
    def timing(self) -> str:
        """When it is due, as text: the expression, the zone and the bounds. `due.timing` reads it back."""
        cron = " ".join(self.timetable.cron.text.split())
        bounds = ["" if bound is None else str(bound) for bound in (self.start, self.end)]
        zone = "" if self.timetable.zone.name == "UTC" else self.timetable.zone.name
        return "|".join([cron, zone, *bounds]).rstrip("|")

    @cached_property
    def fingerprint(self) -> str:
        """A fingerprint of all else that it says, but for whether it is enabled."""
        said = [
            self.dag, self.tenant, self.params, self.overlap, self.catchup, self.catchup_window, self.jitter,
            self.resume_window,
        ]  # fmt: skip
        text = json.dumps(said, sort_keys=True, default=str)
        return hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=4).hexdigest()

    def watermark_at(self, minute: str) -> Watermark:
        """The watermark of this schedule, settled up to a minute."""
        return Watermark(minute, self.enabled, self.timing, self.fingerprint)

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
class Watermark:
    """How far a schedule's watermark goes: every fire up to and including `minute` was fired or recorded as skipped.

    It is what the last line of a claim file says.
    """

    minute: str
    #: False: the schedule was seen disabled then, and what came later was passed over, not missed.
    enabled: bool = True
    #: The definition that was in force (`Schedule.timing` and `.fingerprint`); empty where an older version wrote the record.
    timing: str = ""
    fingerprint: str = ""
    #: True: the schedule had been removed, or could not be read, and nothing was due from then on.
    is_gone: bool = False


class SkipReason(StrEnum):
    """Why a fire did not become a run, as far as time alone decides."""

    MISSED = "Missed"
    DISABLED = "Disabled"
    OUT_OF_BOUNDS = "OutOfBounds"


@dataclass(frozen=True, slots=True, kw_only=True)
class DueFire:
    """A run is due. It is claimed now and starts at `start`, which is later than its minute where there is jitter."""

    schedule: Schedule
    minute: str
    start: float
    #: It was missed and is made up for.
    caught_up: bool = False

    @property
    def watermark(self) -> Watermark:
        """The watermark once this is recorded."""
        return self.schedule.watermark_at(self.minute)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedFires:
    """`count` fires, from `first` to `last`, do not become runs."""

    schedule: Schedule
    reason: SkipReason
    count: int
    first: str
    last: str
    #: The watermark that these fires belong to; None: the schedule's present one.
    given_watermark: Watermark | None = None

    @property
    def minute(self) -> str:
        """The minute of the record: the last one."""
        return self.last

    @property
    def watermark(self) -> Watermark:
        """The watermark once this is recorded."""
        if self.given_watermark is None:
            return replace(self.schedule.watermark_at(self.last), enabled=True)
        return replace(self.given_watermark, minute=self.last)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatermarkMoved:
    """Nothing to tell anybody, but the watermark moves: a schedule is seen first, or is enabled or disabled since."""

    schedule: Schedule
    watermark: Watermark

    @property
    def minute(self) -> str:
        """The minute of the record."""
        return self.watermark.minute


Decision = DueFire | SkippedFires | WatermarkMoved
