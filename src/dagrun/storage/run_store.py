"""What a store of runs promises, whatever it is made of."""

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
    """An id that sorts by time, `20251003-100000-7f3a9c`: the second, then its fraction and chance in hex."""
    fraction = int((now % 1) * 4096)
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{fraction:03x}{secrets.randbelow(4096):03x}"


def is_run_id(text: str) -> bool:
    """Whether `text` may name a run: the rule for names, and not the word for the newest one."""
    return _RUN_ID.match(text) is not None and text != "latest"


def items_document(items: Sequence[Json]) -> bytes | None:
    """The list of a for_each as the file it is kept in; None when it is small enough for an event."""
    data = json.dumps({"items": items}).encode()
    return data if len(data) > INLINE_BYTES else None


class RunWriter(Protocol):
    """The owner's hand on its run: nobody else writes its facts."""

    run_id: str
    dag_hash: str
    #: The run's directory on this machine.
    directory: Path
    #: Locked for as long as a body of the run may live; None where there are no processes.
    bodies_lock: Path | None

    def begin(self, dag: Dag | None = None) -> None:
        """Get ready to record facts about a run that was taken over; with `dag` it runs that from now on.

        Raises RecordError.
        """
        ...

    def append(self, event: Event) -> None:
        """Take a fact; it is durable after the next `flush`."""
        ...

    def flush(self) -> None:
        """Make every fact taken so far outlive this process. Raises RecordError when that fails."""
        ...

    def requests(self) -> Iterator[Request]:
        """What others want of the run, oldest first; each is gone once the next is asked for.

        So record what it comes to, and flush, before that: a crash in between must not lose it.
        """
        ...

    def store_items(self, task_id: str, items: Sequence[Json]) -> Blob | None:
        """Put the list of a for_each into a file, if it is too large for an event; `read_outputs` has it as `items`.

        Raises RecordError.
        """
        ...

    def read_outputs(self, blob: Blob) -> Mapping[str, Json]:
        """Outputs that lie in a file. Raises DamagedError when it is not what was recorded."""
        ...

    def reuse_outputs(self, run_id: str, blob: Blob) -> None:
        """Take over a file of outputs from another run. Raises DamagedError when it is not what was recorded."""
        ...

    def artifacts(self, task_id: str) -> Path | None:
        """The directory of what a task has kept; None when there is none."""
        ...

    def reuse_artifacts(self, run_id: str, task_ids: Iterable[str]) -> None:
        """Take over what these tasks have kept in another run. Raises RecordError."""
        ...

    def close(self) -> None:
        """Flush, and let go of the run."""
        ...

    def discard(self) -> None:
        """Let go of a run that was created and has no facts: as if it had never been."""
        ...


class EventTail(Protocol):
    """Events as they were recorded: those that are there, and those that come. Reads only what is new."""

    #: Lines that are no events.
    corrupt: int

    @property
    def bytes_read(self) -> int:
        """All that was read so far."""
        ...

    def last(self, limit: int) -> list[dict[str, Json]]:
        """The last `limit` events that are there, oldest first; `poll` goes on after them."""
        ...

    def poll(self) -> list[dict[str, Json]]:
        """New events, some at a time; empty when there are none for now."""
        ...

    def finish(self) -> list[dict[str, Json]]:
        """What a last line without its end holds, for when the end will not come."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class RunStore(Protocol):
    """All runs."""

    def create(self, dag: Dag, now: float, run_id: str | None = None) -> RunWriter:
        """A new run, owned by the caller. What is recorded of it must hold no secrets: nothing is masked here.

        Raises RefusedError when the id is taken, UsageError when it is no name.
        """
        ...

    def take_over(self, run_id: str) -> RunWriter:
        """Take over a run that is there; it is not changed before `begin`.

        Waits for the last body of its former owner. Raises NotFoundError, RefusedError when somebody drives it.
        """
        ...

    def send(self, run_id: str, request: Request) -> None:
        """Leave a wish for the run's owner. Raises NotFoundError, RecordError."""
        ...

    def ids(self, since: float | None = None) -> Iterator[str]:
        """The id of every run, the one that began last first; with `since` only those that began then or later.

        Costs little per run that is not asked for.
        """
        ...

    def has(self, run_id: str) -> bool:
        """Whether there is such a run."""
        ...

    def read(self, run_id: str) -> RunRecord:
        """One run. Raises NotFoundError, DamagedError."""
        ...

    def dag(self, run_id: str) -> Dag:
        """What one run runs; it can be compiled. Raises NotFoundError, DamagedError."""
        ...

    def is_live(self, run_id: str) -> bool:
        """Whether a process drives the run now."""
        ...

    def events(self, run_id: str | None, names: Collection[str] = ()) -> EventTail:
        """The events of one run, or of all (None: without outputs); with `names` only those. Raises NotFoundError."""
        ...

    def log_path(self, run_id: str, task_id: str, attempt: int) -> Path:
        """Where one attempt's output goes."""
        ...

    def logs(self, run_id: str, task_ids: Iterable[str]) -> Iterator[tuple[str, int, Path]]:
        """The log files of these tasks: task, attempt number and path, in order. Costs one look, however many tasks."""
        ...
