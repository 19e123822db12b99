"""Schedules as values, and the decisions about their fires: frozen, no I/O, no clock.

A fire is named by its `minute`, text in UTC (`2026-11-20 09:00`), which sorts by time.
"""

from __future__ import annotations

import hashlib
import json
import time
from calendar import timegm
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from dagrun.core.model import Sla
from dagrun.documents.yaml import Place, Source
from dagrun.scheduling.timetable import Timetable
from dagrun.value import Value, replace

_FORM = "%Y-%m-%d %H:%M"


def minute_text(minute: int) -> str:
    """A minute, counted from the epoch in UTC, as text: `2026-11-20 09:00`."""
    year, *rest = time.gmtime(minute * 60)[:5]
    return "{:04d}-{:02d}-{:02d} {:02d}:{:02d}".format(year, *rest)  # strftime pads no year before 1000


def minute_number(text: str) -> int:
    """The inverse of `minute_text`. Raises ValueError for other text."""
    return timegm(time.strptime(text, _FORM)) // 60


class Overlap(StrEnum):
    """What a fire does while earlier runs of its schedule have not ended."""

    SKIP = "skip"
    QUEUE = "queue"
    PARALLEL = "parallel"
    REPLACE = "replace"


class Catchup(StrEnum):
    """Which of the missed fires are made up for."""

    NONE = "none"
    #: The newest one.
    LATEST = "latest"
    ALL = "all"


class ScheduleOrigin(Value):
    """Where a schedule is defined. `place` parses the text again, so ask for it only to report something."""

    source: Source
    path: tuple[str | int, ...]

    def place(self, *keys: str | int) -> Place:
        """The position of the schedule, or of one of its keys."""
        return self.source.place((*self.path, *keys))


DAY = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One schedule. Two are equal if they mean the same, wherever they are defined."""

    id: str
    #: Its cron expression in its zone.
    timetable: Timetable
    #: The document to run, as written: a path relative to the project root, or a name.
    dag: str
    #: None: that of the DAG.
    tenant: str | None = None
    enabled: bool = True
    params: Mapping[str, Any] = field(default_factory=dict)
    overlap: Overlap = Overlap.SKIP
    catchup: Catchup = Catchup.NONE
    #: A missed fire is made up for if it is no older than this, in seconds.
    catchup_window: float = DAY
    #: The first and the last minute that fires, counted from the epoch in UTC; None: no bound.
    start: int | None = None
    end: int | None = None
    #: The maximum random delay of a run after its minute, in seconds.
    jitter: float = 0.0
    #: An interrupted run is resumed if that happened no longer ago than this, in seconds.
    resume_window: float = DAY
    #: When its runs are late; None: as the DAG says.
    sla: Sla | None = None
    origin: ScheduleOrigin | None = field(default=None, compare=False, repr=False)

    @cached_property
    def timing(self) -> str:
        """When it fires, as text: the expression, the zone and the bounds. `due.parse_timing` is the inverse."""
        cron = " ".join(self.timetable.cron.text.split())
        bounds = ["" if bound is None else str(bound) for bound in (self.start, self.end)]
        zone = "" if self.timetable.zone.name == "UTC" else self.timetable.zone.name
        return "|".join([cron, zone, *bounds]).rstrip("|")

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the rest of the definition, except `enabled`."""
        rest = [
            self.dag, self.tenant, self.params, self.overlap, self.catchup, self.catchup_window, self.jitter,
            self.resume_window,
        ]  # fmt: skip
        if self.sla is not None:
            rest += [self.sla.finish_within, self.sla.start_by]
        text = json.dumps(rest, sort_keys=True, default=str)
        return hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=4).hexdigest()

    def watermark_at(self, minute: str) -> Watermark:
        """A watermark under this definition."""
        return Watermark(minute, self.enabled, self.timing, self.fingerprint)

    def fires(self, after: float) -> Iterator[float]:
        """The moments after `after` at which the schedule would fire, within its bounds, enabled or not."""
        minute = int(after // 60) + 1
        if self.start is not None:
            minute = max(minute, self.start)
        while (found := self.timetable.first(minute)) is not None and (self.end is None or found <= self.end):
            yield found * 60.0
            minute = found + 1

    def start_of(self, minute: int) -> float:
        """When the run of a fire is due to start: up to `jitter` seconds after its minute, the same in every process."""
        if not self.jitter:
            return minute * 60.0
        digest = hashlib.blake2b(f"{self.id} {minute}".encode(), digest_size=8).digest()
        return round(minute * 60 + self.jitter * int.from_bytes(digest) / 2**64, 3)


class Watermark(Value):
    """How far a schedule is settled: every fire up to and including `minute` was fired or recorded as skipped.

    The last line of a claim file has it.
    """

    minute: str
    #: False: the schedule was disabled, so later fires were skipped, not missed.
    enabled: bool = True
    #: The definition that was in force (`Schedule.timing` and `.fingerprint`); empty in records of older versions.
    timing: str = ""
    fingerprint: str = ""
    #: True: the schedule was removed, or could not be read, so no later fire was due.
    is_removed: bool = False


class SkipReason(StrEnum):
    """Why a fire did not become a run: the reasons that depend on time alone."""

    MISSED = "Missed"
    DISABLED = "Disabled"
    OUT_OF_BOUNDS = "OutOfBounds"


class DueFire(Value, kw_only=True):
    """A run is due. It is claimed now, and starts at `start`: later than its minute if there is a jitter."""

    schedule: Schedule
    minute: str
    start: float
    #: Whether it was missed, and is made up for.
    caught_up: bool = False

    @property
    def watermark(self) -> Watermark:
        """The watermark after this decision."""
        return self.schedule.watermark_at(self.minute)


class SkippedFires(Value, kw_only=True):
    """`count` fires, from `first` to `last`, do not become runs."""

    schedule: Schedule
    reason: SkipReason
    count: int
    first: str
    last: str
    #: The definition that these fires were due under; None: the present one.
    under: Watermark | None = None

    @property
    def minute(self) -> str:
        """The minute of the record: that of the last fire."""
        return self.last

    @property
    def watermark(self) -> Watermark:
        """The watermark after this decision."""
        if self.under is None:
            return replace(self.schedule.watermark_at(self.last), enabled=True)
        return replace(self.under, minute=self.last)


class WatermarkMoved(Value, kw_only=True):
    """Only the watermark changes: the schedule is new, was edited, or was enabled or disabled."""

    schedule: Schedule
    watermark: Watermark

    @property
    def minute(self) -> str:
        """The minute of the record."""
        return self.watermark.minute


Decision = DueFire | SkippedFires | WatermarkMoved
