"""Runs as directories: a journal, the DAG, logs, artifacts, outputs."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import re
import shutil
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from dagrun import blobs
from dagrun.clock import to_rfc3339
from dagrun.core import event_lines, events
from dagrun.core.model import NAME_RULE, Dag
from dagrun.core.record import RunRecord
from dagrun.core.requests import Request
from dagrun.core.work import Blob, Json
from dagrun.durability import Durability
from dagrun.errors import (
    DamagedError,
    EnvironmentFailure,
    NotFoundError,
    NotOwnedError,
    RecordError,
    RefusedError,
    UsageError,
)  # fmt: skip
from dagrun.run_layout import RunLayout, file_name
from dagrun.storage import disk, jsonl, lock, log_position, recorded_dag
from dagrun.storage.inbox import Inbox
from dagrun.storage.run_store import is_run_id, items_document, new_run_id, outputs_document
from dagrun.storage.tail import FileTail

PATIENCE = 10.0  # seconds to wait for the last process of a run whose owner died
_BEGUN = re.compile(rb'\{"timestamp":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"')  # the start of a journal
_OF_A_CHILD = b'"trigger":"dag"'  # in the start of the journal of a child run; quotes in texts are escaped
_HEAD = 1024  # bytes of a journal, more than what comes before that can have
_MADE = re.compile(r"(\d{8}-\d{6})-([0-9a-f]{3})[0-9a-f]{3}\Z")  # an id made by dagrun contains its time
_FILES_BEFORE_DAG = {"lock", "logs", "outputs", "dag.tmp", "inbox"}


class FileRuns:
    """All runs below one directory, each in a directory of its own (0700, or 0770 where the umask shares with the group)."""

    def __init__(
        self,
        directory: Path,
        stream: Path,
        durability: Durability = Durability.OS,
        rotation: jsonl.Rotation = jsonl.Rotation(),  # noqa: B008 - frozen
    ) -> None:
        self.directory = directory
        self.stream = stream
        self.durability = durability
        self.rotation = rotation

    def create(self, dag: Dag, now: float, run_id: str | None = None) -> FileRun:
        """Create the directory of a run, and own it."""
        if run_id is not None and not is_run_id(run_id):
            raise UsageError(f"'{run_id}' cannot name a run: {NAME_RULE}")
        durable = self.durability is not Durability.OS
        (disk.make_durable_directory if durable else disk.make_directory)(self.directory)
        try:
            name = self._claim(now, run_id)
            if durable:
                disk.sync_directory(self.directory)
        except OSError as error:
            raise disk.unwritable(error.filename or self.directory, error) from error
        return self._begin(name, dag)

    def _begin(self, name: str, dag: Dag) -> FileRun:
        """Own the new directory; delete it if the run cannot begin."""
        run = FileRun(self.directory / name, name, self.stream, self.durability, self.rotation)
        if run.layout.dag.exists():  # another process was faster
            run.close()
            raise _taken(name)
        try:
            run.begin(dag)
        except BaseException:
            run.discard()
            raise
        return run

    def take_over(self, run_id: str) -> FileRun:
        """Become the owner of a run, once the last process of its former owner has ended."""
        layout = self._layout(run_id)
        if why := disk.why_not_shared(layout.directory):
            raise NotOwnedError(
                f"run '{run_id}' is not yours: {layout.directory} {why}",
                hint="its recorded commands would run as you, so dagrun refuses; only its owner can continue it",
            )
        run = FileRun(layout.directory, run_id, self.stream, self.durability, self.rotation)
        try:
            _wait_for_bodies(layout)
        except BaseException:
            run.close()
            raise
        return run

    def send(self, run_id: str, request: Request) -> None:
        """Leave a request for the owner of a run."""
        Inbox(self._layout(run_id).inbox).put(request)

    def _claim(self, now: float, run_id: str | None) -> str:
        while True:
            name = run_id or new_run_id(now)
            directory = self.directory / name
            try:
                disk.make_private_directory(directory)
            except FileExistsError:
                if run_id is None:
                    continue
                if why := disk.why_not_private(directory):
                    raise _taken(run_id, f": {directory} {why}") from None
                if not _is_unused(directory):
                    raise _taken(run_id) from None
            return name

    def ids(self, since: float | None = None, *, children: bool = True) -> Iterator[str]:
        """The id of every run that has a DAG or events, the one that began last first; child runs only if they are wanted."""
        try:
            fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return iter(())
        except OSError as error:
            raise EnvironmentFailure(f"cannot read {self.directory}: {error.strerror}") from error
        try:
            names = [name for name in os.listdir(fd) if is_run_id(name)]  # noqa: PTH208 - opened once
            least = "" if since is None else to_rfc3339(math.floor(since * 1000) / 1000)
            found = []
            for name in names:
                begun, is_child = self._begun(name, fd)
                if begun and begun >= least and (children or not is_child):
                    found.append((begun, name))
        finally:
            os.close(fd)
        return (name for _, name in sorted(found, reverse=True))

    def _begun(self, name: str, directory_fd: int | None = None) -> tuple[str, bool]:
        """When a run began, from the first bytes of its journal, and whether it is a child run. Empty when there is no such run.

        Listing calls it once for every run there ever was, so it opens by name below `directory_fd`, without Path objects.
        """
        path = f"{name}/events.jsonl" if directory_fd is not None else f"{self.directory}/{name}/events.jsonl"
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=directory_fd)
            try:
                head = os.read(fd, _HEAD)
            finally:
                os.close(fd)
        except OSError:
            head = b""
        if match := _BEGUN.match(head):
            return match[1].decode(), _OF_A_CHILD in head
        return _created_at(self.directory / name, name, is_run=bool(head)), False

    def has(self, run_id: str) -> bool:
        """Whether there is such a run."""
        if not is_run_id(run_id):
            return False
        directory = self.directory / run_id
        is_closed = os.path.isdir(directory) and not os.access(directory, os.X_OK)  # noqa: PTH112 - never raises
        return is_closed or bool(self._begun(run_id)[0])

    def read(self, run_id: str) -> RunRecord:
        """One run: its DAG and its events."""
        layout = self._layout(run_id)
        # Checked before the journal is read: a run that ends in between is returned with its end.
        live = lock.is_held(layout.lock)
        dag = _read_dag(run_id, layout)
        recorded, corrupt = [], 0
        try:
            for line in jsonl.read(layout.journal):
                try:
                    event = None if line is None else event_lines.decode(line)
                except (KeyError, TypeError, ValueError):
                    event = line = None
                if event is not None:
                    recorded.append(event)
                corrupt += line is None
        except OSError as error:
            raise _damaged(run_id, layout.journal, error.strerror or str(error)) from error
        return RunRecord(run_id, dag, recorded, live, corrupt)

    def dag(self, run_id: str) -> Dag:
        """The DAG of a run."""
        return _read_dag(run_id, self._layout(run_id))

    def is_live(self, run_id: str) -> bool:
        """Whether its lock is held."""
        return lock.is_held(RunLayout(self.directory / run_id).lock)

    def events(self, run_id: str | None, names: Collection[str] = ()) -> FileTail:
        """A run's journal, or the stream of all runs."""
        return FileTail(self.stream if run_id is None else self._layout(run_id).journal, names)

    def _layout(self, run_id: str) -> RunLayout:
        layout = RunLayout(self.directory / run_id)
        if not is_run_id(run_id) or not layout.directory.is_dir():
            raise NotFoundError("run", run_id, hint="`dagrun runs` lists them")
        return layout

    def log_path(self, run_id: str, task_id: str, attempt: int) -> Path:
        """The log file of one attempt."""
        return RunLayout(self.directory / run_id).log(task_id, attempt)

    def logs(self, run_id: str, task_ids: Iterable[str]) -> Iterator[tuple[str, int, Path]]:
        """The log files of tasks, by attempt."""
        found: dict[str, list[tuple[int, Path]]] = {}
        for path in RunLayout(self.directory / run_id).logs.glob("*.log"):
            name, _, number = path.name.removesuffix(".log").rpartition(".")
            if number.isdigit():
                found.setdefault(name, []).append((int(number), path))
        for task_id in task_ids:
            for attempt, path in sorted(found.get(file_name(task_id), ())):
                yield task_id, attempt, path


