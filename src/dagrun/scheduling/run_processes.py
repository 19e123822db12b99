"""The runs of a scheduler as processes: a crash of one ends nothing else, and none ends with the scheduler."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from dagrun.clock import SteadyClock
from dagrun.core.hooks import due
from dagrun.core.outcomes import RunStatus
from dagrun.core.record import replay
from dagrun.core.requests import Request
from dagrun.errors import DagrunError, DamagedError, NotFoundError
from dagrun.runtime.interrupted import cancel_interrupted
from dagrun.runtime.launcher import Launcher, has_started
from dagrun.runtime.run_request import RunRequest
from dagrun.scheduling.open_runs import OpenRun, OpenRuns
from dagrun.scheduling.run_control import DagInfo, RunEnding, RunHandle, RunPhase
from dagrun.scheduling.schedule import Schedule
from dagrun.storage.run_store import RunStore
from dagrun.value import replace
from dagrun.views.report import failures
from dagrun.views.status import RunView, view


class RunProcesses:
    """Starts runs through a launcher, and reads what became of them from the store of runs."""

    def __init__(
        self, runs: RunStore, open_runs: OpenRuns, root: Path, dag: Callable[[Schedule], DagInfo]
    ) -> None:
        self._runs = runs
        self._open = open_runs
        self._launcher = Launcher(runs, root)
        self._dag = dag

    def dag(self, schedule: Schedule) -> DagInfo:
        """The DAG of a schedule. Raises DagProblem."""
        return self._dag(schedule)

    def start(self, run: OpenRun, *, again: bool = False) -> RunHandle:
        """Start a process for a run; with `again` it resumes the run. Raises OSError."""
        request = RunRequest(
            dag=run.dag, values=run.params, tenant=run.tenant, trigger=run.trigger,
            schedule_id=run.schedule_id, scheduled_at=run.scheduled_at,
            finish_within=run.finish_within, start_by=run.start_by, timezone=run.timezone,
        )  # fmt: skip
        if not again:
            self._clear(run.run_id)
        log = self._open.path(run.run_id).with_suffix(".err")
        return self._launcher.start(request, run.run_id, log, resume=again)

    def reap(self) -> None:
        """As process 1: collect the ends of processes that others have left behind. Raises ChildProcessError."""
        self._launcher.reap()

    def close(self) -> None:
        """Forget the processes, which continue."""
        self._launcher.close()

    def watch(self, run_id: str) -> RunHandle:
        """A run that another process drives."""
        return _ForeignRun(self._runs, run_id)

    def has_started(self, run_id: str) -> bool:
        """Whether its first event is recorded."""
        return has_started(self._runs, run_id)

    def is_live(self, run_id: str) -> bool:
        """Whether its lock is held."""
        return self._runs.is_live(run_id)

    def phase(self, run_id: str) -> RunPhase:
        """The state of a run, by its journal and its lock."""
        if self._runs.is_live(run_id):
            return RunPhase.LIVE
        try:
            run = self._view(run_id)
        except DamagedError:
            return RunPhase.ENDED
        if run is None or run.started_at is None:
            return RunPhase.LIVE if self._runs.is_live(run_id) else RunPhase.NOT_STARTED
        match run.status:
            case RunStatus.INTERRUPTED:
                return RunPhase.INTERRUPTED
            case RunStatus.WAITING:
                return RunPhase.DECIDED if self._is_decided(run) else RunPhase.WAITING
        return RunPhase.ENDED

    def _is_decided(self, run: RunView) -> bool:
        """Whether something that a paused run waits for is decided, or something that a child run of it waits for."""
        return any(
            wait.answer or wait.expired or self._is_decided_below(wait.wait.child_run_id)
            for _, wait in run.waits
        )

    def _is_decided_below(self, child_run_id: str | None) -> bool:
        """Whether a child run would continue; a user may also have continued it alone, up to its success."""
        if child_run_id is None or self._runs.is_live(child_run_id):
            return False
        try:
            child = self._view(child_run_id)
        except DamagedError:
            return False
        if child is None or child.status != RunStatus.WAITING:
            return child is not None and child.status == RunStatus.SUCCESS
        return self._is_decided(child)

    def ending(self, run_id: str) -> RunEnding:
        """The status of a run, and its first failure."""
        try:
            run = self._view(run_id)
        except DamagedError as damage:
            return RunEnding("interrupted", error=damage.message)
        if run is None:
            return RunEnding("interrupted", error="its records are gone")
        ending = RunEnding(run.status, run.duration)
        return ending if ending.is_good else replace(ending, error=next(iter(failures(run)), run.reason))

    def last_event_at(self, run_id: str) -> float | None:
        """The time of the last event in its journal."""
        try:
            return max((event.timestamp for event in self._runs.read(run_id).events), default=None)
        except NotFoundError:
            return None

    def cancel(self, run_id: str, reason: str) -> bool:
        """Request a cancel from the process that drives the run, or cancel a paused one here; False for any other run."""
        request = Request("cancel", "scheduler", {"reason": reason})
        try:
            if self._runs.is_live(run_id):
                self._runs.send(run_id, request)
                return True
            return self.phase(run_id) in (RunPhase.WAITING, RunPhase.DECIDED) and self._cancel_paused(
                run_id, request
            )
        except DagrunError:
            return False

    def _cancel_paused(self, run_id: str, request: Request) -> bool:
        writer = self._runs.take_over(run_id)
        try:
            record = self._runs.read(run_id)
            has_hooks = bool(due(record.dag, RunStatus.CANCELLED))
            state = replay(record)
            if not has_hooks:
                writer.begin()
                cancel_interrupted(state, writer, request, SteadyClock())
        finally:
            writer.close()
        if has_hooks:  # a process of its own runs them
            self._launcher.cancel(run_id, str(request.data["reason"]))
            return True
        below = Request("cancel", f"run {run_id}", {"reason": f"run {run_id} was cancelled"})
        for child in [task.child_run_id for task in state.tasks if task.child_run_id is not None]:
            if self.phase(child) in (RunPhase.WAITING, RunPhase.DECIDED):
                self._cancel_paused(child, below)
        return True

    def _view(self, run_id: str) -> RunView | None:
        try:
            return view(self._runs.read(run_id), time.time())
        except NotFoundError:
            return None

    def _clear(self, run_id: str) -> None:
        """Remove what is left of a run whose process died before the first event."""
        with contextlib.suppress(DagrunError):
            writer = self._runs.take_over(run_id)
            if self.has_started(run_id):
                writer.close()
            else:
                writer.discard()


class _ForeignRun:
    """A run that another process drives."""

    own = False

    def __init__(self, runs: RunStore, run_id: str) -> None:
        self._runs = runs
        self._run_id = run_id

    def has_ended(self) -> bool:
        """Whether its lock is free."""
        return not self._runs.is_live(self._run_id)

    def kill(self) -> None:
        """Does nothing: only its own process may be killed."""

    def error(self) -> str:
        """Empty: its output went elsewhere."""
        return ""
