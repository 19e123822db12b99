"""Prefetching is optional: an executor of five methods is enough for the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from dagrun.core.executor_protocol import Executor, Prefetching
from dagrun.core.model import Dag
from dagrun.core.work import Attempt, AttemptResult, Work
from dagrun.executors.inline import InlineExecutor
from dagrun.kinds.workflow import WorkflowAction
from dagrun.testing import run
from tests.unit.harness import task


class Plain:
    """The five methods."""

    def __init__(self) -> None:
        self.inner = InlineExecutor()
        self.directory: Path | None = None

    async def open(self, directory: Path, bodies_lock: Path | None) -> None:
        self.directory = directory

    def start(self, work: Work, done: Callable[[AttemptResult], None]) -> None:
        self.inner.start(work, done)

    def stop(self, attempt: Attempt, *, now: bool = False) -> None:
        self.inner.stop(attempt, now=now)

    def leave(self, directory: Path) -> None:
        """Nothing to forget."""

    async def close(self) -> None:
        """Nothing to end."""


def test_the_engine_runs_with_an_executor_that_cannot_prefetch() -> None:
    executor: Executor = Plain()
    tasks = tuple(task(f"t{n}", action=WorkflowAction("w")) for n in range(20))
    outcome = asyncio.run(run(Dag(name="d", tasks=tasks), cast(Any, executor), max_parallel=2))
    assert set(outcome.statuses.values()) == {"success"}


def test_the_executor_gets_the_directory_of_the_run() -> None:
    executor = Plain()
    outcome = asyncio.run(run(Dag(name="d", tasks=(task("t"),)), cast(Any, executor)))
    assert executor.directory is not None
    assert executor.directory.name == outcome.view.run_id


def test_only_an_executor_with_all_methods_can_prefetch() -> None:
    assert isinstance(InlineExecutor(), Prefetching)
    assert not isinstance(Plain(), Prefetching)
