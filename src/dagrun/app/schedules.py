"""Answers about schedules: what they are, when they fire, what a tick would do; and the reset of a watermark."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from dagrun.app.documents import Documents
from dagrun.errors import DamagedError, NotFoundError
from dagrun.scheduling import schedule_queries
from dagrun.scheduling.claims import Claims
from dagrun.scheduling.run_control import DagInfo
from dagrun.scheduling.schedule import Schedule, minute_text
from dagrun.scheduling.schedule_files import ScheduleFiles
from dagrun.scheduling.schedule_queries import CheckedFiles, Preview, ScheduleView
from dagrun.views.status import RunView


class Schedules:
    """The schedules of a project; `directory` is that of their claims."""

    def __init__(
        self, documents: Documents, directory: Path, status_of_run: Callable[[str], RunView]
    ) -> None:
        self._documents = documents
        self._claims = Claims(directory)
        self._status_of_run = status_of_run

    def files(self, directory: Path | None = None) -> CheckedFiles:
        """The files of schedules of the project, or those of another directory."""
        settings = self._documents.settings
        displayed = settings.schedules_dir if directory is None else str(directory)
        path = settings.path(displayed) if directory is None else directory.absolute()
        return CheckedFiles(ScheduleFiles(path, displayed), self._documents.dag_at_root)

    def views(self, found: Iterable[Schedule], now: float, count: int = 1) -> list[ScheduleView]:
        """Schedules with their next `count` fires and the result of their last runs."""

        def last_run(run_id: str) -> RunView | None:
            try:
                return self._status_of_run(run_id)
            except (NotFoundError, DamagedError):
                return None

        return schedule_queries.views(found, self._claims, last_run, now, count)

    def preview(self, found: Iterable[Schedule], now: float, minute: str | None = None) -> list[Preview]:
        """What a tick would fire and skip at the time `now`, or in the minute that a user gave."""
        return schedule_queries.preview(found, self._claims, self._documents.dag_at_root, now, minute)

    def reset(self, schedule_id: str, now: float, known: Iterable[str]) -> str:
        """Move the watermark of a schedule back to now. Returns where it was; empty when it was not ahead.

        Raises NotFoundError, RecordError.
        """
        this, names = minute_text(int(now // 60)), list(known)
        if not self._claims.path(schedule_id).exists():
            if schedule_id not in names:
                raise NotFoundError("schedule", schedule_id, names, hint="`dagrun schedules` lists them")
            return ""
        with self._claims.hold(schedule_id, now) as held:
            before = held.state.settled_until
            if before <= this:
                return ""
            held.reset(this)
            return before

    def known_dag(self, schedule: Schedule) -> DagInfo:
        """The DAG of a schedule, checked except for its workflows. Raises DagProblem."""
        dag = schedule_queries.known_dag(schedule, self._documents.dag_at_root)
        return DagInfo(dag.name, dag.tenant)
