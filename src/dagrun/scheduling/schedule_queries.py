"""Read-only views of schedules: their next fires, their last runs, and what a tick would do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from dagrun.clock import to_rfc3339
from dagrun.core.model import Dag
from dagrun.core.work import Json
from dagrun.documents.parameters import resolve
from dagrun.documents.yaml import DocumentError, Finding
from dagrun.documents.yaml.text import SourceText
from dagrun.errors import NotFoundError, UsageError
from dagrun.scheduling.claims import Claims
from dagrun.scheduling.due import decide, decide_minute
from dagrun.scheduling.run_control import DagProblem
from dagrun.scheduling.schedule import DueFire, Schedule, SkippedFires, minute_number, minute_text
from dagrun.scheduling.schedule_files import Loaded, ScheduleFiles
from dagrun.value import Value
from dagrun.views.status import RunView


class ScheduleView(Value):
    """One schedule. `last` is its newest run, None if its records were deleted; `last_id` is empty if there never was a run."""

    schedule: Schedule
    next: Sequence[float]
    last_id: str
    last: RunView | None
    #: The last settled minute, if it is in the future: a clock was wrong, or was put back. Else empty.
    settled_until: str = ""

    def to_json(self) -> dict[str, Json]:
        """The JSON of one entry of `dagrun schedules -o json`."""
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
            **({"settled_until": self.settled_until} if self.settled_until else {}),
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


def known_dag(schedule: Schedule, find: Callable[[str], Dag]) -> Dag:
    """The DAG of a schedule, if it accepts the parameters of the schedule. Raises DagProblem.

    `find` raises NotFoundError, or DocumentError when the document is invalid.
    """
    try:
        dag = find(schedule.dag)
    except NotFoundError as error:
        raise DagProblem("MissingDag", error.message, hint=error.hint) from None
    except DocumentError as error:
        first = next(finding for finding in error.findings if finding.level == "error")
        raise DagProblem("InvalidDag", f"{first.place}: {first.message}", hint=first.suggestion) from None
    try:
        resolve(dag, schedule.params)
    except UsageError as error:
        raise DagProblem("InvalidParams", error.message, hint=error.hint) from None
    return dag


_PARAMETER = re.compile("parameter '([^']*)'")
_CODES = {"MissingDag": "unknown-dag", "InvalidDag": "invalid-dag", "InvalidParams": "invalid-params"}


class CheckedFiles:
    """The files of a directory, with findings for each schedule whose DAG cannot be run.

    Such a schedule is served all the same: its fires are recorded, and it runs as soon as its DAG is valid.
    """

    def __init__(self, files: ScheduleFiles, find: Callable[[str], Dag]) -> None:
        self.files = files
        self.shown = files.shown
        self.directory = files.directory.absolute()
        self._find = find

    def changed(self) -> bool:
        """Whether `load` may return something else than last time."""
        return self.files.changed()

    def load(self) -> Loaded:
        """All schedules and findings, in the order of files and lines. Raises UsageError if there is no directory."""
        loaded = self.files.load()
        findings = [*loaded.findings]
        for schedule in loaded.schedules:
            findings += self._problems(schedule)
        findings.sort(key=lambda pair: (pair[0].place.path, pair[0].place.line, pair[0].place.column))
        return Loaded(loaded.schedules, tuple(findings))

    def _problems(self, schedule: Schedule) -> Iterator[tuple[Finding, SourceText]]:
        origin = schedule.origin
        try:
            known_dag(schedule, self._find)
        except DagProblem as problem:
            for line in problem.message.splitlines() if origin is not None else ():
                assert origin is not None  # the line above ensures it
                name = _PARAMETER.search(line) if problem.reason == "InvalidParams" else None
                given = name is not None and name[1] in schedule.params
                at = ("params", name[1]) if given and name else ("params",) if name else ("dag",)
                finding = Finding(origin.place(*at), line, _CODES[problem.reason], problem.hint)
                yield finding, origin.source


def views(
    schedules: Iterable[Schedule],
    claims: Claims,
    look: Callable[[str], RunView | None],
    now: float,
    count: int,
) -> list[ScheduleView]:
    """Every schedule with its next `count` fires after its watermark; none if it is disabled."""
    found = []
    for schedule in schedules:
        state = claims.state(schedule.id)
        last_id, watermark = state.run_id, state.settled_until
        ahead = watermark if watermark > minute_text(int(now // 60)) else ""
        after = max(now, minute_number(ahead) * 60.0) if ahead else now
        fires = list(islice(schedule.fires(after), count)) if schedule.enabled else []
        found.append(ScheduleView(schedule, fires, last_id, look(last_id) if last_id else None, ahead))
    return found


class Preview(Value):
    """A fire that a tick would start or skip. `reason`: why it would be skipped; empty if it would start."""

    what: DueFire | SkippedFires
    reason: str


def preview(
    schedules: Iterable[Schedule], claims: Claims, find: Callable[[str], Dag], now: float, minute: str | None
) -> list[Preview]:
    """What a tick would start and skip. Active runs are not taken into account."""
    found: list[Preview] = []
    for schedule in schedules:
        if minute is None:
            decisions = decide(schedule, claims.state(schedule.id).watermark, now)
        else:
            named = decide_minute(schedule, minute)
            is_new = named is not None and claims.find(schedule.id, minute) is None
            decisions = [named] if named is not None and is_new else []
        for decision in decisions:
            if isinstance(decision, SkippedFires):
                found.append(Preview(decision, str(decision.reason)))
            elif isinstance(decision, DueFire):
                found.append(Preview(decision, _why_not(schedule, find)))
    return found


def _why_not(schedule: Schedule, find: Callable[[str], Dag]) -> str:
    try:
        known_dag(schedule, find)
    except DagProblem as problem:
        return problem.reason
    return ""
