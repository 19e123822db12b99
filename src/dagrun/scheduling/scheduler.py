"""The scheduler: a loop that only sleeps and asks. What is due is decided in `due`, settled in `firing`, run by the `crew`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from dagrun.documents.yaml import render
from dagrun.errors import DagrunError, RecordError, UsageError
from dagrun.scheduling.due import DECISIONS_PER_LOOK, FireQueue
from dagrun.scheduling.enqueuer import Enqueuer, Record, RecordsOf, Report
from dagrun.scheduling.known_schedules import KnownSchedules
from dagrun.scheduling.open_runs import OpenRun
from dagrun.scheduling.record_buffer import RecordBuffer
from dagrun.scheduling.run_control import RunControl, RunPhase
from dagrun.scheduling.run_queue import RunQueue, StartedRuns
from dagrun.scheduling.schedule import minute_text
from dagrun.scheduling.schedule_files import Loaded
from dagrun.scheduling.scheduler_lock import SchedulerLock

RELOAD_INTERVAL = 5.0  # seconds between two looks at the directory and at other schedulers
STALE_FILE_AGE = 3600.0  # seconds after which nobody is still writing a file
CLOCK_TOLERANCE = 1.0  # seconds that a clock may be put back without a word
NEVER = float("-inf")


class ScheduleLoader(Protocol):
    """Where schedules come from."""

    def changed(self) -> bool:
        """Whether `load` might say something else than last time."""
        ...

    def load(self) -> Loaded:
        """All schedules and findings. Raises UsageError when the directory is not there."""
        ...


class SchedulerSignals(Protocol):
    """What wakes a scheduler."""

    #: How often it was asked to stop, and to read the schedules again.
    stops: int
    reloads: int

    def wait(self, seconds: float) -> None:
        """Return after so long, or as soon as a run has ended or somebody wants an end."""
        ...


class Scheduler:
    """One scheduler of a store. Any number of them, in any number of processes, fire every minute once."""

    def __init__(
        self, files: ScheduleLoader, directory: Path, runs: RunControl, record: Record, report: Report, now: Callable[[], float],
        signals: SchedulerSignals, *, limit: int = 3, tick: float = 1.0, grace: float = 30.0, home: str = "",
        records_of: RecordsOf = lambda _: (), notify: Record = lambda _: None,
    ) -> None:  # fmt: skip
        self.files = files
        self.now = now
        self.signals = signals
        self.tick = tick
        self.grace = grace
        self.report = report
        self.runs = runs
        self.lock = SchedulerLock(directory / ".alive", now())
        self.records = RecordBuffer(record, report, now, notify)
        self.enqueuer = Enqueuer(directory, self.lock, runs, self.records.record, report, records_of, home)
        self.queue = RunQueue(self.enqueuer, runs, limit)
        self.enqueuer.open_runs.tidy(now() - STALE_FILE_AGE)
        self.fire_queue = FireQueue()
        self.known = KnownSchedules(directory, home)
        self._told: frozenset[str] = frozenset()
        self._broken: frozenset[str] = frozenset()
        self._is_loaded = False
        self._gone = ""
        self._left: set[str] = set()
        self._looked = NEVER
        self._time = now()
        self._reloads = signals.reloads
        self._trouble = ""

    def close(self) -> None:
        """Let go of everything; what is still in hand is left to other schedulers."""
        self.lock.release()

    # --- the two ways of life ------------------------------------------------------------------------------

    def once(self, now: float, minute: str | None = None) -> StartedRuns:
        """One tick for a moment, or for a minute that somebody named; then everything that it started to its end."""
        self.queue.tally = tally = StartedRuns()
        self._sweep(resume=False)
        self._drop_those_without_a_schedule()
        if minute is None:
            self._take_due(now, None)
        else:
            for schedule in list(self.fire_queue.schedules.values()):
                self._add(self.enqueuer.take_minute(schedule, minute, now))
        self.queue.poll(self.now())
        while not self.queue.is_idle and not self.signals.stops:
            self.signals.wait(self.tick)
            self.queue.poll(self.now())
        self._wind_up()
        self.enqueuer.failed += not self.records.is_empty
        return tally

    def serve(self) -> None:
        """A tick every `tick` seconds until somebody wants an end. Whatever fails meanwhile is reported, and tried again."""
        swept = False
        self._looked = self.now()
        while not self.signals.stops:
            try:
                if not swept:
                    self._sweep(resume=True)
                    self._drop_those_without_a_schedule()
                    swept = True
                self.turn()
                self._trouble = ""
            except (DagrunError, OSError) as error:
                if self._trouble != str(error):
                    self.report(f"Error: {error}")
                self._trouble = str(error)
            self.signals.wait(self.tick)
        self._wind_up()

    def turn(self) -> None:
        """One tick."""
        now = self.now()
        self._watch_the_clock(now)
        self.records.flush()
        if not 0 <= now - self._looked < RELOAD_INTERVAL or self.signals.reloads != self._reloads:
            self._looked = now
            self.reload()
            try:
                self._sweep(resume=False)
            except (OSError, DagrunError) as error:  # what others have left can wait
                self.report(f"Error: cannot see what other schedulers have left: {error}")
            self._drop_those_without_a_schedule()
        self._take_due(now)
        self.queue.poll(now)

    def _watch_the_clock(self, now: float) -> None:
        """Report a clock that was put back, and look at every schedule anew."""
        before, self._time = self._time, now
        if now >= before - CLOCK_TOLERANCE:
            return
        self.fire_queue.replan()
        self.report(
            f"Warning: the clock went back from {_utc(before)} to {_utc(now)}: no minute is fired twice, so a schedule fires"
            f" next in its first minute after {minute_text(int(before // 60))} UTC (`dagrun schedules` shows it,"
            " `dagrun schedules reset ID` moves that back to now)"
        )

    def _take_due(self, now: float, most: int | None = DECISIONS_PER_LOOK) -> None:
        for schedule in self.fire_queue.due(now):
            self._add(self.enqueuer.take(schedule, now, self.fire_queue.again, most))

    def _add(self, runs: Iterable[OpenRun]) -> None:
        for run in runs:
            self.queue.add(run)

    def _wind_up(self) -> None:
        """No new runs; those that run get a grace, and then they are left interrupted. A second wish ends it at once."""
        until = self.now() + self.grace
        wishes = self.signals.stops
        if self.queue.own:
            self.report(f"Stopping: {len(self.queue.own)} running, at most {self.grace:g}s more")
        while self.queue.own and self.now() < until and self.signals.stops == wishes:
            self.signals.wait(min(self.tick, max(0.0, until - self.now())))
            self.queue.poll(self.now(), starting=False)
        self.queue.kill()

    # --- the directory -------------------------------------------------------------------------------------

    def load(self) -> Loaded:
        """Read the schedules. Raises UsageError when the directory is not there."""
        loaded = self.files.load()
        self._retire({schedule.id for schedule in loaded.schedules})
        self.fire_queue.replace(loaded.schedules)
        self._broken = frozenset(
            finding.place.path for finding, _ in loaded.findings if finding.level == "error"
        )
        self._is_loaded = True
        told = [render(finding, source) for finding, source in loaded.findings]
        for text in told:
            if text not in self._told:
                self.report(text)
        self._told = frozenset(told)
        return loaded

    def _retire(self, present: set[str]) -> None:
        """Record which schedules are no longer there, so that none makes up for that time when it comes back."""
        former, kept = self.fire_queue.schedules, set(present)
        for name in sorted((self.known.names() | former.keys()) - present):
            try:
                self.enqueuer.retire(name, former.get(name), self.now())
            except RecordError as error:  # the next look tries again
                self.report(f"Error: {error.message}")
                kept.add(name)
        try:
            self.known.write(kept)
        except RecordError as error:
            self.report(f"Error: {error.message}")

    def _drop_those_without_a_schedule(self) -> None:
        """Runs that have not begun are dropped when their schedule is removed or disabled."""

        def reason(run: OpenRun) -> tuple[str, str] | None:
            schedule = self.fire_queue.schedules.get(run.schedule_id)
            if run.home != self.enqueuer.home or not self._is_loaded:  # of another directory
                return None
            if schedule is None and run.file not in self._broken:
                return "Removed", "its schedule was removed before it began"
            if schedule is not None and not schedule.enabled:
                return "Disabled", "its schedule was disabled before it began"
            return None

        self.queue.drop(reason)

    def reload(self) -> None:
        """Take up what has changed. A directory that has vanished is told of once; its schedules go on as they were."""
        asked, self._reloads = self.signals.reloads != self._reloads, self.signals.reloads
        try:
            if asked or self.files.changed():
                self.load()
                if self._gone:
                    self.report("The schedules are there again")
                self._gone = ""
        except UsageError as error:
            if self._gone != error.message:
                self.report(f"Error: {error.message}; its schedules go on as they were")
            self._gone = error.message

    # --- what others have left -----------------------------------------------------------------------------

    def _sweep(self, *, resume: bool) -> None:
        """Take over the runs of schedulers that have died; `resume`: those too that were interrupted."""
        orphans: dict[str, list[str]] = {name: [] for name in self.lock.dead_schedulers()}
        for run in self.enqueuer.open_runs.all():
            if run.run_id not in self.queue and (resume or run.run_id not in self._left):
                orphans.setdefault(run.by, []).append(run.run_id)
        for name, run_ids in orphans.items():
            if name == self.lock.name or (run_ids and self.lock.is_alive(name)):
                continue
            with self.lock.taking_over(name) as is_heir:
                for run_id in run_ids if is_heir else ():
                    open_run = self.enqueuer.open_runs.get(run_id)
                    if open_run is not None and open_run.by == name:
                        self._inherit(open_run, resume=resume)

    def _inherit(self, run: OpenRun, *, resume: bool) -> None:
        phase = self.runs.phase(run.run_id)
        if phase is RunPhase.ENDED:
            self.queue.inherit(run)
        elif phase is RunPhase.NOT_STARTED:
            claim = self.enqueuer.claims.find(run.schedule_id, run.minute)
            if claim is None or claim.run_id != run.run_id:
                self.enqueuer.open_runs.drop(run.run_id)
            else:
                self._take_over(replace(run, again=False), phase)
        elif phase is RunPhase.LIVE and self.queue.tally is None:
            self._take_over(run, phase)
        elif phase is RunPhase.INTERRUPTED and run.trigger == "rerun":  # nobody but its user resumes it
            self.enqueuer.open_runs.drop(run.run_id)
        elif phase is RunPhase.INTERRUPTED and resume:
            self._take_up(run)
        else:
            self._left.add(run.run_id)

    def _take_up(self, run: OpenRun) -> None:
        """Resume an interrupted run, once those of its schedule that are at work have ended; or say why not."""
        schedule = self.fire_queue.schedules.get(run.schedule_id)
        if schedule is not None:
            run = replace(run, resume_window=schedule.resume_window)
        if why := self.enqueuer.why_not_resumed(run, self.now()):
            self.queue.leave(run, why)
            return
        after = () if run.parallel else tuple(self.enqueuer.live(run.schedule_id, run.run_id))
        self._take_over(replace(run, again=True, after=after, replaces=False), RunPhase.INTERRUPTED)

    def _take_over(self, run: OpenRun, phase: RunPhase) -> None:
        run = replace(run, by=self.lock.name)
        try:
            self.enqueuer.open_runs.put(run)
        except RecordError as error:
            self.report(f"Error: {error.message}")
            return
        if phase is RunPhase.LIVE:
            self.queue.watch(run)
        else:
            self.queue.add(run)


def _utc(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(moment))
