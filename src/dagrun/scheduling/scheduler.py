"""The scheduler: a loop that looks, once per tick, what is due and what has changed.

FireQueue.due    which schedules to look at now
Enqueuer.take    decides which of their fires become runs, and claims them
RunQueue.poll    starts queued runs and records how they end
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from dagrun.documents.yaml import render
from dagrun.errors import DagrunError, RecordError, UsageError
from dagrun.scheduling.due import FireQueue
from dagrun.scheduling.enqueuer import Enqueuer, Record, RecordsOf, Report
from dagrun.scheduling.hook_processes import NoHooks, SchedulerHooks
from dagrun.scheduling.known_schedules import KnownSchedules
from dagrun.scheduling.open_runs import OpenRun
from dagrun.scheduling.record_buffer import RecordBuffer
from dagrun.scheduling.run_control import RunControl, RunPhase
from dagrun.scheduling.run_queue import RunQueue, StartedRuns
from dagrun.scheduling.schedule import minute_text
from dagrun.scheduling.schedule_files import Loaded
from dagrun.scheduling.scheduler_lock import SchedulerLock
from dagrun.value import replace

RELOAD_INTERVAL = 5.0  # seconds between two looks for changed schedules and dead schedulers
STALE_FILE_AGE = 3600.0  # seconds after which a half-written file was left by a crash
CLOCK_TOLERANCE = 1.0  # seconds that the clock may be put back without a warning
NEVER = float("-inf")


class ScheduleLoader(Protocol):
    """Where schedules come from."""

    def changed(self) -> bool:
        """Whether `load` may return something else than last time."""
        ...

    def load(self) -> Loaded:
        """All schedules and findings. Raises UsageError if there is no directory."""
        ...


class SchedulerSignals(Protocol):
    """Requests to a scheduler from outside, which also end its sleep."""

    #: How many requests there were to stop, and to read the schedules again.
    stops: int
    reloads: int

    def wait(self, seconds: float) -> None:
        """Sleep for so long, or until a run ends or a request arrives."""
        ...


class Scheduler:
    """One scheduler. Any number of them, in any number of processes, may share a store: each minute is fired once."""

    def __init__(
        self, files: ScheduleLoader, directory: Path, runs: RunControl, record: Record, report: Report, now: Callable[[], float],
        signals: SchedulerSignals, *, limit: int = 3, tick: float = 1.0, grace: float = 30.0, home: str = "",
        records_of: RecordsOf = lambda _: (), notify: Record = lambda _: None,
        hooks: SchedulerHooks | None = None,
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
        self.hooks = hooks or NoHooks()
        self.enqueuer = Enqueuer(
            directory, self.lock, runs, self.records.record, report, records_of, home, self.hooks
        )
        self.queue = RunQueue(self.enqueuer, runs, limit)
        self.enqueuer.open_runs.tidy(now() - STALE_FILE_AGE)
        self.fire_queue = FireQueue()
        self.known = KnownSchedules(directory, home)
        self._reported: frozenset[str] = frozenset()
        self._broken: frozenset[str] = frozenset()
        self._is_loaded = False
        self._missing = ""
        self._left_interrupted: set[str] = set()
        self._reloaded_at = NEVER
        self._last_tick = now()
        self._reloads = signals.reloads
        self._problem = ""

    def close(self) -> None:
        """Release the lock of this scheduler: others take over the runs that are still open."""
        self.lock.release()

    # --- once, and serving ---------------------------------------------------------------------------------

    def once(self, now: float, minute: str | None = None) -> StartedRuns:
        """One tick for a moment, or for a minute that the user named; then wait until all that it started has ended."""
        self.queue.results = results = StartedRuns()
        self.adopt_orphans(resume=False)
        self._drop_unscheduled()
        has_more = False
        if minute is None:
            has_more = self._take_due(now, retry=False)
        else:
            for schedule in list(self.fire_queue.schedules.values()):
                self._add(self.enqueuer.take_minute(schedule, minute, now))
        self.queue.poll(self.now())
        while (has_more or not self.queue.is_idle or self.hooks.poll()) and not self.signals.stops:
            self.signals.wait(self.tick)
            has_more = has_more and self._take_due(now, retry=False)
            self.queue.poll(self.now())
        self._wind_up()
        self.enqueuer.failed += not self.records.is_empty
        return results

    def serve(self) -> None:
        """A tick every `tick` seconds until there is a request to stop. Failures are reported and retried."""
        swept = False
        self._reloaded_at = self.now()
        while not self.signals.stops:
            try:
                if not swept:
                    self.adopt_orphans(resume=True)
                    self._drop_unscheduled()
                    swept = True
                self.turn()
                self._problem = ""
            except (DagrunError, OSError) as error:
                if self._problem != str(error):
                    self.report(f"Error: {error}")
                self._problem = str(error)
            self.signals.wait(self.tick)
        self._wind_up()

    def turn(self) -> None:
        """One tick."""
        now = self.now()
        self._check_clock(now)
        self.records.flush()
        if not 0 <= now - self._reloaded_at < RELOAD_INTERVAL or self.signals.reloads != self._reloads:
            self._reloaded_at = now
            self.reload()
            try:
                self.adopt_orphans(resume=False)
            except (OSError, DagrunError) as error:  # this can wait
                self.report(f"Error: cannot take over the runs of dead schedulers: {error}")
            self._drop_unscheduled()
        self._take_due(now)
        self.queue.poll(now)
        self.hooks.poll()

    def _check_clock(self, now: float) -> None:
        """Warn if the clock was put back, and look at every schedule again."""
        before, self._last_tick = self._last_tick, now
        if now >= before - CLOCK_TOLERANCE:
            return
        self.fire_queue.look_at_all()
        self.report(
            f"Warning: the clock went back from {_utc(before)} to {_utc(now)}: no minute is fired twice, so a schedule fires"
            f" next in its first minute after {minute_text(int(before // 60))} UTC (`dagrun schedules` shows it,"
            " `dagrun schedules reset ID` moves that back to now)"
        )

    def _take_due(self, now: float, *, retry: bool = True) -> bool:
        """Claim what is due. Returns whether there are more fires of the past, which a later call claims."""
        has_more = False
        for schedule in self.fire_queue.due(now):
            taken = self.enqueuer.take(schedule, now)
            self._add(taken.runs)
            if taken.has_more or taken.is_full or (retry and taken.has_failed):
                self.fire_queue.look_again(schedule.id)
            has_more |= taken.has_more or (taken.is_full and not self.queue.is_idle)
        return has_more

    def _add(self, runs: Iterable[OpenRun]) -> None:
        for run in runs:
            self.queue.add(run)

    def _wind_up(self) -> None:
        """Start no new runs, give running ones a grace period, then kill them: they are interrupted. A second request kills at once."""
        until = self.now() + self.grace
        requests = self.signals.stops
        if self.queue.own:
            self.report(f"Stopping: {len(self.queue.own)} running, at most {self.grace:g}s more")
        while self.queue.own and self.now() < until and self.signals.stops == requests:
            self.signals.wait(min(self.tick, max(0.0, until - self.now())))
            self.queue.poll(self.now(), starting=False)
        self.queue.kill()

    # --- the directory -------------------------------------------------------------------------------------

    def load(self) -> Loaded:
        """Read the schedules. Raises UsageError if there is no directory."""
        loaded = self.files.load()
        self._retire({schedule.id for schedule in loaded.schedules})
        self.fire_queue.replace(loaded.schedules)
        self._broken = frozenset(
            finding.place.path for finding, _ in loaded.findings if finding.level == "error"
        )
        self._is_loaded = True
        findings = [render(finding, source) for finding, source in loaded.findings]
        for text in findings:
            if text not in self._reported:
                self.report(text)
        self._reported = frozenset(findings)
        return loaded

    def _retire(self, present: set[str]) -> None:
        """Record which schedules were removed, so that none of them makes up for that time if it is added again."""
        former, kept = self.fire_queue.schedules, set(present)
        for name in sorted((self.known.ids() | former.keys()) - present):
            try:
                self.enqueuer.retire(name, former.get(name), self.now())
            except DagrunError as error:  # the next look retries
                self.report(f"Error: {error.message}")
                kept.add(name)
        try:
            self.known.write(kept)
        except RecordError as error:
            self.report(f"Error: {error.message}")

    def _drop_unscheduled(self) -> None:
        """Drop queued runs whose schedule was removed or disabled."""

        def reason(run: OpenRun) -> tuple[str, str] | None:
            schedule = self.fire_queue.schedules.get(run.schedule_id)
            if run.home != self.enqueuer.home or not self._is_loaded:  # its schedule is in another directory
                return None
            if schedule is None and run.file not in self._broken:
                return "Removed", "its schedule was removed before it started"
            if schedule is not None and not schedule.enabled:
                return "Disabled", "its schedule was disabled before it started"
            return None

        self.queue.drop(reason)

    def reload(self) -> None:
        """Read the schedules if they changed. A missing directory is reported once; its schedules stay in force."""
        asked, self._reloads = self.signals.reloads != self._reloads, self.signals.reloads
        try:
            if asked or self.files.changed():
                self.load()
                if self._missing:
                    self.report("The directory of schedules is there again")
                self._missing = ""
        except UsageError as error:
            if self._missing != error.message:
                self.report(f"Error: {error.message}; its last known schedules stay in force")
            self._missing = error.message

    # --- the runs of dead schedulers -----------------------------------------------------------------------

    def adopt_orphans(self, *, resume: bool) -> None:
        """Take over the runs of dead schedulers; with `resume` also resume those that were interrupted."""
        orphans: dict[str, list[str]] = {name: [] for name in self.lock.dead_schedulers()}
        for run in self.enqueuer.open_runs.all():
            if run.run_id not in self.queue and (resume or run.run_id not in self._left_interrupted):
                orphans.setdefault(run.by, []).append(run.run_id)
        for name, run_ids in orphans.items():
            if name == self.lock.name or (run_ids and self.lock.is_alive(name)):
                continue
            with self.lock.taking_over(name) as is_ours:
                for run_id in run_ids if is_ours else ():
                    open_run = self.enqueuer.open_runs.get(run_id)
                    if open_run is not None and open_run.by == name:
                        self._take_over(open_run, resume=resume)

    def _take_over(self, run: OpenRun, *, resume: bool) -> None:
        phase = self.runs.phase(run.run_id)
        if phase is RunPhase.ENDED:
            self.queue.record_end(run)
        elif phase is RunPhase.NOT_STARTED:
            claim = self.enqueuer.claims.find(run.schedule_id, run.minute)
            if claim is None or claim.run_id != run.run_id:
                self.enqueuer.open_runs.drop(run.run_id)
            else:
                self._adopt(replace(run, again=False), phase)
        elif phase is RunPhase.LIVE and self.queue.results is None:
            self._adopt(run, phase)
        elif phase is RunPhase.DECIDED or (phase is RunPhase.WAITING and self.queue.results is None):
            self._adopt(replace(run, again=True, after=(), replaces=False), phase)
        elif phase is RunPhase.INTERRUPTED and run.trigger == "rerun":  # only its user resumes it
            self.enqueuer.open_runs.drop(run.run_id)
        elif phase is RunPhase.INTERRUPTED and resume:
            self._resume(run)
        else:
            self._left_interrupted.add(run.run_id)

    def _resume(self, run: OpenRun) -> None:
        """Queue an interrupted run to be resumed after the running ones of its schedule; or report why it is not resumed."""
        schedule = self.fire_queue.schedules.get(run.schedule_id)
        if schedule is not None:
            run = replace(run, resume_window=schedule.resume_window)
        run = self.queue.report_interrupted(run)
        if why := self.enqueuer.why_not_resumed(run, self.now()):
            self.queue.leave(run, why)
            return
        after = () if run.parallel else tuple(self.enqueuer.live(run.schedule_id, run.run_id))
        self._adopt(replace(run, again=True, after=after, replaces=False), RunPhase.INTERRUPTED)

    def _adopt(self, run: OpenRun, phase: RunPhase) -> None:
        """Look after a run from now on."""
        run = replace(run, by=self.lock.name)
        try:
            self.enqueuer.open_runs.put(run)
        except RecordError as error:
            self.report(f"Error: {error.message}")
            return
        if phase is RunPhase.LIVE:
            self.queue.watch(run)
        elif phase is RunPhase.WAITING:
            self.queue.pause(run)
        else:
            self.queue.add(run)


def _utc(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(moment))
