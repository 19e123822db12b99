"""From decisions to claims: what a schedule is to do is settled under its claim file's lock, then told."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dagrun.core.work import Json
from dagrun.errors import RecordError
from dagrun.scheduling.claims import Claim, Claims, HeldClaims
from dagrun.scheduling.due import decide, decide_minute, parse_timing, retire
from dagrun.scheduling.open_runs import OpenRun, OpenRuns
from dagrun.scheduling.run_control import DagProblem, RunControl, RunPhase
from dagrun.scheduling.schedule import (
    Decision,
    DueFire,
    Overlap,
    Schedule,
    SkippedFires,
    Watermark,
    WatermarkMoved,
    minute_number,
    minute_text,
)
from dagrun.scheduling.scheduler_lock import SchedulerLock
from dagrun.storage.run_store import new_run_id
from dagrun.views.wording import seconds

Record = Callable[[Mapping[str, Json]], None]
Report = Callable[[str], None]
RecordsOf = Callable[[str], Sequence[Mapping[str, Json]]]


class Enqueuer:
    """Settles the fires of schedules, each exactly once among all schedulers of a store."""

    def __init__(
        self, directory: Path, lock: SchedulerLock, runs: RunControl, record: Record, report: Report = lambda _: None,
        records_of: RecordsOf = lambda _: (), home: str = "",
    ) -> None:  # fmt: skip
        self.claims = Claims(directory)
        self.open_runs = OpenRuns(directory / ".open")
        self.lock = lock
        self.runs = runs
        self.record = record
        self.report = report
        #: What the state store says of a run, the newest first.
        self.records_of = records_of
        #: The directory of the schedules.
        self.home = home
        #: Fires that could not become runs: their DAGs cannot be run, or nothing can be recorded.
        self.failed = 0
        self._ahead: set[str] = set()

    def take(
        self, schedule: Schedule, now: float, again: Callable[[str], None], most: int | None = None
    ) -> list[OpenRun]:
        """The runs that are due, claimed. Calls `again` with the schedule's id if a claim cannot be written.

        Also when there are more decisions than `most`: then it is the turn of other schedules first.
        """
        taken: list[OpenRun] = []
        try:
            with self.claims.hold(schedule.id, now) as held:
                self._tell_if_ahead(schedule, held, now)
                decisions = decide(schedule, held.state.watermark, now, most)
                for decision in decisions:
                    taken += self._settle(held, decision, now)
                if most is not None and len(decisions) >= most:
                    again(schedule.id)
        except RecordError as error:
            self.failed += 1
            self.report(f"Error: {error.message}")
            again(schedule.id)
        return taken

    def retire(self, schedule_id: str, schedule: Schedule | None, now: float) -> None:
        """Record that a schedule is no longer there; `schedule` is what it was, where that is known. Raises RecordError."""
        with self.claims.hold(schedule_id, now) as held:
            watermark = held.state.watermark
            if watermark is None:
                return
            if schedule is None and (then := parse_timing(watermark.timing)) is not None:
                schedule = Schedule(id=schedule_id, timetable=then[0], dag="", start=then[1], end=then[2])
            if schedule is not None:
                for decision in retire(schedule, watermark, now):
                    self._settle(held, decision, now)

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
        if self.runs.is_live(run_id):
            return True
        run = self.open_runs.get(run_id)
        if run is None or not self.lock.is_alive(run.by):
            return False
        phase = self.runs.phase(run_id)
        return phase in (RunPhase.NOT_STARTED, RunPhase.LIVE) or (phase is RunPhase.INTERRUPTED and run.again)

    def live(self, schedule_id: str, but: str = "") -> list[str]:
        """The runs of a schedule that some process drives now; `but` does not count."""
        runs = (run.run_id for run in self.open_runs.of(schedule_id) if run.run_id != but)
        return [run_id for run_id in runs if self.runs.is_live(run_id)]

    def why_not_resumed(self, run: OpenRun, now: float) -> str:
        """Why an interrupted run is left as it is; empty when it is to be resumed."""
        last = self.runs.last_event_at(run.run_id)
        if last is not None and now - last > run.resume_window:
            return f"it was interrupted more than {seconds(run.resume_window)} ago, its schedule's 'resume_window'"
        for other in self.claims.newer(run.schedule_id, run.run_id):
            if self.runs.ending(other).status == "success":
                return f"a newer run of its schedule, {other}, has succeeded"
        return ""

    def _active(self, schedule_id: str, newest: str) -> list[str]:
        """Every run of a schedule that has not ended, the oldest first."""
        ids = dict.fromkeys(
            [*(run.run_id for run in self.open_runs.of(schedule_id)), *filter(None, [newest])]
        )
        return [run_id for run_id in ids if self.is_active(run_id)]

    def _settle(
        self,
        held: HeldClaims,
        decision: Decision,
        now: float,
        trigger: str = "schedule",
        *,
        asked: bool = False,
    ) -> list[OpenRun]:
        match decision:
            case DueFire():
                return self._fire(held, decision, now, trigger, asked=asked)
            case SkippedFires() if not asked or held.may_fire(decision.minute, asked=True):
                # A minute that somebody named stands for itself, so that it is told once.
                first = "" if asked else decision.first
                claim = Claim.at(
                    decision.watermark, reason=str(decision.reason), first=first, count=decision.count
                )
                held.append(claim, asked=asked)
                self._skipped(decision, str(decision.reason))
            case WatermarkMoved():
                held.append(Claim.at(decision.watermark))
        return []

    def _fire(
        self, held: HeldClaims, due: DueFire, now: float, trigger: str, *, asked: bool
    ) -> list[OpenRun]:
        if not held.may_fire(due.minute, asked=asked):
            if not asked:  # somebody had it fired before its time
                held.append(Claim.at(due.watermark))
            return []
        schedule = due.schedule
        try:
            dag = self.runs.dag(schedule)
        except DagProblem as problem:
            held.append(Claim.at(due.watermark, reason=problem.reason), asked=asked)
            self._refused(due, problem)
            return []
        overlap = schedule.overlap
        # What is made up for comes late as it is: it waits for its turn.
        is_late = due.caught_up or trigger == "backfill"
        before = [] if overlap is Overlap.PARALLEL else self._active(schedule.id, held.state.run_id)
        if before and overlap is Overlap.SKIP and not is_late:
            held.append(Claim.at(due.watermark, reason="Overlap"), asked=asked)
            self._skipped(due, "Overlap", run_id=before[-1])
            return []
        run = OpenRun(
            schedule_id=schedule.id, minute=due.minute, run_id=f"{new_run_id(now)}{secrets.token_hex(4)}",
            dag=schedule.dag, tenant=schedule.tenant or dag.tenant, params=schedule.params, trigger=trigger,
            start=now if asked else due.start, after=tuple(before),
            replaces=bool(before) and overlap is Overlap.REPLACE and not is_late,
            parallel=overlap is Overlap.PARALLEL, resume_window=schedule.resume_window, dag_name=dag.name,
            home=self.home, file=schedule.origin.source.path if schedule.origin else "", by=self.lock.name,
        )  # fmt: skip
        self._claim(held, run, due.watermark, asked=asked)
        return [run]

    def _claim(self, held: HeldClaims, run: OpenRun, watermark: Watermark, *, asked: bool) -> None:
        """Taken in hand first: a crash in between leaves a run that was never claimed, which is dropped."""
        self.open_runs.put(run)
        try:
            held.append(Claim.at(watermark, run_id=run.run_id), asked=asked)
        except RecordError:
            self.open_runs.drop(run.run_id)
            raise
        self.record(
            {
                "event": "schedule_enqueued", "schedule_id": run.schedule_id, "run_id": run.run_id,
                "dag_path": run.dag, "tenant": run.tenant, "minute": run.minute,
            }
        )  # fmt: skip

    def _refused(self, due: DueFire, problem: DagProblem) -> None:
        self.failed += 1
        self._skipped(due, problem.reason, error=problem.message)
        origin = due.schedule.origin
        place = f"{origin.place('dag')}: " if origin else ""
        self.report(f"{place}error: schedule '{due.schedule.id}' cannot run: {problem.message}")

    def _skipped(self, what: DueFire | SkippedFires, reason: str, **more: Json) -> None:
        span = (
            {"count": what.count, "first": what.first, "last": what.last}
            if isinstance(what, SkippedFires)
            else {}
        )
        self.record(
            {
                "event": "schedule_skipped", "schedule_id": what.schedule.id, "minute": what.minute,
                "reason": reason, "dag_path": what.schedule.dag, "tenant": what.schedule.tenant, **span, **more,
            }
        )  # fmt: skip

    def _tell_if_ahead(self, schedule: Schedule, held: HeldClaims, now: float) -> None:
        """A clock that was wrong leaves accounts that go further than now: nothing is fired until they are reached."""
        watermark = held.state.settled_until
        if watermark <= minute_text(int(now // 60) + 1):
            self._ahead.discard(schedule.id)
        elif schedule.id not in self._ahead:
            self._ahead.add(schedule.id)
            self.report(
                f"Warning: schedule '{schedule.id}' is settled until {watermark} UTC, which is still to come:"
                f" was a clock wrong? It fires next at {_next_fire(schedule, watermark)}"
                f" (`dagrun schedules reset {schedule.id}` moves that back to now)"
            )


def _next_fire(schedule: Schedule, watermark: str) -> str:
    """The first fire after the last minute that is settled."""
    moment = next(schedule.fires(minute_number(watermark) * 60.0), None)
    return "no time" if moment is None else f"{minute_text(int(moment) // 60)} UTC"