class FileRun:
    """One run, as its owner writes it."""

    def __init__(
        self, directory: Path, run_id: str, stream: Path, durability: Durability, rotation: jsonl.Rotation
    ) -> None:
        """Lock the run. Raises RefusedError if another process holds the lock, RecordError if it cannot be locked."""
        self.run_id = run_id
        self.directory = directory
        self.layout = RunLayout(directory)
        self._stream = stream
        self._durability = durability
        self._rotation = rotation
        self.bodies_lock: Path | None = self.layout.bodies_lock
        self.dag_hash = ""
        self._inbox = Inbox(self.layout.inbox)
        self._files: list[jsonl.LineFile] = []
        self._private: list[bytes] = []
        self._public: list[bytes] = []
        try:
            taken = lock.take(self.layout.lock)
        except OSError as error:
            raise disk.unwritable(self.layout.lock, error) from error
        if not taken:
            raise RefusedError(f"run '{run_id}' is being run by another process")

    def begin(self, dag: Dag | None = None) -> None:
        """Prepare to record events. The DAG is written completely before the first event with its hash."""
        try:
            for directory in (self.layout.logs, self.layout.outputs):
                directory.mkdir(exist_ok=True)
            data = disk.read_file(self.layout.dag) if dag is None else self._write_dag(dag)
        except OSError as error:
            raise disk.unwritable(error.filename or self.layout.directory, error) from error
        dag = dag or recorded_dag.from_json(data)
        self.dag_hash = hashlib.sha256(data).hexdigest()
        self._files.append(jsonl.LineFile(self.layout.journal, self._durability))
        self._sync_names(self.layout.directory)
        self._files.append(jsonl.LineFile(self._stream, renew=True, rotation=self._rotation))
        self._encoder = event_lines.Encoder(self.run_id, dag.name, dag.tenant)

    def _write_dag(self, dag: Dag) -> bytes:
        data = recorded_dag.to_json(dag)
        self._write_whole(self.layout.dag, data)
        return data

    def _write_whole(self, path: Path, data: bytes) -> None:
        """Write a file completely or not at all; `_sync_names` then makes its name durable."""
        fresh = path.with_suffix(".tmp")
        with fresh.open("wb") as file:
            file.write(data)
            if self._is_durable:
                file.flush()
                os.fsync(file.fileno())
        fresh.replace(path)

    @property
    def _is_durable(self) -> bool:
        return self._durability is not Durability.OS

    def _sync_names(self, directory: Path) -> None:
        if self._is_durable:
            try:
                disk.sync_directory(directory)
            except OSError as error:
                raise disk.unwritable(directory, error) from error

    def append(self, event: events.Event) -> None:
        """Add an event. A file that it names is made durable first."""
        if self._is_durable and (blob := events.file_of(event)) is not None:
            try:
                disk.sync_file(self.layout.outputs / blob.file)
                disk.sync_directory(self.layout.outputs)
            except FileNotFoundError:
                pass  # the reader reports it
            except OSError as error:
                raise disk.unwritable(self.layout.outputs / blob.file, error) from error
        private, public = self._encoder.encode(event)
        self._private.append(private)
        self._public.append(public)

    def flush(self) -> None:
        """Record the events added so far: one write to the journal, then one to the stream of all runs."""
        if not self._private:
            return
        private, public = b"".join(self._private), b"".join(self._public)
        self._private.clear()
        self._public.clear()
        journal, stream = self._files
        journal.append(private)
        stream.append(public)

    def requests(self) -> Iterator[Request]:
        """Pending requests; each is deleted when the next one is asked for."""
        return self._inbox.take()

    def store_items(self, task_id: str, items: Sequence[Json]) -> Blob | None:
        """Write the list of a for_each to a file if it is too large for an event."""
        return self._store(items_document(items), f"{file_name(task_id)}.items.json")

    def store_outputs(self, task_id: str, attempt: int, outputs: Mapping[str, Json]) -> Blob | None:
        """Write outputs of a child run to a file if they are too large for an event."""
        return self._store(outputs_document(outputs), f"{file_name(task_id)}.{attempt}.json")

    def _store(self, data: bytes | None, name: str) -> Blob | None:
        if data is None:
            return None
        path = self.layout.outputs / name
        try:
            self._write_whole(path, data)
        except OSError as error:
            raise disk.unwritable(path, error) from error
        return Blob(path.name, len(data), hashlib.sha256(data).hexdigest())

    def read_outputs(self, blob: Blob) -> Mapping[str, Json]:
        """Outputs that are kept in a file. Raises DamagedError if the file has changed or is missing."""
        return blobs.load(self.layout.outputs, blob)

    def reuse_outputs(self, run_id: str, blob: Blob) -> None:
        """Link a file of outputs of another run, which never changes; copy it where links are impossible."""
        source = self.layout.directory.parent / run_id / "outputs"
        blobs.load(source, blob)
        target = self.layout.outputs / blob.file
        try:
            target.hardlink_to(source / blob.file)
        except OSError:
            try:
                shutil.copyfile(source / blob.file, target)
            except OSError as error:
                raise disk.unwritable(target, error) from error

    def artifacts(self, task_id: str) -> Path | None:
        """The directory of a task's artifacts."""
        directory = self.layout.artifacts / file_name(task_id)
        return directory if directory.is_dir() else None

    def log_tail(self, task_id: str, attempt: int) -> str | None:
        """The last lines of the log of an attempt."""
        return log_position.last_lines(self.layout.log(task_id, attempt))

    def reuse_artifacts(self, run_id: str, task_ids: Iterable[str]) -> None:
        """Link the artifacts of tasks of another run; copy them where links are impossible."""
        source = RunLayout(self.layout.directory.parent / run_id).artifacts
        try:
            names = {path.name for path in source.iterdir() if path.is_dir()} if source.is_dir() else set()
            for name in names.intersection(map(file_name, task_ids)):
                shutil.copytree(
                    source / name, self.layout.artifacts / name, symlinks=True, copy_function=_link
                )
        except OSError as error:  # shutil.Error is one, without a file name
            raise RecordError(f"cannot take over the artifacts of run '{run_id}': {error}") from error

    def close(self) -> None:
        """Flush and release the run; the lock last, whatever fails before."""
        with contextlib.ExitStack() as last_first:
            last_first.callback(lock.release, self.layout.lock)
            if self.layout.scratch.is_dir():
                last_first.callback(shutil.rmtree, self.layout.scratch, ignore_errors=True)
            for file in self._files:
                last_first.callback(file.close)
            self.flush()

    def discard(self) -> None:
        """Delete a run that was created and has no events."""
        self._private.clear()
        self._public.clear()
        shutil.rmtree(self.layout.directory, ignore_errors=True)
        self.close()


