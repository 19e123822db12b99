"""From decisions to claims: what a schedule is to do is settled under its claim file's lock, then told."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from dagrun.errors import RecordError
from dagrun.runs.base import new_run_id
from dagrun.schedules.claims import Claim, Claims, Held
from dagrun.schedules.due import decide, decide_minute
from dagrun.schedules.model import Decision, Due, Overlap, Schedule, Seen, Skip, minute_text
from dagrun.schedules.openruns import Life, OpenRun, OpenRuns
from dagrun.schedules.runner import DagProblem, Fate, Runner
from dagrun.work import Json

Record = Callable[[Mapping[str, Json]], None]
Report = Callable[[str], None]


class Firing:
    """Settles the fires of schedules, each exactly once among all schedulers of a store."""

    def __init__(
        self, directory: Path, life: Life, runner: Runner, record: Record, report: Report = lambda _: None
    ) -> None:
        self.claims = Claims(directory)
        self.open = OpenRuns(directory / ".open")
        self.life = life
        self.runner = runner
        self.record = record
        self.report = report
        #: Fires that could not become runs, because of their DAGs.
        self.failed = 0
        self._ahead: set[str] = set()

    def take(self, schedule: Schedule, now: float, again: Callable[[str], None]) -> list[OpenRun]:
        """The runs that are due, claimed. Calls `again` with the schedule's id if a claim cannot be written."""
        taken: list[OpenRun] = []
        try:
            with self.claims.hold(schedule.id, now) as held:
                self._tell_if_ahead(schedule, held, now)
                for decision in decide(schedule, held.standing.account, now):
                    taken += self._settle(held, decision, now)
        except RecordError as error:
            self.report(f"Error: {error.message}")
            again(schedule.id)
        return taken

    def take_minute(
        self, schedule: Schedule, minute: str, now: float, trigger: str = "schedule"
    ) -> list[OpenRun]:
        """The run of one minute that somebody named, claimed; none where it was fired before, or is no fire at all."""
        decision = decide_minute(schedule, minute)
        if decision is None:
            return []
        try:
            with self.claims.hold(schedule.id, now) as held:
                return self._settle(held, decision, now, trigger, asked=True)
        except RecordError as error:
            self.failed += 1
            self.report(f"Error: {error.message}")
            return []

    def is_active(self, run_id: str) -> bool:
        """Whether a run has not ended yet: somebody drives it, or a scheduler that lives is about to."""
        if self.runner.is_live(run_id):
            return True
        run = self.open.get(run_id)
        return run is not None and self.life.lives(run.by) and self.runner.fate(run_id) is Fate.UNBORN

    def _settle(
        self, held: Held, decision: Decision, now: float, trigger: str = "schedule", *, asked: bool = False
    ) -> list[OpenRun]:
        match decision:
            case Due():
                return self._fire(held, decision, now, trigger, asked=asked)
            case Skip() if not asked or held.may_fire(decision.minute, asked=True):
                # A minute that somebody named stands for itself, so that it is told once.
                first = "" if asked else decision.first
                held.append(
                    Claim(
                        minute=decision.minute, reason=decision.reason, first=first, count=decision.count,
                        enabled=decision.account.enabled,
                    ),
                    asked=asked,
                )  # fmt: skip
                self._skipped(decision, str(decision.reason))
            case Seen():
                held.append(Claim(minute=decision.minute, enabled=decision.account.enabled))
        return []

    def _fire(self, held: Held, due: Due, now: float, trigger: str, *, asked: bool) -> list[OpenRun]:
        if not held.may_fire(due.minute, asked=asked):
            if not asked:  # somebody had it fired before its time
                held.append(Claim(minute=due.minute))
            return []
        try:
            tenant = self.runner.tenant(due.schedule.dag)
        except DagProblem as problem:
            held.append(Claim(minute=due.minute, reason=problem.reason), asked=asked)
            self._refused(due, problem)
            return []
        overlap, last = due.schedule.overlap, held.standing.run_id
        # What is made up for comes late as it is: it waits for its turn.
        is_late = due.caught_up or trigger == "backfill"
        blocked = overlap is not Overlap.PARALLEL and bool(last) and self.is_active(last)
        if blocked and overlap is Overlap.SKIP and not is_late:
            held.append(Claim(minute=due.minute, reason="Overlap"), asked=asked)
            self._skipped(due, "Overlap", run_id=last)
            return []
        run = OpenRun(
            schedule_id=due.schedule.id, minute=due.minute, run_id=f"{new_run_id(now)}{secrets.token_hex(4)}",
            dag=due.schedule.dag, tenant=due.schedule.tenant or tenant, params=due.schedule.params, trigger=trigger,
            start=now if asked else due.start, after=last if blocked else "",
            replaces=blocked and overlap is Overlap.REPLACE and not is_late, by=self.life.name,
        )  # fmt: skip
        self._claim(held, run, asked=asked)
        return [run]

    def _claim(self, held: Held, run: OpenRun, *, asked: bool) -> None:
        """Taken in hand first: a crash in between leaves a run that was never claimed, which is dropped."""
        self.open.put(run)
        try:
            held.append(Claim(minute=run.minute, run_id=run.run_id), asked=asked)
        except RecordError:
            self.open.drop(run.run_id)
            raise
        self.record(
            {
                "event": "schedule_enqueued", "schedule_id": run.schedule_id, "run_id": run.run_id,
                "dag_path": run.dag, "tenant": run.tenant, "minute": run.minute,
            }
        )  # fmt: skip

    def _refused(self, due: Due, problem: DagProblem) -> None:
        self.failed += 1
        self._skipped(due, problem.reason, error=problem.message)
        origin = due.schedule.origin
        place = f"{origin.place('dag')}: " if origin else ""
        self.report(f"{place}error: schedule '{due.schedule.id}' cannot run: {problem.message}")

    def _skipped(self, what: Due | Skip, reason: str, **more: Json) -> None:
        span = {"count": what.count, "first": what.first, "last": what.last} if isinstance(what, Skip) else {}
        self.record(
            {
                "event": "schedule_skipped", "schedule_id": what.schedule.id, "minute": what.minute,
                "reason": reason, "dag_path": what.schedule.dag, "tenant": what.schedule.tenant, **span, **more,
            }
        )  # fmt: skip

    def _tell_if_ahead(self, schedule: Schedule, held: Held, now: float) -> None:
        """A clock that was wrong leaves accounts that go further than now: nothing is fired until they are reached."""
        watermark = held.standing.watermark
        if watermark <= minute_text(int(now // 60) + 1):
            self._ahead.discard(schedule.id)
        elif schedule.id not in self._ahead:
            self._ahead.add(schedule.id)
            self.report(
                f"Warning: schedule '{schedule.id}' is settled until {watermark} UTC, which is still to come:"
                f" was a clock wrong? It fires again after that ({self.claims.path(schedule.id)})"
            )
