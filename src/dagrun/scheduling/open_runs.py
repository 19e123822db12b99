"""Runs in hand, claimed by a scheduler and not yet recorded as finished; and which schedulers live.

Beside the claims lie two directories, whose size is that of the work in hand, whatever the history:

.open/<run_id>.json   a run in hand: written before its fire is claimed, gone once its end is in the state store
.alive/<scheduler>    locked for as long as that scheduler lives

So a scheduler that dies leaves its runs to whoever takes its lock next: one whose fire was never claimed is dropped, one
that never started is run, one that goes on is waited for.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from dagrun.clock import to_rfc3339
from dagrun.core.work import Json
from dagrun.errors import RecordError
from dagrun.scheduling.schedule import DAY, minute_number
from dagrun.storage.disk import sync_directory


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """A run that a schedule has fired, with all that it needs to begin."""

    schedule_id: str
    minute: str
    run_id: str
    dag: str
    tenant: str | None = None
    params: Mapping[str, Json] = field(default_factory=dict)
    trigger: str = "schedule"
    #: The moment at which it is to start.
    start: float = 0.0
    #: The runs that must have ended first, and whether they are to be cancelled for this one.
    after: Sequence[str] = ()
    replaces: bool = False
    #: Whether it may run beside other runs of its schedule.
    parallel: bool = False
    #: How long ago, in seconds, it may have been interrupted to be resumed.
    resume_window: float = DAY
    #: The DAG's name, the directory of the schedule and the file in it.
    dag_name: str = ""
    home: str = ""
    file: str = ""
    #: The scheduler that has it in hand, and whether that one is going to resume it.
    by: str = ""
    again: bool = False

    @property
    def scheduled_at(self) -> str:
        """Its minute as runs know it."""
        return to_rfc3339(minute_number(self.minute) * 60.0)

    @staticmethod
    def read(path: Path) -> OpenRun | None:
        """The run in a file; None when it is gone, or none is in there."""
        try:
            found = json.loads(path.read_bytes())
            facts = {one.name: found[one.name] for one in fields(OpenRun) if one.name in found}
            after = facts.get("after", ())  # one id, where an older version wrote it
            return OpenRun(
                **{**facts, "after": tuple(after if isinstance(after, list) else filter(None, [after]))}
            )
        except (OSError, ValueError, TypeError):
            return None


class OpenRuns:
    """The runs in hand of all schedulers of one state store."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        #: The schedule of each run in hand, which never changes: so every file is read once to learn it.
        self._schedules: dict[str, str] = {}

    def path(self, run_id: str) -> Path:
        """Where a run in hand is written down."""
        return self.directory / f"{run_id}.json"

    def put(self, run: OpenRun) -> None:
        """Take a run in hand, or hand it on. Raises RecordError."""
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
            raise RecordError(
                f"cannot write {path}: {error.strerror}", hint="free some space, or check who may write there"
            ) from error

    def drop(self, run_id: str) -> None:
        """Let go of a run, and of what its process complained about."""
        try:
            self.path(run_id).with_suffix(".err").unlink(missing_ok=True)
            self.path(run_id).unlink(missing_ok=True)
        except OSError as error:
            raise RecordError(f"cannot remove {self.path(run_id)}: {error.strerror}") from error

    def tidy(self, before: float) -> None:
        """Remove what crashes have left behind: half-written files, and complaints of runs that are not in hand."""
        for path in (*self.directory.glob("*.tmp"), *self.directory.glob("*.err")):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before and not path.with_suffix(".json").exists():
                    path.unlink()

    def get(self, run_id: str) -> OpenRun | None:
        """A run in hand; None when it is not."""
        return OpenRun.read(self.path(run_id)) if run_id else None

    def ids(self) -> Sequence[str]:
        """The ids of all runs in hand, in order."""
        try:
            names = os.listdir(self.directory)  # noqa: PTH208 - names are all that is asked
        except FileNotFoundError:
            return []
        return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))

    def all(self) -> Sequence[OpenRun]:
        """Every run in hand, in the order of their ids."""
        return [run for run_id in self.ids() if (run := self.get(run_id)) is not None]

    def of(self, schedule_id: str) -> Sequence[OpenRun]:
        """The runs of one schedule that are in hand, in the order of their ids."""
        known, ids = self._schedules, self.ids()
        self._schedules = {run_id: known.get(run_id) or self._schedule_of(run_id) for run_id in ids}
        mine = (self.get(run_id) for run_id in ids if self._schedules[run_id] == schedule_id)
        return [run for run in mine if run is not None]

    def _schedule_of(self, run_id: str) -> str:
        run = self.get(run_id)
        return "" if run is None else run.schedule_id