def _read_dag(run_id: str, layout: RunLayout) -> Dag:
    try:
        return recorded_dag.from_json(disk.read_file(layout.dag))
    except FileNotFoundError:
        if layout.journal.exists():
            raise _damaged(run_id, layout.dag, "it is missing") from None
        raise NotFoundError("run", run_id, hint="it never began: it has no dag.json") from None
    except OSError as error:
        raise _damaged(run_id, layout.dag, error.strerror or str(error)) from error
    except ValueError as error:
        raise _damaged(run_id, layout.dag, str(error)) from error


def _damaged(run_id: str, path: Path, why: str) -> DamagedError:
    return DamagedError(f"run '{run_id}' cannot be read: {path}: {why}")


def _created_at(directory: Path, name: str, *, is_run: bool) -> str:
    """When a run without a readable event was created: from its id, if dagrun made that, else from its files."""
    try:
        status = (directory if is_run else directory / "dag.json").stat()
    except OSError:
        return ""
    if match := _MADE.match(name):
        with contextlib.suppress(ValueError):
            second = datetime.strptime(match[1] + "+0000", "%Y%m%d-%H%M%S%z").timestamp()
            return to_rfc3339(second + int(match[2], 16) / 4096)
    return to_rfc3339(status.st_mtime)


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def _taken(run_id: str, why: str = "") -> RefusedError:
    return RefusedError(f"the run id '{run_id}' is taken{why}", hint="choose another --run-id")


def _is_unused(directory: Path) -> bool:
    """Whether a run died here before it had a DAG, so its id may be used again."""
    try:
        return {*os.listdir(directory)} <= _FILES_BEFORE_DAG  # noqa: PTH208 - names are all that is asked
    except OSError:
        return False


def _wait_for_bodies(layout: RunLayout) -> None:
    """Wait for the lock that a former owner's keeper holds until its last process has ended, at most two seconds."""
    deadline = time.monotonic() + PATIENCE
    while lock.is_held(layout.bodies_lock):
        if time.monotonic() > deadline:
            raise RefusedError(
                f"run '{layout.directory.name}': processes that its former owner started are still running",
                hint="end them, or wait until they end",
            )
        time.sleep(0.02)
