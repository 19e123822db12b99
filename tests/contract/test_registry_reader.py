"""Reading the registry: user modules are imported by workers, and one that fails costs only itself."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagrun.core.work import AttemptResult, Call
from dagrun.executors.local.executor import LocalExecutor
from dagrun.executors.local.registry_reader import RegistryReader
from tests.contract.harness import Ends, work

GOOD = """
from dagrun import workflow

@workflow("greet")
def greet(name: str): return {"said": f"hello {name}"}
"""


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[LocalExecutor]:
    (tmp_path / "good.py").write_text(GOOD)
    executor = LocalExecutor(tmp_path)
    yield executor
    executor.shut()


def test_every_workflow_is_known_and_no_module_is_imported_here(executor: LocalExecutor) -> None:
    registry = RegistryReader(executor).read(["good.py"])
    assert "greet" in registry.workflows
    assert registry.failures == ()
    assert "good" not in sys.modules


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import sys; sys.exit(3)", "it calls sys.exit(3) while it is imported"),
        ("import os; os._exit(3)", "it ends the process while it is imported"),
        ("import time; time.sleep(1000)", "it is still being imported after 1 s"),
    ],
)
def test_a_module_that_fails_is_reported_and_the_others_are_read(
    tmp_path: Path, executor: LocalExecutor, text: str, error: str
) -> None:
    (tmp_path / "bad.py").write_text(text)
    registry = RegistryReader(executor, patience=1.0).read(["bad.py", "good.py"])
    assert "greet" in registry.workflows
    (failure,) = registry.failures
    assert failure.error.endswith(error)


def test_reading_may_be_started_in_advance_and_its_worker_then_runs_calls(
    tmp_path: Path, executor: LocalExecutor
) -> None:
    reader = RegistryReader(executor)
    reader.start(["good.py"])
    workflow = reader.read(["good.py"]).workflows["greet"]
    (reading,) = executor.pool.workers

    async def story() -> AttemptResult:
        ends = Ends()
        await executor.open(tmp_path, None)
        (tmp_path / "logs").mkdir()
        origin = {"kind": workflow.origin.kind, "target": workflow.origin.target}
        its = work(tmp_path, Call(ref="greet", origin=origin), params={"name": "you"})
        executor.start(its, ends.of("t"))
        assert [*executor.pool.workers] == [reading]
        await ends.wait()
        await executor.close()
        return ends.all[0][1]

    assert asyncio.run(story()).outputs == {"said": "hello you"}
