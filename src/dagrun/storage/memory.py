"""Runs in memory, for tests. Events are converted to JSON and back, as in files."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from dagrun.clock import from_rfc3339
from dagrun.core import event_lines, events
from dagrun.core.model import NAME_RULE, Dag
from dagrun.core.record import RunRecord
from dagrun.core.requests import Request
from dagrun.core.work import Blob, Json
from dagrun.errors import DamagedError, NotFoundError, RefusedError, UsageError
from dagrun.run_layout import RunLayout
from dagrun.storage.run_store import is_run_id, items_document, new_run_id, outputs_document


class MemoryRuns:
    """All runs of one test."""

    def __init__(self) -> None:
        self.runs: dict[str, MemoryRun] = {}

    def create(self, dag: Dag, now: float, run_id: str | None = None) -> MemoryRun:
        """Create a run."""
        if run_id is not None and not is_run_id(run_id):
            raise UsageError(f"'{run_id}' cannot name a run: {NAME_RULE}")
        if run_id in self.runs:
            raise RefusedError(f"the run id '{run_id}' is taken", hint="choose another --run-id")
        name = run_id or new_run_id(now)
        while run_id is None and name in self.runs:
            name = new_run_id(now)
        run = MemoryRun(name, dag, now)
        self.runs[run.run_id] = run
        run.forget = lambda: self.runs.pop(name)
        return run

    def take_over(self, run_id: str) -> MemoryRun:
        """Become the owner of a run."""
        run = self.runs.get(run_id)
        if run is None:
            raise NotFoundError("run", run_id)
        if run.live:
            raise RefusedError(f"run '{run_id}' is being run by another process")
        run.live = True
        return run

    def send(self, run_id: str, request: Request) -> None:
        """Leave a request for the owner of a run."""
        self._run(run_id).pending_requests.append(request)

    def ids(self, since: float | None = None, *, children: bool = True) -> Iterator[str]:
        """Every run's id, the one that began last first; without child runs if they are not wanted."""
        found = [
            (run.begun, i, name)
            for i, (name, run) in enumerate(self.runs.items())
            if children or not run.is_child
        ]
        return (name for begun, _, name in sorted(found, reverse=True) if since is None or begun >= since)

    def has(self, run_id: str) -> bool:
        """Whether there is such a run."""
        return run_id in self.runs

    def read(self, run_id: str) -> RunRecord:
        """One run."""
        run = self._run(run_id)
        recorded = [
            event for line in run.journal if (event := event_lines.decode(json.loads(line))) is not None
        ]
        return RunRecord(run_id, run.dag, recorded, run.live)

    def dag(self, run_id: str) -> Dag:
        """The DAG of a run."""
        return self._run(run_id).dag

    def is_live(self, run_id: str) -> bool:
        """Whether the run has an owner."""
        return run_id in self.runs and self.runs[run_id].live

    def events(self, run_id: str | None, names: Collection[str] = ()) -> MemoryTail:
        """A run's journal, or the streams of all runs, one after the other."""
        if run_id is not None:
            journal = self._run(run_id).journal
            return MemoryTail(lambda: journal, names)
        return MemoryTail(lambda: [line for run in self.runs.values() for line in run.stream], names)

    def _run(self, run_id: str) -> MemoryRun:
        try:
            return self.runs[run_id]
        except KeyError:
            raise NotFoundError("run", run_id) from None

    def log_path(self, run_id: str, task_id: str, attempt: int) -> Path:
        """Where the log of an attempt would be."""
        return _layout(run_id).log(task_id, attempt)

    def logs(self, run_id: str, task_ids: Iterable[str]) -> Iterator[tuple[str, int, Path]]:
        """There are no logs in memory."""
        return iter(())


