"""Open runs: fired by a schedule, and not yet recorded as finished. One file each, beside the claims.

`.open/<run_id>.json` is written before the fire is claimed and deleted once the end of the run is in the state store, so
looking through the directory costs as much as there is work, whatever the history. Each names the scheduler that looks
after it. When that one dies, another takes its runs over: a run whose fire was never claimed is dropped, one that never
started is started, one that is running is waited for.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from dagrun.blobs import read_regular
from dagrun.clock import to_rfc3339
from dagrun.core.work import Json
from dagrun.errors import RecordError
from dagrun.scheduling.schedule import DAY, minute_number
from dagrun.storage.disk import sync_directory, unwritable
from dagrun.value import Value, asdict, field


class OpenRun(Value, kw_only=True):
    """A run that a schedule has fired, with all that is needed to start it. The fields are the keys of its file."""

    schedule_id: str
    minute: str
    run_id: str
    dag: str
    tenant: str | None = None
    params: Mapping[str, Json] = field(default_factory=dict)
    trigger: str = "schedule"
    #: When it is due to start: seconds since the epoch, UTC.
    start: float = 0.0
    #: The runs that must end before it starts, and whether they are cancelled for it (`overlap: replace`).
    after: Sequence[str] = ()
    replaces: bool = False
    #: Whether it may run at the same time as other runs of its schedule.
    parallel: bool = False
    #: It is resumed only if it was interrupted no longer ago than this, in seconds.
    resume_window: float = DAY
    #: The time of the last event of its journal when hooks ran because it was interrupted.
    reported_at: float | None = None
    #: The `sla` of the schedule, and its time zone.
    finish_within: float | None = None
    start_by: str | None = None
    timezone: str | None = None
    #: The DAG's name, the directory of schedules, and the file in it that holds the schedule.
    dag_name: str = ""
    home: str = ""
    file: str = ""
    #: The scheduler that looks after it, and whether it is to be resumed rather than started.
    by: str = ""
    again: bool = False

    @property
    def scheduled_at(self) -> str:
        """Its minute as RFC 3339 text, as runs show it."""
        return to_rfc3339(minute_number(self.minute) * 60.0)

    @staticmethod
    def read(path: Path) -> OpenRun | None:
        """The run in a file; None if the file is missing or holds no run."""
        try:
            found = json.loads(read_regular(path))
            data = {name: found[name] for name in OpenRun.__struct_fields__ if name in found}
            after = data.get("after", ())  # an older version wrote a single id
            data["after"] = tuple(after if isinstance(after, list) else filter(None, [after]))
            return OpenRun(**data)
        except (OSError, ValueError, TypeError):
            return None


class OpenRuns:
    """The open runs of all schedulers of one state store."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        #: The schedule of each open run. It never changes, so each file is read once to learn it.
        self._schedules: dict[str, str] = {}

    def path(self, run_id: str) -> Path:
        """The file of an open run."""
        return self.directory / f"{run_id}.json"

    def put(self, run: OpenRun) -> None:
        """Write a run: a new one, or one that has changed. It survives a power loss. Raises RecordError."""
        path = self.path(run.run_id)
        fresh = path.with_suffix(".tmp")
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with fresh.open("w", encoding="utf-8", errors="backslashreplace") as file:
                json.dump(asdict(run), file, ensure_ascii=False)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
            sync_directory(self.directory)
        except OSError as error:
            raise unwritable(path, error) from error

    def drop(self, run_id: str) -> None:
        """Delete the files of a run: its own, and the error output of its process. Raises RecordError."""
        try:
            self.path(run_id).with_suffix(".err").unlink(missing_ok=True)
            self.path(run_id).unlink(missing_ok=True)
        except OSError as error:
            raise RecordError(f"cannot remove {self.path(run_id)}: {error.strerror}") from error

    def tidy(self, before: float) -> None:
        """Delete what crashes left behind before a moment: half-written files, and error output of runs that are not open."""
        for path in (*self.directory.glob("*.tmp"), *self.directory.glob("*.err")):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before and not path.with_suffix(".json").exists():
                    path.unlink()

    def get(self, run_id: str) -> OpenRun | None:
        """An open run; None if there is no such."""
        return OpenRun.read(self.path(run_id)) if run_id else None

    def ids(self) -> Sequence[str]:
        """The ids of all open runs, in order."""
        try:
            names = os.listdir(self.directory)  # noqa: PTH208 - names are all that is asked
        except FileNotFoundError:
            return []
        return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))

    def all(self) -> Sequence[OpenRun]:
        """Every open run, in the order of their ids."""
        return [run for run_id in self.ids() if (run := self.get(run_id)) is not None]

    def ids_of(self, schedule_id: str) -> Sequence[str]:
        """The ids of one schedule's open runs, in order."""
        known, ids = self._schedules, self.ids()
        self._schedules = {run_id: known.get(run_id) or self._schedule_of(run_id) for run_id in ids}
        return [run_id for run_id in ids if self._schedules[run_id] == schedule_id]

    def _schedule_of(self, run_id: str) -> str:
        run = self.get(run_id)
        return "" if run is None else run.schedule_id
