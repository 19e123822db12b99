"""Settings to Service: the one file that names files, local processes and the clock together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from dagrun.settings import Settings

if TYPE_CHECKING:
    from dagrun.app.documents import Documents
    from dagrun.app.service import Service
    from dagrun.executors.local.executor import LocalExecutor
    from dagrun.executors.local.registry_reader import RegistryReader
    from dagrun.registry import Registry
    from dagrun.scheduling.enqueuer import Record, Report
    from dagrun.scheduling.schedule_queries import CheckedFiles
    from dagrun.scheduling.scheduler import Scheduler

T = TypeVar("T")


class _Means:
    """What a service works with on this machine; each part is made when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._foreseen = False
        self._executor: LocalExecutor | None = None

    def executor(self) -> LocalExecutor:
        """An executor that is open. Each run closes its own, so the next run gets a new one. Forks the keeper."""
        from dagrun.executors.local.executor import (
            LocalExecutor,  # asyncio, which no answer needs that runs nothing
        )

        if self._executor is None or self._executor.is_closed:
            self._executor = LocalExecutor(
                self.settings.root,
                self.settings.kill_grace_ms / 1000,
            )
        return self._executor

    @cached_property
    def registry(self) -> Registry:
        return self._reader.read(self.settings.workflows)

    @cached_property
    def _reader(self) -> RegistryReader:
        """Reads the registry with the keeper of the next run."""
        from dagrun.executors.local.registry_reader import RegistryReader

        return RegistryReader(self.executor(), self.settings.import_patience_ms / 1000)

    def foresee_registry(self) -> None:
        if "registry" not in self.__dict__ and not self._foreseen:
            self._foreseen = True
            self._reader.start(self.settings.workflows)

    def end_bodies(self, run_id: str) -> None:
        """End what a run that nobody drives any more has left running."""
        from dagrun.executors.local import orphans
        from dagrun.run_layout import RunLayout

        orphans.end(RunLayout(self.settings.path(self.settings.runs_dir) / run_id).bodies_lock)

    def shut(self) -> None:
        if self._executor is not None:
            self._executor.shut()


@contextmanager
def documents(settings: Settings) -> Iterator[Documents]:
    """Answers about one project's documents, for those who ask nothing about runs and need not wait for it."""
    from dagrun.app.documents import Documents

    means = _Means(settings)
    try:
        yield Documents(settings, lambda: means.registry, means.foresee_registry)
    finally:
        means.shut()


@contextmanager
def service(settings: Settings, *, runs: bool = False) -> Iterator[Service]:
    """A service over one project; everything it started is gone when the block ends.

    With `runs` the keeper is forked at once, while this process is small and holds no lock.
    """
    from dagrun.app.service import Service
    from dagrun.clock import SteadyClock
    from dagrun.storage.files import FileRuns
    from dagrun.storage.jsonl import Rotation

    means = _Means(settings)
    if runs:
        means.executor()
    try:
        yield Service(
            settings,
            FileRuns(
                settings.path(settings.runs_dir),
                settings.path(settings.events_path),
                settings.durability,
                Rotation(settings.rotate_bytes, settings.rotate_keep),
            ),
            SteadyClock(),
            means.executor,
            lambda: means.registry,
            means.end_bodies,
            means.foresee_registry,
        )
    finally:
        means.shut()


def unheard(say: Callable[[T], None]) -> Callable[[T], None]:
    """Say something to whoever listens: that nobody can be told must not stop what is told of."""

    def attempt(what: T) -> None:
        with suppress(OSError, ValueError):
            say(what)

    return attempt


@contextmanager
def scheduler(serving: Service, files: CheckedFiles, notify: Record, report: Report) -> Iterator[Scheduler]:
    """A scheduler whose runs are processes of their own. `notify` receives every line of the state store. Main thread only."""
    from dagrun import state_store
    from dagrun.scheduling.launcher import Processes, SignalBell
    from dagrun.scheduling.open_runs import OpenRuns
    from dagrun.scheduling.scheduler import Scheduler

    settings = serving.settings
    directory, store = serving.claims_directory, state_store.of(settings)

    runner = Processes(serving.runs, OpenRuns(directory / ".open"), settings.root, serving.known_dag)
    bell = SignalBell(runner.reap)
    try:
        made = Scheduler(
            files, directory, runner, store.record, unheard(report), time.time, bell, limit=settings.sched_max_parallel,
            tick=settings.sched_tick_ms / 1000, grace=settings.sched_grace_ms / 1000, home=str(files.directory),
            records_of=store.about, notify=unheard(notify),
        )  # fmt: skip
        try:
            yield made
        finally:
            made.close()
    finally:
        bell.close()
