"""The runs that a scheduler looks after: it starts those that are queued, and records when each starts and ends."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from dagrun.core.work import Json
from dagrun.errors import DagrunError, RecordError
from dagrun.scheduling.enqueuer import Enqueuer
from dagrun.scheduling.open_runs import OpenRun
from dagrun.scheduling.run_control import RunControl, RunEnding, RunHandle, RunPhase
from dagrun.value import field, replace

#: Seconds between two looks at the journals of paused runs.
PAUSED_INTERVAL = 5.0


class _ActiveRun(msgspec.Struct):
    """A run that was started. `is_start_recorded`: that is recorded."""

    run: OpenRun
    child: RunHandle
    is_start_recorded: bool = False


class StartedRuns(msgspec.Struct):
    """The ends of the runs that one scheduler started."""

    endings: list[tuple[OpenRun, RunEnding]] = field(default_factory=list)

    @property
    def all_succeeded(self) -> bool:
        """Whether all of them succeeded."""
        return all(ending.is_good for _, ending in self.endings)


class RunQueue:
    """Starts at most `limit` runs at the same time; the others wait. Its memory holds open runs only."""

    def __init__(
        self, enqueuer: Enqueuer, runs: RunControl, limit: int, results: StartedRuns | None = None
    ) -> None:
        self.enqueuer = enqueuer
        self.open_runs = enqueuer.open_runs
        self.runs = runs
        self.limit = limit
        self.record = enqueuer.record
        self.report = enqueuer.report
        #: Grows with every run, so it is kept only where somebody reads it.
        self.results = results
        self._waiting: dict[str, OpenRun] = {}
        self._running: dict[str, _ActiveRun] = {}
        self._paused: dict[str, OpenRun] = {}
        self._paused_checked_at = -PAUSED_INTERVAL
        self._cancelled: set[str] = set()  # runs that were requested to end, so that others can start
        self._problems: dict[str, str] = {}

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._waiting or run_id in self._running or run_id in self._paused

    @property
    def is_idle(self) -> bool:
        """Whether no run is queued or running; paused ones do not count."""
        return not self._waiting and not self._running

    @property
    def own(self) -> list[str]:
        """The ids of the runs that are child processes of this scheduler."""
        return [run_id for run_id, active in self._running.items() if active.child.own]

    def add(self, run: OpenRun) -> None:
        """Queue a run."""
        self._waiting[run.run_id] = run

    def watch(self, run: OpenRun) -> None:
        """Follow a run that another process drives, and record its end."""
        is_start_recorded = self._is_recorded(run, "run_started")
        self._running[run.run_id] = _ActiveRun(run, self.runs.watch(run.run_id), is_start_recorded)

    def pause(self, run: OpenRun) -> None:
        """Look after a run that waits for a person or a signal, and continue it once that has been decided."""
        self._paused[run.run_id] = replace(run, again=True, after=(), replaces=False)

    def drop(self, reason_for: Callable[[OpenRun], tuple[str, str] | None]) -> None:
        """Drop the queued runs for which `reason_for` returns a reason: a word for the record and a sentence."""
        for run in list(self._waiting.values()):
            if not run.again and (why := reason_for(run)) is not None:
                del self._waiting[run.run_id]
                self._skipped(run, *why)
                self._close(run)

    def poll(self, now: float, *, starting: bool = True) -> None:
        """Record what has started and ended, and start what can start. A failure of one run does not stop the others."""
        for active in list(self._running.values()):
            self._try(active.run, partial(self._follow, active))
        for run in list(self._waiting.values()):
            if not run.again:
                self._try(run, partial(self._check_queued, run))
        if starting and not 0 <= now - self._paused_checked_at < PAUSED_INTERVAL:
            self._paused_checked_at = now
            for run in list(self._paused.values()):
                self._try(run, partial(self._check_paused, run))
        if starting and self._waiting:
            self._make_room()
            self._start_some(now)

    def kill(self) -> None:
        """Kill the child processes of this scheduler, with all that they started: their runs are interrupted."""
        for run_id in self.own:
            active = self._running.pop(run_id)
            active.child.kill()
            if self.runs.phase(run_id) is not RunPhase.NOT_STARTED:  # else it stays queued
                self._end(active.run, active.child.error())

    def _try(self, run: OpenRun, step: Callable[[], None]) -> None:
        """Do something for one run. A problem is reported once; the next poll repeats the step."""
        try:
            step()
            self._problems.pop(run.run_id, None)
        except (DagrunError, OSError) as error:
            if self._problems.get(run.run_id) != str(error):
                self._problems[run.run_id] = str(error)
                self.report(f"Error: run {run.run_id} of schedule '{run.schedule_id}': {error}")

    # --- starting ------------------------------------------------------------------------------------------

    def _start_some(self, now: float) -> None:
        for run in list(self._waiting.values()):
            if len(self.own) >= self.limit:
                return
            if run.run_id in self._waiting and run.start <= now:
                self._try(run, partial(self._start, run, now))

    def _is_blocked(self, run: OpenRun) -> bool:
        """Whether a run that it waits for has not ended, or another run of its schedule is running."""
        if any(other in self or self.enqueuer.is_active(other) for other in run.after):
            return True
        if run.parallel:
            return False
        is_running = any(active.run.schedule_id == run.schedule_id for active in self._running.values())
        return is_running or bool(self.enqueuer.live(run.schedule_id, run.run_id))

    def _make_room(self) -> None:
        """Cancel the runs that queued ones replace, each once, as soon as a process drives it."""
        for run in [run for run in self._waiting.values() if run.replaces]:
            for other in run.after:
                if other in self._waiting:
                    self._try(run, partial(self._replace_queued, run, self._waiting[other]))
                elif other not in self._cancelled and self.runs.cancel(other, f"replaced by {run.run_id}"):
                    self._cancelled.add(other)
        self._cancelled &= {other for run in self._waiting.values() for other in run.after}

    def _replace_queued(self, run: OpenRun, other: OpenRun) -> None:
        """Replace a run that is still queued. What it waited for, `run` waits for now."""
        run = self._waiting.get(run.run_id, run)
        after = dict.fromkeys([*other.after, *(each for each in run.after if each != other.run_id)])
        run = replace(run, after=tuple(after))
        self.open_runs.put(run)
        del self._waiting[other.run_id]
        self._waiting[run.run_id] = run
        if other.again:
            self.leave(other, f"it is replaced by {run.run_id}")
            return
        self._skipped(other, "Replaced", f"replaced by {run.run_id} before it started")
        self._close(other)

    def _start(self, run: OpenRun, now: float) -> None:
        """Start or resume a run if nothing blocks it, unless it has ended or was resumed by a user while it was queued."""
        if self._is_blocked(run):
            return
        is_start_recorded = False
        if run.again:
            phase = self.runs.phase(run.run_id)
            why = self.enqueuer.why_not_resumed(run, now) if phase is RunPhase.INTERRUPTED else ""
            if phase not in (RunPhase.INTERRUPTED, RunPhase.DECIDED) or why:
                del self._waiting[run.run_id]
                if why:
                    self.leave(run, why)
                else:
                    self._end(run, "")
                return
            is_start_recorded = self._is_recorded(run, "run_started")
        try:
            child = self.runs.start(run, again=run.again)
        except OSError as error:
            del self._waiting[run.run_id]
            self._not_started(run, f"cannot start a process: {error.strerror}")
            return
        del self._waiting[run.run_id]
        self._running[run.run_id] = _ActiveRun(run, child, is_start_recorded)

    def _check_queued(self, run: OpenRun) -> None:
        """Look whether a user has started, or cancelled, a run that is still queued here."""
        if self.runs.has_started(run.run_id):
            del self._waiting[run.run_id]
            self._end(run, "")

    def _check_paused(self, run: OpenRun) -> None:
        """Look whether a paused run has been decided, continued or ended."""
        phase = self.runs.phase(run.run_id)
        if phase is RunPhase.WAITING:
            return
        if phase is RunPhase.DECIDED:
            self._waiting[run.run_id] = run
        else:  # a user has continued it
            self._end(run, "")
        if self._paused.get(run.run_id) is run:
            del self._paused[run.run_id]

    # --- ending --------------------------------------------------------------------------------------------

    def _follow(self, active: _ActiveRun) -> None:
        run_id, ended = active.run.run_id, active.child.has_ended()
        if not active.is_start_recorded and self.runs.has_started(run_id):
            active.is_start_recorded = True
            self._record("run_started", active.run)
        if ended:
            self._end(active.run, active.child.error())
            if self._running.get(run_id) is active:
                del self._running[run_id]

    def _end(self, run: OpenRun, error: str) -> None:
        match self.runs.phase(run.run_id):
            case RunPhase.NOT_STARTED:
                self._not_started(run, error or "it ended before it started")
            case RunPhase.LIVE:  # another process was faster
                self.watch(run)
            case phase:
                ending = self.runs.ending(run.run_id)
                if phase is RunPhase.INTERRUPTED:  # its error output gives the reason, if there is one
                    ending = replace(ending, error=error or ending.error)
                    run = self.report_interrupted(run)
                self.finished(run, ending, is_over=phase is RunPhase.ENDED)
                if phase in (RunPhase.WAITING, RunPhase.DECIDED):
                    self.pause(run)

    def finished(self, run: OpenRun, ending: RunEnding, *, is_over: bool = True) -> None:
        """Record the end of a run. One that was interrupted or is paused stays open: a scheduler continues it."""
        self._record(
            "run_finished",
            run,
            status=ending.status,
            duration_seconds=ending.duration,
            error=ending.error or None,
        )
        if self.results is not None:
            self.results.endings.append((run, ending))
        if is_over:
            self._close(run)
        elif run.again:
            self._put(replace(run, again=False))

    def record_end(self, run: OpenRun) -> None:
        """Record what is not recorded yet of a run that ended after its scheduler had died."""
        ending = self.runs.ending(run.run_id)
        if not self._is_recorded(run, "run_started"):
            self._record("run_started", run)
        last = next(
            (line for line in self.enqueuer.records_of(run.run_id) if line["event"] == "run_finished"), None
        )
        if last is None or last.get("status") != ending.status:
            self.finished(run, ending)
        else:
            self._close(run)

    def report_interrupted(self, run: OpenRun) -> OpenRun:
        """Run the hooks for a run that was interrupted, once for each time; returns the run with that noted."""
        last = self.runs.last_event_at(run.run_id)
        if last is None or last == run.reported_at:
            return run
        run = replace(run, reported_at=last)
        self._put(run)
        self.enqueuer.hooks.interrupted(run.run_id)
        return run

    def leave(self, run: OpenRun, why: str) -> None:
        """Leave a run interrupted: only a user can resume it from now on."""
        self.report(
            f"Run {run.run_id} of schedule '{run.schedule_id}' ({run.minute}) stays interrupted: {why}"
            f" (`dagrun resume {run.run_id}` resumes it)"
        )
        self.record_end(run)

    def _not_started(self, run: OpenRun, error: str) -> None:
        self.report(f"Error: schedule '{run.schedule_id}': the run of {run.minute} did not start: {error}")
        self._skipped(run, "NotStarted", error)
        self.enqueuer.hooks.schedule_error(run.schedule_id, run.minute, "NotStarted", error)
        if self.results is not None:
            self.results.endings.append((run, RunEnding("failed", error=error)))
        self._close(run)

    def _skipped(self, run: OpenRun, reason: str, error: str) -> None:
        self._record("schedule_skipped", run, minute=run.minute, reason=reason, error=error)

    def _is_recorded(self, run: OpenRun, event: str) -> bool:
        return any(line["event"] == event for line in self.enqueuer.records_of(run.run_id))

    def _close(self, run: OpenRun) -> None:
        try:
            self.open_runs.drop(run.run_id)
        except RecordError as error:  # the scheduler that finds it sees that it has ended
            self.report(f"Error: {error.message}")

    def _put(self, run: OpenRun) -> None:
        try:
            self.open_runs.put(run)
        except RecordError as error:
            self.report(f"Error: {error.message}")

    def _record(self, event: str, run: OpenRun, **data: Json) -> None:
        self.record(
            {
                "event": event, "run_id": run.run_id, "schedule_id": run.schedule_id, "dag_path": run.dag,
                "tenant": run.tenant, **data,
            }
        )  # fmt: skip
