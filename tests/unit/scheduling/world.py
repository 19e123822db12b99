"""A world of runs for schedulers: time moves when they wait, runs take as long as their DAG's name says, nothing is a process."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dagrun.errors import UsageError
from dagrun.scheduling.cron import parse
from dagrun.scheduling.enqueuer import Enqueuer
from dagrun.scheduling.open_runs import OpenRun
from dagrun.scheduling.run_control import DagInfo, DagProblem, RunEnding, RunHandle, RunPhase
from dagrun.scheduling.run_queue import RunQueue, StartedRuns
from dagrun.scheduling.schedule import Schedule, minute_number
from dagrun.scheduling.schedule_files import Loaded
from dagrun.scheduling.scheduler import Scheduler
from dagrun.scheduling.scheduler_lock import SchedulerLock
from dagrun.scheduling.timetable import Timetable
from dagrun.scheduling.timezones import zone
from dagrun.storage import lock

START = minute_number("2026-11-20 12:00") * 60.0


def schedule(schedule_id: str = "job", cron: str = "*/10 * * * *", **more: Any) -> Schedule:
    """A schedule; its DAG is how many seconds its runs take."""
    return Schedule(id=schedule_id, timetable=Timetable(parse(cron), zone("UTC")), **{"dag": "30", **more})


class Shelf:
    """Schedules that a test puts there and takes away; None: the directory is gone."""

    def __init__(self, *schedules: Schedule) -> None:
        self.schedules: tuple[Schedule, ...] | None = schedules
        self._loaded: tuple[Schedule, ...] | None = ()

    def changed(self) -> bool:
        return self._loaded != self.schedules

    def load(self) -> Loaded:
        self._loaded = self.schedules
        if self.schedules is None:
            raise UsageError("there is no directory configs/schedules")
        return Loaded(self.schedules, ())


@dataclass
class Run:
    """A run of the world."""

    schedule_id: str
    minute: str
    begun_at: float
    ends_at: float
    status: str = "success"
    is_interrupted: bool = False
    #: Whether somebody has answered what a paused run waits for.
    is_decided: bool = False
    last_event_at: float = 0.0
    resumed: int = 0


@dataclass
class World:
    """What outlives every scheduler: time, and the runs with their ends."""

    now: float = START
    runs: dict[str, Run] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    most_at_once: int = 0

    def clock(self) -> float:
        return self.now

    def dag(self, schedule: Schedule) -> DagInfo:
        if not schedule.dag.isdigit():
            raise DagProblem("MissingDag", f"DAG '{schedule.dag}' not found")
        return DagInfo("sleeper", "local-dev")

    def start(self, run: OpenRun, *, again: bool = False) -> RunHandle:
        known = self.runs.get(run.run_id)
        assert (known is not None) == again, "a run begins once"
        if known is None:
            self.runs[run.run_id] = Run(run.schedule_id, run.minute, self.now, self.now + int(run.dag))
        else:
            known.is_interrupted, known.status = False, "success"
            known.resumed, known.ends_at = known.resumed + 1, self.now + int(run.dag)
        self.most_at_once = max(self.most_at_once, sum(self.is_live(run_id) for run_id in self.runs))
        return Process(self, run.run_id)

    def watch(self, run_id: str) -> RunHandle:
        return Process(self, run_id, own=False)

    def has_started(self, run_id: str) -> bool:
        return run_id in self.runs

    def is_live(self, run_id: str) -> bool:
        run = self.runs.get(run_id)
        return run is not None and not run.is_interrupted and self.now < run.ends_at

    def phase(self, run_id: str) -> RunPhase:
        run = self.runs.get(run_id)
        if run is None:
            return RunPhase.NOT_STARTED
        if self.is_live(run_id):
            return RunPhase.LIVE
        if run.status == "waiting":
            return RunPhase.DECIDED if run.is_decided else RunPhase.WAITING
        return RunPhase.INTERRUPTED if run.is_interrupted else RunPhase.ENDED

    def ending(self, run_id: str) -> RunEnding:
        run = self.runs.get(run_id)
        if run is None:
            return RunEnding("interrupted", error="its records are gone")
        return RunEnding("interrupted" if run.is_interrupted else run.status, run.ends_at - run.begun_at)

    def cancel(self, run_id: str, reason: str) -> bool:
        if not self.is_live(run_id) and self.runs[run_id].status != "waiting":
            return False
        self.cancelled.append(run_id)
        self.runs[run_id].status, self.runs[run_id].ends_at = "cancelled", self.now + 2
        return True

    def last_event_at(self, run_id: str) -> float | None:
        return self.runs[run_id].last_event_at

    def interrupt(self, run_id: str) -> None:
        """The process of a run is killed."""
        self.runs[run_id].is_interrupted = True
        self.runs[run_id].last_event_at = self.now

    def pause(self, run_id: str) -> None:
        """A run ends its stretch, because it waits for a person."""
        self.runs[run_id].status, self.runs[run_id].ends_at = "waiting", self.now

    def decide(self, run_id: str) -> None:
        """Somebody answers, and does not continue the run."""
        self.runs[run_id].is_decided = True

    def minutes(self, schedule_id: str = "job") -> list[str]:
        """The minutes that became runs, in the order of their starts."""
        return [run.minute[-5:] for run in self.runs.values() if run.schedule_id == schedule_id]


class Process:
    """A run of the world, as its scheduler sees it."""

    def __init__(self, world: World, run_id: str, *, own: bool = True) -> None:
        self.own = own
        self._world = world
        self._run_id = run_id

    def has_ended(self) -> bool:
        return not self._world.is_live(self._run_id)

    def kill(self) -> None:
        self._world.interrupt(self._run_id)

    def error(self) -> str:
        return ""


class Bell:
    """Waiting is what moves time; a test may want something done at a moment."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.stops = 0
        self.reloads = 0
        self.at: dict[float, Callable[[], object]] = {}

    def stop_at(self, moment: float) -> None:
        self.at[moment] = self.stop

    def stop(self) -> None:
        self.stops += 1

    def wait(self, seconds: float) -> None:
        self.world.now += seconds
        for moment in sorted(self.at):
            if moment <= self.world.now:
                self.at.pop(moment)()


