"""Runs as directories: a journal, the DAG that was run, logs, artifacts, outputs."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from dagrun import blobs, events
from dagrun.durability import Durability
from dagrun.errors import EnvironmentFailure, NotFoundError, RecordError, RefusedError, UsageError
from dagrun.model import NAME_RULE, Dag
from dagrun.runs import documents, lines, lock
from dagrun.runs.base import Request, RunRecord, is_run_id, items_document, new_run_id
from dagrun.runs.follow import FileTail
from dagrun.runs.inbox import Inbox
from dagrun.runs.layout import RunLayout, file_name
from dagrun.work import Attempt, Blob, Json

PATIENCE = 10.0  # seconds until the last body of a run whose owner died must be gone
_BEFORE_A_DAG = {"lock", "logs", "outputs", "dag.tmp", "inbox"}


class FileRuns:
    """All runs below one directory, each in a directory of its own that only its owner writes to (0700)."""

    def __init__(
        self,
        directory: Path,
        stream: Path,
        durability: Durability = Durability.OS,
        rotation: lines.Rotation = lines.Rotation(),  # noqa: B008 - frozen
    ) -> None:
        self.directory = directory
        self.stream = stream
        self.durability = durability
        self.rotation = rotation

    def create(
        self, dag: Dag, now: float, run_id: str | None = None, mask: Callable[[str], str] = str
    ) -> FileRun:
        """Make the run's directory and own it."""
        if run_id is not None and not is_run_id(run_id):
            raise UsageError(f"'{run_id}' cannot name a run: {NAME_RULE}")
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            name = self._claim(now, run_id)
        except FileExistsError:
            raise _taken(run_id) from None
        except OSError as error:
            raise RecordError(f"cannot write {error.filename}: {error.strerror}") from error
        return self._begin(name, dag, mask)

    def _begin(self, name: str, dag: Dag, mask: Callable[[str], str]) -> FileRun:
        """Own the directory that was just made; it goes again when the run cannot begin."""
        run = FileRun(self.directory / name, name, self.stream, self.durability, self.rotation)
        if run.layout.dag.exists():  # another process was quicker
            run.close()
            raise _taken(name)
        try:
            run.begin(mask, dag)
        except BaseException:
            run.abandon()
            raise
        return run

    def own(self, run_id: str) -> FileRun:
        """Take a run that is there over, once the last body of its former owner is gone."""
        layout = self._layout(run_id)
        run = FileRun(layout.directory, run_id, self.stream, self.durability, self.rotation)
        try:
            _wait_for_bodies(layout)
        except BaseException:
            run.close()
            raise
        return run

    def ask(self, run_id: str, request: Request) -> None:
        """Leave a wish for the run's owner."""
        Inbox(self._layout(run_id).inbox).put(request)

    def _claim(self, now: float, run_id: str | None) -> str:
        while True:
            name = run_id or new_run_id(now)
            try:
                (self.directory / name).mkdir(mode=0o700)
            except FileExistsError:
                if run_id is None:
                    continue
                if not _is_stillborn(self.directory / name):
                    raise
            return name

    def ids(self) -> Iterator[str]:
        """The id of every run that has a DAG, newest first: an id that dagrun made tells its time, else `dag.json` does."""
        try:
            names = [entry.name for entry in os.scandir(self.directory) if entry.is_dir()]
        except FileNotFoundError:
            return iter(())
        except OSError as error:
            raise EnvironmentFailure(f"cannot read {self.directory}: {error.strerror}") from error
        newest_first = sorted(names, key=self._age, reverse=True)
        return (name for name in newest_first if (self.directory / name / "dag.json").exists())

    def _age(self, name: str) -> str:
        if re.match(r"\d{8}-\d{6}-", name):
            return name
        try:
            begun = (self.directory / name / "dag.json").stat().st_mtime
        except OSError:
            return ""
        return new_run_id(begun)

    def read(self, run_id: str) -> RunRecord:
        """One run: its DAG and its facts."""
        layout = self._layout(run_id)
        # Asked before the journal is read: a run that ends in between is seen with its end.
        live = lock.is_held(layout.lock)
        dag = self.dag(run_id)
        found, corrupt = lines.read(layout.journal)
        facts = []
        for line in found:
            try:
                event = events.decode(line)
            except (KeyError, TypeError, ValueError):
                corrupt += 1
                continue
            if event is not None:
                facts.append(event)
        return RunRecord(run_id, dag, facts, live, corrupt)

    def dag(self, run_id: str) -> Dag:
        """What the run runs."""
        try:
            return documents.from_json(self._layout(run_id).dag.read_bytes())
        except (OSError, ValueError):
            raise NotFoundError(
                "run", run_id, hint="it was never begun: it has no readable dag.json"
            ) from None

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
        """Where one attempt's output goes."""
        return RunLayout(self.directory / run_id).log(task_id, attempt)

    def logs(self, run_id: str, task_ids: Iterable[str]) -> Iterator[tuple[str, int, Path]]:
        """The tasks' log files, by attempt."""
        found: dict[str, list[tuple[int, Path]]] = {}
        for path in RunLayout(self.directory / run_id).logs.glob("*.log"):
            name, _, number = path.name.removesuffix(".log").rpartition(".")
            if number.isdigit():
                found.setdefault(name, []).append((int(number), path))
        for task_id in task_ids:
            for attempt, path in sorted(found.get(file_name(task_id), ())):
                yield task_id, attempt, path


