"""The runs that a scheduler has in hand: those that wait for their turn and those that run, each told when it begins and ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from dagrun.core.work import Json
from dagrun.errors import DagrunError, RecordError
from dagrun.scheduling.enqueuer import Enqueuer
from dagrun.scheduling.open_runs import OpenRun
from dagrun.scheduling.run_control import RunControl, RunEnding, RunHandle, RunPhase


@dataclass(slots=True)
class _ActiveRun:
    """A run that goes on. `begun`: it was told so."""

    run: OpenRun
    child: RunHandle
    begun: bool = False


@dataclass(slots=True)
class StartedRuns:
    """What became of the runs that were started here."""

    endings: list[tuple[OpenRun, RunEnding]] = field(default_factory=list)

    @property
    def all_succeeded(self) -> bool:
        """Whether all succeeded."""
        return all(ending.is_good for _, ending in self.endings)


class RunQueue:
    """At most `limit` runs of this scheduler's own at once; the rest wait. Remembers no more than is in hand."""

    def __init__(
        self, enqueuer: Enqueuer, runs: RunControl, limit: int, tally: StartedRuns | None = None
    ) -> None:
        self.enqueuer = enqueuer
        self.open_runs = enqueuer.open_runs
        self.runs = runs
        self.limit = limit
        self.record = enqueuer.record
        self.report = enqueuer.report
        #: Only for who asks for it: it grows.
        self.tally = tally
        self._waiting: dict[str, OpenRun] = {}
        self._working: dict[str, _ActiveRun] = {}
        self._asked: set[str] = set()  # to end, so that another may start
        self._troubles: dict[str, str] = {}

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._waiting or run_id in self._working

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not self._waiting and not self._working

    @property
    def own(self) -> list[str]:
        """The runs that are processes of this scheduler."""
        return [run_id for run_id, working in self._working.items() if working.child.own]

    def add(self, run: OpenRun) -> None:
        """A run whose turn will come."""
        self._waiting[run.run_id] = run

    def watch(self, run: OpenRun) -> None:
        """A run that somebody else drives: its end is told here."""
        begun = self._is_told(run, "run_started")
        self._working[run.run_id] = _ActiveRun(run, self.runs.watch(run.run_id), begun)

    def drop(self, reason_for: Callable[[OpenRun], tuple[str, str] | None]) -> None:
        """Drop runs that have not begun: those for which there is a reason, which is a word and a sentence."""
        for run in list(self._waiting.values()):
            if not run.again and (why := reason_for(run)) is not None:
                del self._waiting[run.run_id]
                self._skipped(run, *why)
                self._let_go(run)

    def poll(self, now: float, *, starting: bool = True) -> None:
        """See what has begun and ended; start what may start. What fails for one run does not stop the others."""
        for working in list(self._working.values()):
            self._try(working.run, partial(self._look_at, working))
        for run in list(self._waiting.values()):
            if not run.again:
                self._try(run, partial(self._notice, run))
        if starting and self._waiting:
            self._make_room()
            self._start_some(now)

    def kill(self) -> None:
        """Leave this scheduler's own runs interrupted; nothing of them goes on."""
        for run_id in self.own:
            working = self._working.pop(run_id)
            working.child.kill()
            if (
                self.runs.phase(run_id) is not RunPhase.NOT_STARTED
            ):  # else it stays in hand as if nobody had begun it
                self._end(working.run, working.child.error())

    def _try(self, run: OpenRun, step: Callable[[], None]) -> None:
        """Do something for one run; a problem is reported once, and the step is repeated with the next poll."""
        try:
            step()
            self._troubles.pop(run.run_id, None)
        except (DagrunError, OSError) as error:
            if self._troubles.get(run.run_id) != str(error):
                self._troubles[run.run_id] = str(error)
                self.report(f"Error: run {run.run_id} of schedule '{run.schedule_id}': {error}")

    # --- starting ------------------------------------------------------------------------------------------

    def _start_some(self, now: float) -> None:
        for run in list(self._waiting.values()):
            if len(self.own) >= self.limit:
                return
            if run.run_id in self._waiting and run.start <= now and not self._is_held_up(run):
                self._try(run, partial(self._start, run, now))

    def _is_held_up(self, run: OpenRun) -> bool:
        """Whether a run before it has not ended, or another one of its schedule is at work."""
        if any(other in self or self.enqueuer.is_active(other) for other in run.after):
            return True
        if run.parallel:
            return False
        beside = any(working.run.schedule_id == run.schedule_id for working in self._working.values())
        return beside or bool(self.enqueuer.live(run.schedule_id, run.run_id))

    def _make_room(self) -> None:
        """Ask runs that are to be replaced to end, each once, as soon as there is somebody to ask."""
        for run in [run for run in self._waiting.values() if run.replaces]:
            for other in run.after:
                if other in self._waiting:
                    self._try(run, partial(self._take_place, run, self._waiting[other]))
                elif other not in self._asked and self.runs.cancel(other, f"replaced by {run.run_id}"):
                    self._asked.add(other)
        self._asked &= {other for run in self._waiting.values() for other in run.after}

    def _take_place(self, run: OpenRun, other: OpenRun) -> None:
        """One that still waits is replaced without ever having begun; what it waited for is waited for still."""
        run = self._waiting.get(run.run_id, run)
        after = dict.fromkeys([*other.after, *(each for each in run.after if each != other.run_id)])
        run = replace(run, after=tuple(after))
        self.open_runs.put(run)
        del self._waiting[other.run_id]
        self._waiting[run.run_id] = run
        if other.again:
            self.leave(other, f"it is replaced by {run.run_id}")
            return
        self._skipped(other, "Replaced", f"replaced by {run.run_id} before it began")
        self._let_go(other)

    def _start(self, run: OpenRun, now: float) -> None:
        """Start a run, or resume it, unless something has happened to it while it waited."""
        begun = False
        if run.again:
            phase = self.runs.phase(run.run_id)
            why = self.enqueuer.why_not_resumed(run, now) if phase is RunPhase.INTERRUPTED else ""
            if phase is not RunPhase.INTERRUPTED or why:
                del self._waiting[run.run_id]
                if why:
                    self.leave(run, why)
                else:
                    self._end(run, "")
                return
            begun = self._is_told(run, "run_started")
        try:
            child = self.runs.start(run, again=run.again)
        except OSError as error:
            del self._waiting[run.run_id]
            self._not_started(run, f"cannot start a process: {error.strerror}")
            return
        del self._waiting[run.run_id]
        self._working[run.run_id] = _ActiveRun(run, child, begun)

    def _notice(self, run: OpenRun) -> None:
        """See whether somebody has begun, or cancelled, a run that still waits here."""
        if self.runs.has_started(run.run_id):
            del self._waiting[run.run_id]
            self._end(run, "")

    # --- ending --------------------------------------------------------------------------------------------

    def _look_at(self, working: _ActiveRun) -> None:
        run_id, ended = working.run.run_id, working.child.has_ended()
        if not working.begun and self.runs.has_started(run_id):
            working.begun = True
            self._record("run_started", working.run)
        if ended:
            self._end(working.run, working.child.error())
            if self._working.get(run_id) is working:
                del self._working[run_id]

    def _end(self, run: OpenRun, error: str) -> None:
        match self.runs.phase(run.run_id):
            case RunPhase.NOT_STARTED:
                self._not_started(run, error or "it ended before it began")
            case RunPhase.LIVE:  # somebody else was quicker
                self.watch(run)
            case phase:
                ending = self.runs.ending(run.run_id)
                if phase is RunPhase.INTERRUPTED:  # what it complained about says why, where it could
                    ending = replace(ending, error=error or ending.error)
                self.finished(run, ending, is_over=phase is RunPhase.ENDED)

    def finished(self, run: OpenRun, ending: RunEnding, *, is_over: bool = True) -> None:
        """Tell how a run ended. One that was interrupted stays in hand: a scheduler that starts goes on with it."""
        self._record(
            "run_finished",
            run,
            status=ending.status,
            duration_seconds=ending.duration,
            error=ending.error or None,
        )
        if self.tally is not None:
            self.tally.endings.append((run, ending))
        if is_over:
            self._let_go(run)
        elif run.again:
            self._put(replace(run, again=False))

    def inherit(self, run: OpenRun) -> None:
        """Tell of a run that ended while its scheduler was dead what that one had not told yet."""
        ending = self.runs.ending(run.run_id)
        if not self._is_told(run, "run_started"):
            self._record("run_started", run)
        last = next(
            (line for line in self.enqueuer.records_of(run.run_id) if line["event"] == "run_finished"), None
        )
        if last is None or last.get("status") != ending.status:
            self.finished(run, ending)
        else:
            self._let_go(run)

    def leave(self, run: OpenRun, why: str) -> None:
        """Leave a run interrupted for good, unless somebody resumes it."""
        self.report(
            f"Run {run.run_id} of schedule '{run.schedule_id}' ({run.minute}) stays interrupted: {why}"
            f" (`dagrun resume {run.run_id}` resumes it)"
        )
        self.inherit(run)

    def _not_started(self, run: OpenRun, error: str) -> None:
        self.report(f"Error: schedule '{run.schedule_id}': the run of {run.minute} did not begin: {error}")
        self._skipped(run, "NotStarted", error)
        if self.tally is not None:
            self.tally.endings.append((run, RunEnding("failed", error=error)))
        self._let_go(run)

    def _skipped(self, run: OpenRun, reason: str, error: str) -> None:
        self._record("schedule_skipped", run, minute=run.minute, reason=reason, error=error)

    def _is_told(self, run: OpenRun, event: str) -> bool:
        return any(line["event"] == event for line in self.enqueuer.records_of(run.run_id))

    def _let_go(self, run: OpenRun) -> None:
        try:
            self.open_runs.drop(run.run_id)
        except RecordError as error:  # whoever finds it sees that it has ended
            self.report(f"Error: {error.message}")

    def _put(self, run: OpenRun) -> None:
        try:
            self.open_runs.put(run)
        except RecordError as error:
            self.report(f"Error: {error.message}")

    def _record(self, event: str, run: OpenRun, **facts: Json) -> None:
        self.record(
            {
                "event": event, "run_id": run.run_id, "schedule_id": run.schedule_id, "dag_path": run.dag,
                "tenant": run.tenant, **facts,
            }
        )  # fmt: skip
