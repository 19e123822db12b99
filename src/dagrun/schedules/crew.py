"""The runs that a scheduler has in hand: those that wait for their turn and those that run, each told when it begins and ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from dagrun.schedules.firing import Record, Report
from dagrun.schedules.openruns import OpenRun, OpenRuns
from dagrun.schedules.runner import Child, Ending, Fate, Runner
from dagrun.work import Json


@dataclass(slots=True)
class _Working:
    """A run that goes on. `begun`: it was told so."""

    run: OpenRun
    child: Child
    begun: bool = False


@dataclass(slots=True)
class Tally:
    """What became of the runs that were started here."""

    endings: list[tuple[OpenRun, Ending]] = field(default_factory=list)

    @property
    def all_good(self) -> bool:
        """Whether all succeeded."""
        return all(ending.is_good for _, ending in self.endings)


class Crew:
    """At most `limit` runs of this scheduler's own at once; the rest wait. Remembers no more than is in hand."""

    def __init__(
        self, open_runs: OpenRuns, runner: Runner, limit: int, is_active: Callable[[str], bool],
        record: Record, report: Report, tally: Tally | None = None,
    ) -> None:  # fmt: skip
        self.open = open_runs
        self.runner = runner
        self.limit = limit
        self.is_active = is_active
        self.record = record
        self.report = report
        #: Only for who asks for it: it grows.
        self.tally = tally
        self._waiting: dict[str, tuple[OpenRun, bool]] = {}
        self._working: dict[str, _Working] = {}
        self._asked: set[str] = set()  # to end, so that another may start

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

    def add(self, run: OpenRun, *, again: bool = False) -> None:
        """A run whose turn will come; `again`: it has begun before."""
        self._waiting[run.run_id] = (run, again)

    def watch(self, run: OpenRun) -> None:
        """A run that somebody else drives: its end is told here."""
        self._working[run.run_id] = _Working(run, self.runner.watch(run.run_id))

    def poll(self, now: float, *, starting: bool = True) -> None:
        """See what has begun and ended; start what may start."""
        for working in list(self._working.values()):
            self._look_at(working)
        if starting and self._waiting:
            self._make_room()
            self._start_some(now)

    def kill(self) -> None:
        """Leave this scheduler's own runs interrupted; nothing of them goes on."""
        for run_id in self.own:
            working = self._working.pop(run_id)
            working.child.kill()
            if self.runner.fate(run_id) is not Fate.UNBORN:  # else it stays in hand as if nobody had begun it
                self._end(working)

    # --- starting ------------------------------------------------------------------------------------------

    def _start_some(self, now: float) -> None:
        free = self.limit - len(self.own)
        for run, again in list(self._waiting.values()):
            if free <= 0:
                return
            if run.start <= now and not self._is_held_up(run):
                del self._waiting[run.run_id]
                free -= self._start(run, again)

    def _is_held_up(self, run: OpenRun) -> bool:
        """Whether the run before it has not ended."""
        return bool(run.after) and (run.after in self or self.is_active(run.after))

    def _make_room(self) -> None:
        """Ask runs that are to be replaced to end, each once, as soon as there is somebody to ask."""
        for run in [run for run, _ in self._waiting.values() if run.replaces]:
            if run.after in self._waiting:
                self._take_place(run, self._waiting[run.after][0])
            elif run.after not in self._asked and self.runner.cancel(run.after, f"replaced by {run.run_id}"):
                self._asked.add(run.after)
        self._asked &= {run.after for run, _ in self._waiting.values()}

    def _take_place(self, run: OpenRun, other: OpenRun) -> None:
        """One that still waits is replaced without ever having begun; what it waited for is waited for still."""
        del self._waiting[other.run_id]
        run = replace(run, after=other.after, replaces=other.replaces)
        self.open.put(run)
        self._waiting[run.run_id] = (run, False)
        self._skipped(other, "Replaced", f"replaced by {run.run_id} before it began")
        self.open.drop(other.run_id)

    def _start(self, run: OpenRun, again: bool) -> bool:
        try:
            child = self.runner.start(run, again=again)
        except OSError as error:
            self._not_started(run, f"cannot start a process: {error.strerror}")
            return False
        self._working[run.run_id] = _Working(run, child, begun=again)
        return True

    # --- ending --------------------------------------------------------------------------------------------

    def _look_at(self, working: _Working) -> None:
        run_id, ended = working.run.run_id, working.child.has_ended()
        if not working.begun and self.runner.has_begun(run_id):
            working.begun = True
            self._tell("run_started", working.run)
        if ended:
            del self._working[run_id]
            self._end(working)

    def _end(self, working: _Working) -> None:
        run = working.run
        match self.runner.fate(run.run_id):
            case Fate.UNBORN:
                self._not_started(run, working.child.error() or "it ended before it began")
            case Fate.LIVE:  # somebody else was quicker
                self.watch(run)
            case fate:
                ending = self.runner.ending(run.run_id)
                if fate is Fate.INTERRUPTED:  # what it complained about says why, where it could
                    ending = replace(ending, error=working.child.error() or ending.error)
                self.finished(run, ending, is_over=fate is Fate.ENDED)

    def finished(self, run: OpenRun, ending: Ending, *, is_over: bool = True) -> None:
        """Tell how a run ended. One that was interrupted stays in hand: a scheduler that starts goes on with it."""
        self._tell(
            "run_finished",
            run,
            status=ending.status,
            duration_seconds=ending.duration,
            error=ending.error or None,
        )
        if self.tally is not None:
            self.tally.endings.append((run, ending))
        if is_over:
            self.open.drop(run.run_id)

    def _not_started(self, run: OpenRun, error: str) -> None:
        self.report(f"Error: schedule '{run.schedule_id}': the run of {run.minute} did not begin: {error}")
        self._skipped(run, "NotStarted", error)
        if self.tally is not None:
            self.tally.endings.append((run, Ending("failed", error=error)))
        self.open.drop(run.run_id)

    def _skipped(self, run: OpenRun, reason: str, error: str) -> None:
        self._tell("schedule_skipped", run, minute=run.minute, reason=reason, error=error)

    def _tell(self, event: str, run: OpenRun, **facts: Json) -> None:
        self.record(
            {
                "event": event, "run_id": run.run_id, "schedule_id": run.schedule_id, "dag_path": run.dag,
                "tenant": run.tenant, **facts,
            }
        )  # fmt: skip
