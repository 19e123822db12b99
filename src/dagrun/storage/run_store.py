"""The protocols of a store of runs, which `files` implements on disk and `memory` for tests."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from dagrun.core.events import Event
from dagrun.core.model import Dag
from dagrun.core.record import RunRecord
from dagrun.core.requests import Request
from dagrun.core.work import INLINE_BYTES, Blob, Json

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\Z")


def new_run_id(now: float) -> str:
    """An id that sorts by time, `20251003-100000-7f3a9c`: the second, then its fraction and random digits in hex."""
    fraction = int((now % 1) * 4096)
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{fraction:03x}{secrets.randbelow(4096):03x}"


def is_run_id(text: str) -> bool:
    """Whether `text` is a valid run id: it follows the rule for names, and is not `latest`."""
    return _RUN_ID.match(text) is not None and text != "latest"


def items_document(items: Sequence[Json]) -> bytes | None:
    """The list of a for_each as the content of a file; None if it is small enough for an event."""
    data = json.dumps({"items": items}).encode()
    return data if len(data) > INLINE_BYTES else None


def outputs_document(outputs: Mapping[str, Json]) -> bytes | None:
    """The outputs of a task as the content of a file; None if they are small enough for an event."""
    data = json.dumps(outputs).encode()
    return data if len(data) > INLINE_BYTES else None


class RunWriter(Protocol):
    """A run, as its owner writes it: nobody else appends to its journal."""

    run_id: str
    dag_hash: str
    #: The run's directory on this machine.
    directory: Path
    #: Locked for as long as processes of the run may live; None if it has none.
    bodies_lock: Path | None

    def begin(self, dag: Dag | None = None) -> None:
        """Prepare a run that was taken over to be written; with `dag` it runs that DAG from now on. Raises RecordError."""
        ...

    def append(self, event: Event) -> None:
        """Add an event. It is recorded with the next `flush`. Raises RecordError."""
        ...

    def flush(self) -> None:
        """Record all events added so far: they survive the death of this process. Raises RecordError."""
        ...

    def requests(self) -> Iterator[Request]:
        """Pending requests, oldest first. Each is deleted when the next one is asked for.

        So record the result of a request, and flush, before that: a crash in between must not lose it.
        """
        ...

    def store_items(self, task_id: str, items: Sequence[Json]) -> Blob | None:
        """Write the list of a for_each to a file if it is too large for an event, else return None. Raises RecordError.

        `read_outputs` returns it under the key `items`.
        """
        ...

    def store_outputs(self, task_id: str, attempt: int, outputs: Mapping[str, Json]) -> Blob | None:
        """Write the outputs of a child run to a file if they are too large for an event, else return None. Raises RecordError."""
        ...

    def read_outputs(self, blob: Blob) -> Mapping[str, Json]:
        """Outputs that are kept in a file. Raises DamagedError if the file has changed or is missing."""
        ...

    def reuse_outputs(self, run_id: str, blob: Blob) -> None:
        """Link or copy a file of outputs of another run. Raises DamagedError if it has changed or is missing."""
        ...

    def artifacts(self, task_id: str) -> Path | None:
        """The directory of a task's artifacts; None if there is none."""
        ...

    def log_tail(self, task_id: str, attempt: int) -> str | None:
        """The last 20 lines of the log of an attempt, at most 16 KiB; None if it has printed nothing."""
        ...

    def reuse_artifacts(self, run_id: str, task_ids: Iterable[str]) -> None:
        """Link or copy the artifacts of these tasks of another run. Raises RecordError."""
        ...

    def close(self) -> None:
        """Flush, and release the run. Raises RecordError."""
        ...

    def discard(self) -> None:
        """Delete a run that was created and has no events."""
        ...


class EventTail(Protocol):
    """The events of a journal or stream, past and future. Each call reads only what is new."""

    #: How many lines were read that are no events.
    corrupt: int

    @property
    def bytes_read(self) -> int:
        """How many bytes were read so far."""
        ...

    def last(self, limit: int) -> list[dict[str, Json]]:
        """The last `limit` events, oldest first; `poll` continues after them."""
        ...

    def poll(self) -> list[dict[str, Json]]:
        """Some of the new events; empty if there are none yet."""
        ...

    def finish(self) -> list[dict[str, Json]]:
        """The event on a last line without a line end, if no more will be written."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class RunStore(Protocol):
    """All runs of a project."""

    def create(self, dag: Dag, now: float, run_id: str | None = None) -> RunWriter:
        """Create a run, owned by the caller. Secrets must be masked by the caller: nothing is masked here.

        Raises RefusedError if the id is taken, UsageError if it is invalid, RecordError.
        """
        ...

    def take_over(self, run_id: str) -> RunWriter:
        """Become the owner of an existing run; it is not changed before `begin`.

        Waits until the last process of its former owner has ended. Raises NotFoundError, RefusedError if the run has an owner.
        """
        ...

    def send(self, run_id: str, request: Request) -> None:
        """Leave a request for the owner of a run. Raises NotFoundError, RecordError."""
        ...

    def ids(self, since: float | None = None, *, children: bool = True) -> Iterator[str]:
        """The id of every run, the one that began last first; with `since` only those that began then or later.

        Without `children` child runs are left out.
        """
        ...

    def has(self, run_id: str) -> bool:
        """Whether there is such a run."""
        ...

    def read(self, run_id: str) -> RunRecord:
        """One run. Raises NotFoundError, DamagedError."""
        ...

    def dag(self, run_id: str) -> Dag:
        """The DAG that a run runs; it can be compiled. Raises NotFoundError, DamagedError."""
        ...

    def is_live(self, run_id: str) -> bool:
        """Whether the run has an owner now."""
        ...

    def events(self, run_id: str | None, names: Collection[str] = ()) -> EventTail:
        """The events of one run, or of all runs (None; these have no outputs); with `names` only those. Raises NotFoundError."""
        ...

    def log_path(self, run_id: str, task_id: str, attempt: int) -> Path:
        """The log file of one attempt."""
        ...

    def logs(self, run_id: str, task_ids: Iterable[str]) -> Iterator[tuple[str, int, Path]]:
        """The log files of these tasks: task, attempt number and path, in order. Lists the directory once."""
        ...
