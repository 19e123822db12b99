"""Settings to Service: the only file that combines files, local processes and the clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from dagrun.process import lean_asyncio
from dagrun.settings import Settings

if TYPE_CHECKING:
    from dagrun.app.documents import Documents
    from dagrun.app.service import Service
    from dagrun.executors.local.executor import LocalExecutor
    from dagrun.executors.local.registry_reader import RegistryReader
    from dagrun.registry import Registry
    from dagrun.scheduling.enqueuer import Record, Report
    from dagrun.scheduling.schedule_queries import CheckedFiles
    from dagrun.scheduling.scheduler import Scheduler, SchedulerSignals

T = TypeVar("T")


class _Local:
    """The local executors of a service: one for each run, one that reads the registry, one in reserve. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._reserve: LocalExecutor | None = None
        self._reader: tuple[LocalExecutor, RegistryReader] | None = None
        self._taken: list[LocalExecutor] = []
        self._registry: Registry | None = None
        self._registry_lock = threading.Lock()

    def fork(self) -> None:
        """Have an executor, and so a keeper, in reserve."""
        with self._lock:
            self._reserve = self._reserve or self._new()

    def executor(self) -> LocalExecutor:
        """An executor for one run, which closes it. It has the workers that read the registry, if they are idle."""
        with self._lock:
            taken, self._reserve = self._reserve or self._new(), None
            self._taken = [*(each for each in self._taken if not each.is_closed), taken]
            return taken

    def registry(self) -> Registry:
        """Every registered workflow. Read once; other threads wait for it, but can start runs meanwhile."""
        with self._registry_lock:
            if self._registry is None:
                executor, reader = self._reading()
                self._registry = reader.read(self._settings.workflows)
                with self._lock:
                    self._reader = None
                    if self._reserve is None:
                        self._reserve = executor
                    else:
                        executor.shut()
            return self._registry

    def prefetch_registry(self) -> None:
        """Begin to read the registry in another process, because it will be needed soon."""
        if self._registry is None and self._registry_lock.acquire(
            blocking=False
        ):  # else another thread reads it
            try:
                if self._reader is None:
                    _, reader = self._reading()
                    reader.start(self._settings.workflows)
            finally:
                self._registry_lock.release()

    def _reading(self) -> tuple[LocalExecutor, RegistryReader]:
        """The executor that reads the registry."""
        from dagrun.executors.local.registry_reader import RegistryReader

        with self._lock:
            if self._reader is None:
                executor, self._reserve = self._reserve or self._new(), None
                self._reader = executor, RegistryReader(executor, self._settings.import_patience_ms / 1000)
            return self._reader

    def _new(self) -> LocalExecutor:
        from dagrun.executors.local.executor import LocalExecutor  # slow to import; most queries do without

        return LocalExecutor(self._settings.root, self._settings.kill_grace_ms / 1000)

    def end_bodies(self, run_id: str) -> None:
        """End what a run whose process died has left running."""
        from dagrun.executors.local import orphans
        from dagrun.run_layout import RunLayout

        orphans.end(RunLayout(self._settings.path(self._settings.runs_dir) / run_id).bodies_lock)

    def shut(self) -> None:
        """End every process that is left."""
        with self._lock:
            reading = [] if self._reader is None else [self._reader[0]]
            for executor in (*self._taken, *reading, *([self._reserve] if self._reserve else [])):
                executor.shut()


@contextmanager
def documents(settings: Settings) -> Iterator[Documents]:
    """Answers about the documents of a project, for commands that do not need the rest of the service."""
    from dagrun.app.documents import Documents

    local = _Local(settings)
    try:
        yield Documents(settings, local.registry, local.prefetch_registry)
    finally:
        local.shut()


@contextmanager
def service(settings: Settings, *, runs: bool = False) -> Iterator[Service]:
    """A service for one project. When the block ends, all processes that it started have ended, except launched runs.

    With `runs` a keeper is forked at once, while this process is small and holds no lock.
    """
    from dagrun.app.service import Service
    from dagrun.clock import SteadyClock
    from dagrun.storage.files import FileRuns
    from dagrun.storage.jsonl import Rotation

    local = _Local(settings)
    if runs:
        local.fork()
        lean_asyncio.load()  # after the fork: bodies get the whole one
    store = FileRuns(
        settings.path(settings.runs_dir),
        settings.path(settings.events_path),
        settings.durability,
        Rotation(settings.rotate_bytes, settings.rotate_keep),
    )
    made = Service(
        settings,
        store,
        SteadyClock(),
        local.executor,
        local.registry,
        local.end_bodies,
        local.prefetch_registry,
    )
    try:
        yield made
    finally:
        made.close()
        local.shut()


@contextmanager
def scheduler(
    service: Service,
    files: CheckedFiles,
    on_line: Record,
    report: Report,
    make_bell: Callable[[Callable[[], None]], AbstractContextManager[SchedulerSignals]],
) -> Iterator[Scheduler]:
    """A scheduler whose runs are processes of their own.

    `on_line` is called with every line of the state store. `make_bell` makes the object that wakes the scheduler up; its
    argument is a function that collects the ends of processes.
    """
    from dagrun import state_store
    from dagrun.core.hooks import SCHEDULER_KEYS
    from dagrun.scheduling.hook_processes import HookProcesses
    from dagrun.scheduling.open_runs import OpenRuns
    from dagrun.scheduling.run_processes import RunProcesses
    from dagrun.scheduling.scheduler import Scheduler

    settings = service.settings
    directory, store = service.claims_directory, state_store.of(settings)
    runner = RunProcesses(
        service.runs, OpenRuns(directory / ".open"), settings.root, service.schedules.known_dag
    )
    hooks = None
    if keys := set(settings.hooks) & set(SCHEDULER_KEYS):
        _ = service.documents.project_hooks  # wrong ones are refused now
        hooks = HookProcesses(settings.root, keys, _never_failing(report))
    with closing(runner), make_bell(runner.reap) as bell:
        made = Scheduler(
            files, directory, runner, store.record, _never_failing(report), time.time, bell,
            limit=settings.sched_max_parallel, tick=settings.sched_tick_ms / 1000, grace=settings.sched_grace_ms / 1000,
            home=str(files.directory), records_of=store.about, notify=_never_failing(on_line),
            hooks=hooks,
        )  # fmt: skip
        with closing(made):
            yield made


def _never_failing(report: Callable[[T], None]) -> Callable[[T], None]:
    """The same callback, except that a closed or full output does not stop the scheduler."""

    def attempt(value: T) -> None:
        with suppress(OSError, ValueError):
            report(value)

    return attempt
