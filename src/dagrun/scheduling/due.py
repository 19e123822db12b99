"""Decides which fires are due and what becomes of missed ones: pure, no clock, no I/O.

The owner of a schedule's fires is its claim file. So a tick does this:

    for schedule in fire_queue.due(now):        # almost always none
        with its claim file locked:
            decisions = decide(schedule, the watermark in the last line of the file, now)
            append each decision in order, with a run_id if it is `DueFire`

`decide` reads the watermark from the file under its lock, never from memory: so any number of schedulers can share a store.
Decisions are in the order of their minutes, and each has a complete watermark, so a file that ends after any of them is valid.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping
from heapq import heapify, heappop, heapreplace
from itertools import islice

from dagrun.scheduling.cron import parse
from dagrun.scheduling.schedule import (
    Catchup,
    Decision,
    DueFire,
    Schedule,
    SkippedFires,
    SkipReason,
    Watermark,
    WatermarkMoved,
    minute_number,
    minute_text,
)
from dagrun.scheduling.timetable import Timetable
from dagrun.scheduling.timezones import zone
from dagrun.value import replace


def decide(
    schedule: Schedule, watermark: Watermark | None, now: float, most: int | None = None
) -> list[Decision]:
    """The decisions to record for a schedule at `now`, oldest first. `watermark` None: the schedule is new.

    A fire is on time during its own minute; after that it was missed. A fire that is on time is decided independently of
    those before it. Fires that were due under a former definition are recorded, and never made up for. Counting missed fires
    costs one step for each day that passed; with `catchup: all` there is a decision for each fire within the window. With
    `most` at most so many are returned; the next call returns the rest.
    """
    this = int(now // 60)
    decisions: list[Decision] = []
    known = this - 1 if watermark is None else minute_number(watermark.minute)
    if watermark is not None and not watermark.is_removed and known < this - 1:
        decisions += islice(_passed(schedule, watermark, known + 1, this, now), most)
        if len(decisions) == most:
            return decisions
    then = decisions[-1].watermark if decisions else watermark
    present = schedule.watermark_at(minute_text(max(known, this - 1)))
    if then is None or not _continues(then, present):
        decisions.append(WatermarkMoved(schedule=schedule, watermark=present))
    if schedule.enabled and known < this and schedule.timetable.first(this) == this:
        decisions.append(_now(schedule, this))
    return decisions


def retire(schedule: Schedule, watermark: Watermark, now: float) -> list[Decision]:
    """The decisions to record for a schedule that was removed: from now on, none of its fires is due.

    The fires that were skipped while it was disabled are recorded first.
    """
    if watermark.is_removed:
        return []
    before = int(now // 60)
    known = minute_number(watermark.minute)
    decisions: list[Decision] = []
    if not watermark.enabled and (as_it_was := _as_it_was(schedule, watermark)) is not None:
        decisions += _skips(as_it_was, SkipReason.DISABLED, known + 1, before, watermark)
    removed = replace(watermark, minute=minute_text(max(known, before - 1)), is_removed=True)
    return [*decisions, WatermarkMoved(schedule=schedule, watermark=removed)]


def parse_timing(timing: str) -> tuple[Timetable, int | None, int | None] | None:
    """The timetable and the bounds in a `Schedule.timing`; None if it cannot be parsed."""
    cron, name, start, end = [*timing.split("|"), "", "", ""][:4]
    try:
        return (
            Timetable(parse(cron), zone(name or "UTC")), int(start) if start else None, int(end) if end else None
        )  # fmt: skip
    except ValueError:
        return None


def _continues(watermark: Watermark, present: Watermark) -> bool:
    """Whether a watermark was recorded under the present definition."""
    is_known = bool(watermark.timing)
    same = (watermark.timing, watermark.fingerprint) == (present.timing, present.fingerprint)
    return not watermark.is_removed and watermark.enabled == present.enabled and (same or not is_known)


def _as_it_was(schedule: Schedule, watermark: Watermark) -> Schedule | None:
    """The schedule with the timing that its watermark records; None if that cannot be parsed."""
    if watermark.timing in ("", schedule.timing):
        return schedule
    then = parse_timing(watermark.timing)
    if then is None:
        return None
    timetable, start, end = then
    return dataclasses.replace(schedule, timetable=timetable, start=start, end=end)


def decide_minute(schedule: Schedule, minute: str) -> DueFire | SkippedFires | None:
    """The decision for one minute, independent of the watermark (`--at`, `backfill`); None if the schedule does not fire then.

    It is a skip if the schedule is disabled, or the minute is out of its bounds.
    """
    number = minute_number(minute)
    if schedule.timetable.first(number) != number:
        return None
    if not schedule.enabled:
        return SkippedFires(schedule=schedule, reason=SkipReason.DISABLED, count=1, first=minute, last=minute)
    return _now(schedule, number)


def _now(schedule: Schedule, minute: int) -> DueFire | SkippedFires:
    """A fire that is on time."""
    if _is_within(schedule, minute):
        return _due(schedule, minute)
    text = minute_text(minute)
    return SkippedFires(schedule=schedule, reason=SkipReason.OUT_OF_BOUNDS, count=1, first=text, last=text)


def _passed(
    schedule: Schedule, watermark: Watermark, first: int, before: int, now: float
) -> Iterator[Decision]:
    """Decisions for a time in which no scheduler was running, under the definition that was in force."""
    is_same = _continues(
        replace(watermark, enabled=schedule.enabled), schedule.watermark_at(watermark.minute)
    )
    under = replace(schedule.watermark_at(watermark.minute) if is_same else watermark, enabled=True)
    then = _as_it_was(schedule, watermark)
    if then is None:
        return
    if not watermark.enabled:
        if schedule.enabled or not is_same:  # else it still is disabled: recorded when it is enabled
            yield from _skips(then, SkipReason.DISABLED, first, before, under if is_same else watermark)
        return
    begin = first if then.start is None else min(max(first, then.start), before)
    end = before if then.end is None else max(min(before, then.end + 1), begin)
    yield from _skips(then, SkipReason.OUT_OF_BOUNDS, first, begin, under)
    yield from _missed(then, begin, end, now, under, is_same=is_same)
    yield from _skips(then, SkipReason.OUT_OF_BOUNDS, end, before, under)


def _missed(
    schedule: Schedule, first: int, before: int, now: float, under: Watermark, *, is_same: bool
) -> Iterator[Decision]:
    """Decisions for fires that should have become runs."""
    caught_up = before  # the first minute that is made up for
    if is_same and schedule.enabled and schedule.catchup is not Catchup.NONE:
        oldest = math.ceil((now - schedule.catchup_window) / 60)
        if schedule.catchup is Catchup.ALL:
            caught_up = min(max(first, oldest), before)
        elif (latest := schedule.timetable.last(before)) is not None and latest >= max(first, oldest):
            caught_up = latest
    yield from _skips(schedule, SkipReason.MISSED, first, caught_up, under)
    while (minute := schedule.timetable.first(caught_up)) is not None and minute < before:
        yield _due(schedule, minute, caught_up=True)
        caught_up = minute + 1


def _skips(
    schedule: Schedule, reason: SkipReason, first: int, before: int, under: Watermark
) -> Iterator[SkippedFires]:
    """One record for all fires between two minutes, if there are any."""
    table = schedule.timetable
    begin = table.first(first) if first < before else None
    if begin is None or begin >= before:
        return
    last = table.last(before)
    assert last is not None  # there is one: `begin`
    yield SkippedFires(
        schedule=schedule, reason=reason, count=table.count(begin, before),
        first=minute_text(begin), last=minute_text(last), under=under,
    )  # fmt: skip


def _due(schedule: Schedule, minute: int, *, caught_up: bool = False) -> DueFire:
    return DueFire(
        schedule=schedule, minute=minute_text(minute), start=schedule.start_of(minute), caught_up=caught_up
    )


def _is_within(schedule: Schedule, minute: int) -> bool:
    return (schedule.start is None or minute >= schedule.start) and (
        schedule.end is None or minute <= schedule.end
    )


class FireQueue:
    """Schedules in the order of their next fires. A tick at which none is due costs one comparison, however many there are.

    It holds no watermarks: after a restart, a reload or a jump of the clock, `decide` and the claim file prevent that a
    minute is fired twice.
    """

    def __init__(self, schedules: Iterable[Schedule] = ()) -> None:
        self._schedules: dict[str, Schedule] = {}
        #: When to look at which schedule: moment and id. A disabled schedule leaves it after one look.
        self._heap: list[tuple[float, str]] = []
        self.replace(schedules)

    @property
    def schedules(self) -> Mapping[str, Schedule]:
        """The schedules by id, in the order they were given."""
        return self._schedules

    def replace(self, schedules: Iterable[Schedule]) -> None:
        """Serve these from now on. New and changed ones are looked at in the next tick."""
        fresh = {schedule.id: schedule for schedule in schedules}
        same = {name for name, schedule in fresh.items() if self._schedules.get(name) == schedule}
        self._heap = [entry for entry in self._heap if entry[1] in same]
        self._heap += [(-math.inf, name) for name in fresh if name not in same]
        heapify(self._heap)
        self._schedules = fresh

    def due(self, now: float) -> list[Schedule]:
        """The schedules to look at now, in the order of their moments; each gets its next moment."""
        found = []
        heap = self._heap
        while heap and heap[0][0] <= now:
            schedule = self._schedules[heap[0][1]]
            found.append(schedule)
            moment = schedule.timetable.next_after(now) if schedule.enabled else None
            if moment is None:
                heappop(heap)
            else:
                heapreplace(heap, (moment, schedule.id))
        return found

    def look_at_all(self) -> None:
        """Look at every schedule in the next tick, since the clock was put back."""
        self._heap = [(-math.inf, name) for name in self._schedules]

    def look_again(self, schedule_id: str) -> None:
        """Look at a schedule in the next tick too: its claim could not be written, or there are more fires to claim."""
        if schedule_id in self._schedules:
            self._heap = [entry for entry in self._heap if entry[1] != schedule_id]
            self._heap.append((-math.inf, schedule_id))
            heapify(self._heap)

    def next_at(self) -> float | None:
        """The moment of the next look; -inf: at once; None: never."""
        return self._heap[0][0] if self._heap else None