class FileRun:
    """The owner's hand on one run."""

    def __init__(
        self, directory: Path, run_id: str, stream: Path, durability: Durability, rotation: lines.Rotation
    ) -> None:
        """Take the run's lock. Raises RefusedError when another process has it, RecordError when nobody can."""
        self.run_id = run_id
        self.layout = RunLayout(directory)
        self._stream = stream
        self._durability = durability
        self._rotation = rotation
        self.bodies_lock: Path | None = self.layout.bodies_lock
        self.dag_hash = ""
        self._inbox = Inbox(self.layout.inbox)
        self._files: list[lines.LineFile] = []
        self._private: list[str] = []
        self._public: list[str] = []
        try:
            taken = lock.take(self.layout.lock)
        except OSError as error:
            raise RecordError(f"cannot write {self.layout.lock}: {error.strerror}") from error
        if not taken:
            raise RefusedError(f"run '{run_id}' is being run by another process")

    def begin(self, mask: Callable[[str], str] = str, dag: Dag | None = None) -> None:
        """Get ready to record facts. What is run is written down, whole, before the first fact that names its hash."""
        try:
            for directory in (self.layout.logs, self.layout.outputs):
                directory.mkdir(exist_ok=True)
            data = self.layout.dag.read_bytes() if dag is None else self._write_dag(dag)
        except OSError as error:
            raise RecordError(f"cannot write {error.filename}: {error.strerror}") from error
        dag = dag or documents.from_json(data)
        self.dag_hash = hashlib.sha256(data).hexdigest()
        self._files.append(lines.LineFile(self.layout.journal, self._durability))
        self._files.append(lines.LineFile(self._stream, renew=True, rotation=self._rotation))
        self._encoder = events.Encoder(self.run_id, dag.name, dag.tenant, mask)

    def _write_dag(self, dag: Dag) -> bytes:
        data = documents.to_json(dag)
        self._write_whole(self.layout.dag, data)
        return data

    def _write_whole(self, path: Path, data: bytes) -> None:
        """A file that is there whole or not at all."""
        fresh = path.with_suffix(".tmp")
        with fresh.open("wb") as file:
            file.write(data)
            if self._durability is not Durability.OS:
                file.flush()
                os.fsync(file.fileno())
        fresh.replace(path)

    def append(self, event: events.Event) -> None:
        """Take a fact."""
        private, public = self._encoder.encode(event)
        self._private.append(private)
        self._public.append(public)

    def flush(self) -> None:
        """Write what was taken: one write to the journal, then one to the stream of all runs."""
        if not self._private:
            return
        private, public = "".join(self._private), "".join(self._public)
        self._private.clear()
        self._public.clear()
        for file, text in zip(self._files, (private, public), strict=True):
            file.append(text.encode("utf-8", "backslashreplace"))

    def requests(self) -> Iterator[Request]:
        """What others want of the run; each is gone once the next is asked for."""
        return self._inbox.take()

    def attempt(self, task_id: str, number: int, timeout: float | None) -> Attempt:
        """Where an attempt's traces go."""
        return self.layout.attempt(self.run_id, task_id, number, timeout)

    def store_items(self, task_id: str, items: Sequence[Json]) -> Blob | None:
        """Put the list of a for_each into a file, if it is too large for an event."""
        data = items_document(items)
        if data is None:
            return None
        path = self.layout.outputs / f"{file_name(task_id)}.items.json"
        try:
            self._write_whole(path, data)
        except OSError as error:
            raise RecordError(f"cannot write {error.filename}: {error.strerror}") from error
        return Blob(path.name, len(data), hashlib.sha256(data).hexdigest())

    def read_outputs(self, blob: Blob) -> Mapping[str, Json]:
        """Outputs that lie in a file. Raises DamagedFile when it is not what was recorded."""
        return blobs.load(self.layout.outputs, blob)

    def adopt_outputs(self, run_id: str, blob: Blob) -> None:
        """Take over a file of outputs from another run: it never changes, so a link will do."""
        source = self.layout.directory.parent / run_id / "outputs" / blob.file
        try:
            (self.layout.outputs / blob.file).hardlink_to(source)
        except FileNotFoundError:
            raise NotFoundError("file of outputs", str(source)) from None
        except OSError:
            shutil.copyfile(source, self.layout.outputs / blob.file)

    def artifacts(self, task_id: str) -> Path | None:
        """The directory of what a task has kept."""
        directory = self.layout.artifacts / file_name(task_id)
        return directory if directory.is_dir() else None

    def adopt_artifacts(self, run_id: str, task_ids: Iterable[str]) -> None:
        """Take over what tasks have kept in another run, as links where the system has them: it is there to be read."""
        source = RunLayout(self.layout.directory.parent / run_id).artifacts
        try:
            names = {path.name for path in source.iterdir() if path.is_dir()} if source.is_dir() else set()
            for name in names.intersection(map(file_name, task_ids)):
                shutil.copytree(
                    source / name, self.layout.artifacts / name, symlinks=True, copy_function=_link
                )
        except OSError as error:  # shutil.Error is one, and has no name of a file
            raise RecordError(f"cannot take over the artifacts of run '{run_id}': {error}") from error

    def close(self) -> None:
        """Flush and let go; of the lock last, whatever goes wrong before."""
        with contextlib.ExitStack() as last_first:
            last_first.callback(lock.release, self.layout.lock)
            if self.layout.scratch.is_dir():
                last_first.callback(shutil.rmtree, self.layout.scratch, ignore_errors=True)
            for file in self._files:
                last_first.callback(file.close)
            self.flush()

    def abandon(self) -> None:
        """Let go of a run that was created and has no facts: as if it had never been."""
        self._private.clear()
        self._public.clear()
        shutil.rmtree(self.layout.directory, ignore_errors=True)
        self.close()


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def _taken(run_id: str | None) -> RefusedError:
    return RefusedError(f"the run id '{run_id}' is taken", hint="choose another --run-id")


def _is_stillborn(directory: Path) -> bool:
    """Whether a run died here before it had a DAG: its id may be used again."""
    try:
        return {*os.listdir(directory)} <= _BEFORE_A_DAG  # noqa: PTH208 - names are all that is asked
    except OSError:
        return False


def _wait_for_bodies(layout: RunLayout) -> None:
    """A former owner's keeper holds a lock until the last body is gone, at most two seconds after its owner."""
    deadline = time.monotonic() + PATIENCE
    while lock.is_held(layout.bodies_lock):
        if time.monotonic() > deadline:
            raise RefusedError(
                f"run '{layout.directory.name}': bodies that its former owner started are still running",
                hint="end them, or wait until they end",
            )
        time.sleep(0.02)