class Site:
    """A directory with one or more schedulers at work in it."""

    def __init__(self, directory: Path, *schedules: Schedule, world: World | None = None) -> None:
        self.directory = directory
        self.shelf = Shelf(*schedules)
        self.world = world or World()
        self.signals = Bell(self.world)
        self.lines: list[dict[str, Any]] = []
        self.reports: list[str] = []
        self.home = "configs/schedules"

    def scheduler(self, tick: float = 10.0, **more: Any) -> Scheduler:
        made = Scheduler(
            self.shelf, self.directory, self.world, self.record, self.reports.append, self.world.clock, self.signals,
            tick=tick, home=self.home, records_of=self.about, **more,
        )  # fmt: skip
        made.load()
        return made

    def record(self, line: Mapping[str, Any]) -> None:
        self.lines.append(dict(line))

    def about(self, run_id: str) -> list[dict[str, Any]]:
        return [line for line in reversed(self.lines) if line.get("run_id") == run_id]

    def serve(self, minutes: float, **more: Any) -> None:
        """A scheduler that serves for so long and is then asked to stop."""
        scheduler = self.scheduler(**more)
        self.signals.stops = 0
        self.signals.stop_at(self.world.now + minutes * 60)
        scheduler.serve()
        scheduler.close()

    def once(self, minute: str | None = None, **more: Any) -> StartedRuns:
        scheduler = self.scheduler(**more)
        results = scheduler.once(self.world.now, minute)
        scheduler.close()
        return results

    def recorded(self, event: str, *fields: str) -> list[Any]:
        """The lines of one name: those fields of each."""
        found = [line for line in self.lines if line["event"] == event]
        return [
            line[fields[0]] if len(fields) == 1 else tuple(line[name] for name in fields) for line in found
        ]


def die(scheduler: Scheduler) -> None:
    """What `kill -9` leaves of a scheduler: its lock is free, its file is there."""
    lock.release(scheduler.lock.path(scheduler.lock.name))


class Parts:
    """The parts of a scheduler without its loop: an enqueuer and a queue, in a world whose time moves by hand."""

    def __init__(self, directory: Path) -> None:
        self.world = World()
        self.lines: list[dict[str, Any]] = []
        self.reports: list[str] = []
        self.lock = SchedulerLock(directory / ".alive", START)
        self.enqueuer = Enqueuer(
            directory, self.lock, self.world, lambda line: self.lines.append(dict(line)), self.reports.append,
            records_of=lambda run_id: [line for line in reversed(self.lines) if line["run_id"] == run_id],
        )  # fmt: skip
        self.queue = RunQueue(self.enqueuer, self.world, 3, StartedRuns())

    def take(self, one: Schedule, minutes: int = 0) -> list[OpenRun]:
        """The runs of a schedule that are due so many minutes after the start."""
        return self.enqueuer.take(one, START + minutes * 60).runs

    def add(self, run_id: str, schedule_id: str = "job", seconds: int = 30, **more: Any) -> OpenRun:
        """Queue a run that takes so many seconds."""
        run = OpenRun(
            schedule_id=schedule_id, minute="2026-11-20 12:00", run_id=run_id, dag=str(seconds), by=self.lock.name, **more
        )  # fmt: skip
        self.enqueuer.open_runs.put(run)
        self.queue.add(run)
        return run

    def poll(self, seconds: int = 0) -> list[str]:
        """Let time pass and poll the queue. Returns the runs that have ever been started."""
        self.world.now += seconds
        self.queue.poll(self.world.now)
        return list(self.world.runs)

    def recorded(self) -> list[tuple[str, str]]:
        """The events that were recorded about runs."""
        return [(line["event"], line["run_id"]) for line in self.lines]


class BrokenDisk:
    """A disk that fails `errors` times when a claim is to survive a power loss; the rest works."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, errors: int) -> None:
        self.errors = errors
        self._fsync = os.fsync
        monkeypatch.setattr(os, "fsync", self.fsync)

    def fsync(self, fd: int) -> None:
        is_claims = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_APPEND
        if self.errors and is_claims:
            self.errors -= 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._fsync(fd)
