"""What a store of runs promises, whatever it is made of."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dagrun.events import Event
from dagrun.model import Dag
from dagrun.work import Attempt, Blob, Json

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\Z")


def new_run_id(now: float) -> str:
    """An id that sorts by time, `20251003-100000-7f3a9c`: the second, then its fraction and chance in hex."""
    fraction = int((now % 1) * 4096)
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{fraction:03x}{secrets.randbelow(4096):03x}"


def is_run_id(text: str) -> bool:
    """Whether `text` may name a run: the rule for names."""
    return _RUN_ID.match(text) is not None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """All that is stored about one run. `live`: a process drives it now. `corrupt`: lines that are no events."""

    run_id: str
    dag: Dag
    events: Sequence[Event]
    live: bool
    corrupt: int = 0


class RunWriter(Protocol):
    """The owner's hand on its run: nobody else writes its facts."""

    run_id: str
    dag_hash: str
    #: Locked for as long as a body of the run may live; None where there are no processes.
    bodies_lock: Path | None

    def append(self, event: Event) -> None:
        """Take a fact; it is durable after the next `flush`."""
        ...

    def flush(self) -> None:
        """Make every fact taken so far outlive this process. Raises RecordError when that fails."""
        ...

    def attempt(self, task_id: str, number: int, timeout: float | None) -> Attempt:
        """Where an attempt's traces go."""
        ...

    def read_outputs(self, blob: Blob) -> Mapping[str, Json]:
        """Outputs that lie in a file."""
        ...

    def close(self) -> None:
        """Flush, and let go of the run."""
        ...


class RunStore(Protocol):
    """All runs."""

    def create(
        self, dag: Dag, now: float, run_id: str | None = None, mask: Callable[[str], str] = str
    ) -> RunWriter:
        """A new run, owned by the caller; `mask` takes secrets out of what is written. Raises RefusedError when the id is taken, UsageError when it is no name."""
        ...

    def ids(self) -> Iterator[str]:
        """Every run's id, newest first; costs nothing per run that is not asked for."""
        ...

    def read(self, run_id: str) -> RunRecord:
        """One run. Raises NotFoundError."""
        ...

    def log_path(self, run_id: str, task_id: str, attempt: int) -> Path:
        """Where one attempt's output goes."""
        ...

    def logs(self, run_id: str, task_id: str) -> list[tuple[int, Path]]:
        """The log files of a task: attempt number and path, in order."""
        ...
