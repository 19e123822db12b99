"""Turns the fires of schedules into queued runs: each fire is claimed in its claim file, then recorded."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from dagrun.core.work import Json
from dagrun.errors import DagrunError, RecordError
from dagrun.scheduling.claims import Claim, Claims, HeldClaims
from dagrun.scheduling.due import decide, decide_minute, parse_timing, retire
from dagrun.scheduling.hook_processes import NoHooks, SchedulerHooks
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

#: How many decisions one look at a schedule takes, while other schedules wait for theirs.
DECISIONS_PER_LOOK: Final = 100
#: How many runs of one schedule may be queued or running while fires of the past are still made up for.
MAX_BACKLOG: Final = 100

Record = Callable[[Mapping[str, Json]], None]
Report = Callable[[str], None]
RecordsOf = Callable[[str], Sequence[Mapping[str, Json]]]


class Taken(NamedTuple):
    """The result of one look at a schedule."""

    runs: list[OpenRun]
    #: There are more fires of the past than one look takes.
    has_more: bool = False
    #: There are more fires of the past, and as many open runs as may wait.
    is_full: bool = False
    #: Something could not be read or recorded, which is reported already. A fire that was not recorded is still due.
    has_failed: bool = False


class Enqueuer:
    """Claims the fires of schedules, each exactly once among all schedulers of a store."""

    def __init__(
        self, directory: Path, lock: SchedulerLock, runs: RunControl, record: Record, report: Report = lambda _: None,
        records_of: RecordsOf = lambda _: (), home: str = "", hooks: SchedulerHooks | None = None,
    ) -> None:  # fmt: skip
        self.claims = Claims(directory)
        self.open_runs = OpenRuns(directory / ".open")
        self.lock = lock
        self.runs = runs
        self.record = record
        self.report = report
        #: The lines of the state store about a run, the newest first.
        self.records_of = records_of
        #: The directory of the schedules.
        self.home = home
        self.hooks = hooks or NoHooks()
        #: How many fires could not become runs: their DAGs cannot be run, or nothing can be recorded.
        self.failed = 0
        self._ahead: set[str] = set()
        self._problems: dict[str, str] = {}

    def take(self, schedule: Schedule, now: float) -> Taken:
        """Claim the runs of a schedule that are due."""
        runs: list[OpenRun] = []
        room: int | None = None
        try:
            with self.claims.hold(schedule.id, now) as held:
                self._warn_if_ahead(schedule, held, now)
                decisions = decide(schedule, held.state.watermark, now, DECISIONS_PER_LOOK)
                for decision in decisions:
                    if isinstance(decision, DueFire) and decision.caught_up:
                        if room is None:
                            room = MAX_BACKLOG - len(self.open_runs.ids_of(schedule.id))
                        if room <= 0:
                            return Taken(runs, is_full=True)
                        room -= 1
                    runs += self._settle(held, decision, now)
        except (DagrunError, OSError) as error:
            self._report_failure(schedule.id, error)
            return Taken(runs, has_failed=True)
        self._problems.pop(schedule.id, None)
        return Taken(runs, has_more=len(decisions) >= DECISIONS_PER_LOOK)

    def _report_failure(self, schedule_id: str, error: Exception) -> None:
        """Report that fires of a schedule could not be claimed; once for as long as the reason is the same."""
        self.failed += 1
        text = error.message if isinstance(error, DagrunError) else f"schedule '{schedule_id}': {error}"
        if self._problems.get(schedule_id) != text:
            self._problems[schedule_id] = text
            self.report(f"Error: {text}")

    def retire(self, schedule_id: str, schedule: Schedule | None, now: float) -> None:
        """Record that a schedule was removed; `schedule` is its last definition, where it is known. Raises DagrunError."""
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
        """Claim the run of one minute that a user named; none if that minute was fired before, or is no fire at all."""
        decision = decide_minute(schedule, minute)
        if decision is None:
            return []
        try:
            with self.claims.hold(schedule.id, now) as held:
                return self._settle(held, decision, now, trigger, asked=True)
        except (DagrunError, OSError) as error:
            self._report_failure(schedule.id, error)
            return []

    def is_active(self, run_id: str) -> bool:
        """Whether a run has not ended yet: a process drives it, it is paused, or a scheduler that is alive will start it."""
        if self.runs.is_live(run_id):
            return True
        run = self.open_runs.get(run_id)
        if run is None:
            return False
        phase = self.runs.phase(run_id)
        if phase in (RunPhase.WAITING, RunPhase.DECIDED):
            return True
        if not self.lock.is_alive(run.by):
            return False
        return phase in (RunPhase.NOT_STARTED, RunPhase.LIVE) or (phase is RunPhase.INTERRUPTED and run.again)

    def live(self, schedule_id: str, besides: str = "") -> list[str]:
        """The runs of a schedule that some process drives now, except the run `besides`."""
        ids = self.open_runs.ids_of(schedule_id)
        return [run_id for run_id in ids if run_id != besides and self.runs.is_live(run_id)]

    def why_not_resumed(self, run: OpenRun, now: float) -> str:
        """Why an interrupted run is not resumed; empty if it is."""
        last = self.runs.last_event_at(run.run_id)
        if last is not None and now - last > run.resume_window:
            return f"it was interrupted more than {seconds(run.resume_window)} ago, its schedule's 'resume_window'"
        for other in self.claims.newer(run.schedule_id, run.run_id):
            if self.runs.ending(other).status == "success":
                return f"a newer run of its schedule, {other}, has succeeded"
        return ""

    def _active(self, schedule_id: str, newest: str) -> Iterator[str]:
        """The runs of a schedule that have not ended: the one that was claimed last first."""
        others = sorted((set(self.open_runs.ids_of(schedule_id)) - {newest}), reverse=True)
        return (run_id for run_id in (newest, *others) if run_id and self.is_active(run_id))

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
                # A minute that a user named is recorded for itself, never as part of a range: so it is recorded once.
                first = "" if asked else decision.first
                claim = Claim(
                    decision.watermark, reason=str(decision.reason), first=first, count=decision.count
                )
                held.append(claim, asked=asked)
                self._record_skip(decision, str(decision.reason))
            case WatermarkMoved():
                held.append(Claim(decision.watermark))
        return []

    def _fire(
        self, held: HeldClaims, due: DueFire, now: float, trigger: str, *, asked: bool
    ) -> list[OpenRun]:
        if not held.may_fire(due.minute, asked=asked):
            if not asked:  # a user had it fired in advance
                held.append(Claim(due.watermark))
            return []
        schedule = due.schedule
        try:
            dag = self.runs.dag(schedule)
        except DagProblem as problem:
            held.append(Claim(due.watermark, reason=problem.reason), asked=asked)
            self._record_problem(due, problem)
            return []
        overlap = schedule.overlap
        # A fire of the past is late already: it always waits for its turn.
        is_late = due.caught_up or trigger == "backfill"
        replaces = overlap is Overlap.REPLACE and not is_late
        active = iter(()) if overlap is Overlap.PARALLEL else self._active(schedule.id, held.state.run_id)
        # One is enough to wait for, since that one waits for those before it. All must be known to replace them.
        before = [*active][::-1] if replaces else [*islice(active, 1)]
        if before and overlap is Overlap.SKIP and not is_late:
            held.append(Claim(due.watermark, reason="Overlap"), asked=asked)
            self._record_skip(due, "Overlap", run_id=before[0])
            return []
        run = OpenRun(
            schedule_id=schedule.id, minute=due.minute, run_id=f"{new_run_id(now)}{secrets.token_hex(4)}",
            dag=schedule.dag, tenant=schedule.tenant or dag.tenant, params=schedule.params, trigger=trigger,
            start=now if asked else due.start, after=tuple(before),
            replaces=bool(before) and replaces,
            parallel=overlap is Overlap.PARALLEL, resume_window=schedule.resume_window, dag_name=dag.name,
            finish_within=schedule.sla.finish_within if schedule.sla else None,
            start_by=schedule.sla.start_by if schedule.sla else None, timezone=schedule.timetable.zone.name,
            home=self.home, file=schedule.origin.source.path if schedule.origin else "", by=self.lock.name,
        )  # fmt: skip
        self._claim(held, run, due.watermark, asked=asked)
        return [run]

    def _claim(self, held: HeldClaims, run: OpenRun, watermark: Watermark, *, asked: bool) -> None:
        """Write the open run first: a crash before the claim leaves a run without a claim, which is dropped."""
        try:
            self.open_runs.put(run)
            held.append(Claim(watermark, run_id=run.run_id), asked=asked)
        except RecordError:
            # Where even the claim could not be taken back, the open run stays, so that the next scheduler starts it.
            with suppress(RecordError, OSError):
                if not held.is_claimed(run.run_id):
                    self.open_runs.drop(run.run_id)
            raise
        self.record(
            {
                "event": "schedule_enqueued", "schedule_id": run.schedule_id, "run_id": run.run_id,
                "dag_path": run.dag, "tenant": run.tenant, "minute": run.minute,
            }
        )  # fmt: skip

    def _record_problem(self, due: DueFire, problem: DagProblem) -> None:
        self.failed += 1
        self._record_skip(due, problem.reason, error=problem.message)
        self.hooks.schedule_error(due.schedule.id, due.minute, problem.reason, problem.message)
        origin = due.schedule.origin
        place = f"{origin.place('dag')}: " if origin else ""
        self.report(f"{place}error: schedule '{due.schedule.id}' cannot run: {problem.message}")

    def _record_skip(self, fires: DueFire | SkippedFires, reason: str, **more: Json) -> None:
        span: dict[str, Json] = {}
        if isinstance(fires, SkippedFires):
            span = {"count": fires.count, "first": fires.first, "last": fires.last}
        self.record(
            {
                "event": "schedule_skipped", "schedule_id": fires.schedule.id, "minute": fires.minute,
                "reason": reason, "dag_path": fires.schedule.dag, "tenant": fires.schedule.tenant, **span, **more,
            }
        )  # fmt: skip

    def _warn_if_ahead(self, schedule: Schedule, held: HeldClaims, now: float) -> None:
        """Warn, once, of a watermark in the future, which a wrong clock left: nothing is fired until it is reached."""
        watermark = held.state.settled_until
        if watermark <= minute_text(int(now // 60) + 1):
            self._ahead.discard(schedule.id)
        elif schedule.id not in self._ahead:
            self._ahead.add(schedule.id)
            self.report(
                f"Warning: schedule '{schedule.id}' is settled until {watermark} UTC, which is in the future:"
                f" was a clock wrong? It fires next at {_next_fire(schedule, watermark)}"
                f" (`dagrun schedules reset {schedule.id}` moves that back to now)"
            )


def _next_fire(schedule: Schedule, watermark: str) -> str:
    """The first fire after the last settled minute, as text."""
    moment = next(schedule.fires(minute_number(watermark) * 60.0), None)
    return "no time" if moment is None else f"{minute_text(int(moment) // 60)} UTC"
