"""Schedules as people see them: when each fires next, how its last run ended, what a tick would do. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from dagrun.clock import to_rfc3339
from dagrun.errors import NotFoundError
from dagrun.schedules.claims import Claims
from dagrun.schedules.due import decide, decide_minute
from dagrun.schedules.files import Loaded, ScheduleFiles
from dagrun.schedules.model import Due, Schedule, Skip
from dagrun.source import Finding
from dagrun.views.status import RunView
from dagrun.work import Json


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """One schedule. `last`: its newest run, and None where nothing of that is left; `last_id`: empty if there never was one."""

    schedule: Schedule
    next: Sequence[float]
    last_id: str
    last: RunView | None

    def to_json(self) -> dict[str, Json]:
        """The shape of one entry of `schedules` (CONTRACT 6)."""
        schedule = self.schedule
        return {
            "id": schedule.id,
            "cron": schedule.timetable.cron.text,
            "timezone": schedule.timetable.zone.name,
            "dag": schedule.dag,
            "tenant": schedule.tenant,
            "enabled": schedule.enabled,
            "overlap": str(schedule.overlap),
            "catchup": str(schedule.catchup),
            "next": [to_rfc3339(moment) for moment in self.next],
            "last": self._last(),
        }

    def _last(self) -> Json:
        if not self.last_id:
            return None
        if self.last is None:
            return {"run_id": self.last_id, "status": None, "started_at": None, "finished_at": None}
        shape = self.last.to_json(tasks=False)
        return {
            name: shape[name]
            for name in ("run_id", "status", "reason", "started_at", "finished_at", "duration_seconds")
        }


class CheckedFiles:
    """The files of a directory, with a finding for each schedule whose DAG is not there. It is served all the same.

    So its fires have a record, and it runs as soon as the DAG is there. `find` raises NotFoundError.
    """

    def __init__(self, files: ScheduleFiles, find: Callable[[str], object]) -> None:
        self.files = files
        self.shown = files.shown
        self._find = find

    def changed(self) -> bool:
        """Whether `load` might say something else than last time."""
        return self.files.changed()

    def load(self) -> Loaded:
        """All schedules and findings. Raises UsageError when the directory is not there."""
        loaded = self.files.load()
        dags = {schedule.dag: self._missing(schedule.dag) for schedule in loaded.schedules}
        findings = [
            (Finding(origin.place("dag"), error.message, "unknown-dag", error.hint), origin.source)
            for schedule in loaded.schedules
            if (error := dags[schedule.dag]) is not None and (origin := schedule.origin) is not None
        ]
        return Loaded(loaded.schedules, (*loaded.findings, *findings))

    def _missing(self, dag: str) -> NotFoundError | None:
        try:
            self._find(dag)
        except NotFoundError as error:
            return error
        return None


def views(
    schedules: Iterable[Schedule],
    claims: Claims,
    look: Callable[[str], RunView | None],
    now: float,
    count: int,
) -> list[ScheduleView]:
    """Every schedule with its next `count` fires; none where it is disabled."""
    found = []
    for schedule in schedules:
        last_id = claims.standing(schedule.id).run_id
        fires = list(islice(schedule.fires(now), count)) if schedule.enabled else []
        found.append(ScheduleView(schedule, fires, last_id, look(last_id) if last_id else None))
    return found


def preview(
    schedules: Iterable[Schedule], claims: Claims, now: float, minute: str | None
) -> list[Due | Skip]:
    """What a tick would fire and skip; runs that go on are left out of account."""
    found: list[Due | Skip] = []
    for schedule in schedules:
        if minute is not None:
            named = decide_minute(schedule, minute)
            if named is not None and claims.find(schedule.id, minute) is None:
                found.append(named)
            continue
        decisions = decide(schedule, claims.standing(schedule.id).account, now)
        found += [decision for decision in decisions if isinstance(decision, Due | Skip)]
    return found