class MemoryTail:
    """The events of a growing list of lines."""

    corrupt = 0

    def __init__(self, lines: Callable[[], list[bytes]], names: Collection[str]) -> None:
        self._lines = lines
        self._names = names
        self._seen = 0

    @property
    def bytes_read(self) -> int:
        """Nothing is read."""
        return 0

    def last(self, limit: int) -> list[dict[str, Json]]:
        """The last events so far."""
        found = self.poll()
        return found[max(0, len(found) - limit) :]

    def poll(self) -> list[dict[str, Json]]:
        """The events since the last call."""
        new = [json.loads(line) for line in self._lines()[self._seen :]]
        self._seen += len(new)
        return [event for event in new if not self._names or event["event"] in self._names]

    def finish(self) -> list[dict[str, Json]]:
        """Every line has an end."""
        return []

    def close(self) -> None:
        """There is nothing to close."""


class MemoryRun:
    """One run in memory, as its owner writes it. `journal` and `stream` hold lines; `flushes` counts the writes."""

    def __init__(self, run_id: str, dag: Dag, now: float = 0.0) -> None:
        self.run_id = run_id
        self._made = now
        self.dag = dag
        self.dag_hash = "in-memory"
        self.bodies_lock: Path | None = None
        self.live = True
        self.journal: list[bytes] = []
        self.stream: list[bytes] = []
        self.flushes = 0
        self.pending_requests: list[Request] = []
        self.files: dict[str, Mapping[str, Json]] = {}
        self.forget: Callable[[], object] = lambda: None
        self._taken: list[tuple[bytes, bytes]] = []
        self._encoder = event_lines.Encoder(run_id, dag.name, dag.tenant)
        self.directory = _layout(run_id).directory

    @property
    def begun(self) -> float:
        """When it began: the time of its first event, or of its creation."""
        return from_rfc3339(json.loads(self.journal[0])["timestamp"]) if self.journal else self._made

    @property
    def is_child(self) -> bool:
        """Whether it is a task of another run."""
        return bool(self.journal) and json.loads(self.journal[0]).get("trigger") == "dag"

    def begin(self, dag: Dag | None = None) -> None:
        """Prepare to record events."""
        if dag is not None:
            self.dag = dag
            self.dag_hash += "-anew"
        self._encoder = event_lines.Encoder(self.run_id, self.dag.name, self.dag.tenant)

    def append(self, event: events.Event) -> None:
        """Add an event."""
        self._taken.append(self._encoder.encode(event))

    def flush(self) -> None:
        """Record the events added so far."""
        if self._taken:
            self.flushes += 1
        self.journal.extend(private for private, _ in self._taken)
        self.stream.extend(public for _, public in self._taken)
        self._taken.clear()

    def requests(self) -> Iterator[Request]:
        """Pending requests."""
        while self.pending_requests:
            yield self.pending_requests[0]
            del self.pending_requests[0]

    def store_items(self, task_id: str, items: Sequence[Json]) -> Blob | None:
        """Keep a list that would be written to a file."""
        data = items_document(items)
        if data is None:
            return None
        self.files[task_id] = {"items": items}
        return Blob(task_id, len(data), "")

    def store_outputs(self, task_id: str, attempt: int, outputs: Mapping[str, Json]) -> Blob | None:
        """Keep outputs that would be written to a file."""
        data = outputs_document(outputs)
        if data is None:
            return None
        self.files[f"{task_id}.{attempt}"] = outputs
        return Blob(f"{task_id}.{attempt}", len(data), "")

    def read_outputs(self, blob: Blob) -> Mapping[str, Json]:
        """A list that was kept by `store_items`."""
        try:
            return self.files[blob.file]
        except KeyError:
            raise DamagedError(f"{blob.file} cannot be read: it is not there") from None

    def reuse_outputs(self, run_id: str, blob: Blob) -> None:
        """There are no files."""

    def artifacts(self, task_id: str) -> Path | None:
        """There are no artifacts."""
        return None

    def log_tail(self, task_id: str, attempt: int) -> str | None:
        """There are no logs."""
        return None

    def reuse_artifacts(self, run_id: str, task_ids: Iterable[str]) -> None:
        """There are no artifacts."""

    def close(self) -> None:
        """Release the run."""
        self.flush()
        self.live = False

    def discard(self) -> None:
        """Delete the run."""
        self.live = False
        self.forget()


def _layout(run_id: str) -> RunLayout:
    return RunLayout(Path(tempfile.gettempdir()) / "dagrun-memory" / run_id)
