"""The use cases over runs in memory: running, resuming, repeating, cancelling."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dagrun.app.service import Service
from dagrun.app.stretch import Cancellation
from dagrun.clock import FakeClock
from dagrun.core.graph import Graph
from dagrun.core.model import Dag
from dagrun.core.outcomes import RunStatus
from dagrun.core.selection import Selection
from dagrun.errors import NotFoundError, RefusedError
from dagrun.executors.inline import InlineExecutor
from dagrun.runtime.prepared_run import PreparedRun
from dagrun.scheduling.open_runs import OpenRun, OpenRuns
from dagrun.settings import Settings
from dagrun.storage.memory import MemoryRuns
from tests.unit.lives import REGISTRY, Life
from tests.unit.test_groups import call


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """A service over an empty store; every run has its own executor."""
    return Service(Settings(root=tmp_path), MemoryRuns(), FakeClock(), InlineExecutor, lambda: REGISTRY)


def prepared(*names: str) -> PreparedRun:
    return PreparedRun(Graph.compile(Dag(name="d", tasks=tuple(map(call, names)))), "", {}, REGISTRY)


def test_runs_on_one_loop_end_independently(service: Service) -> None:
    async def main() -> list[RunStatus]:
        ended = await asyncio.gather(*(service.run(prepared("a", "b"), f"r{n}") for n in range(5)))
        return [each.status for each in ended]

    assert asyncio.run(main()) == [RunStatus.SUCCESS] * 5
    assert sorted(service.runs.ids()) == [f"r{n}" for n in range(5)]


def test_a_cancellation_is_notified_before_the_run_exists(service: Service) -> None:
    existing: list[list[str]] = []

    class Watchful(Cancellation):
        def commit(self) -> None:
            existing.append(list(service.runs.ids()))

    asyncio.run(service.run(prepared("a"), "r", cancellation=Watchful()))
    assert existing == [[]]


def test_a_cancel_before_the_run_or_after_it_does_nothing(service: Service) -> None:
    cancellation = Cancellation()
    cancellation.cancel("me")
    cancellation.kill()
    result = asyncio.run(service.run(prepared("a"), "r", cancellation=cancellation))
    cancellation.cancel("me")
    cancellation.kill()
    assert result.status is RunStatus.SUCCESS


def test_a_run_id_is_used_once(service: Service) -> None:
    asyncio.run(service.run(prepared("a"), "r"))
    with pytest.raises(RefusedError, match="the run id 'r' is taken"):
        asyncio.run(service.run(prepared("a"), "r"))


def test_a_run_that_succeeded_has_nothing_to_resume(service: Service) -> None:
    asyncio.run(service.run(prepared("a"), "r"))
    assert asyncio.run(service.resume("r")) is None
    assert not service.is_live("r")


def test_a_run_that_cannot_be_resumed_is_released(service: Service) -> None:
    asyncio.run(service.run(prepared("a"), "r"))
    with pytest.raises(NotFoundError, match="document"):
        asyncio.run(service.resume("r", use_current=True))
    assert not service.is_live("r")


def test_a_rerun_names_the_run_that_it_repeats(service: Service) -> None:
    asyncio.run(service.run(prepared("a", "b"), "r"))
    ended = asyncio.run(service.rerun("r", Selection(only=["b"]), "again"))
    assert ended.state.start is not None
    assert (ended.state.start.trigger, ended.state.start.parent_run_id) == ("rerun", "r")
    assert ended.status is RunStatus.SUCCESS


def test_a_cancel_of_a_run_that_has_ended_changes_nothing(service: Service) -> None:
    asyncio.run(service.run(prepared("a"), "r"))
    assert service.cancel("r", "me").status == "success"


def test_a_cancel_ends_an_interrupted_run() -> None:
    life = Life(Dag(name="d", tasks=(call("a"), call("b", "a"))))
    life.begin()
    cut = life.cut(2)
    assert cut.service.cancel("r", "me", "enough").status == "cancelled"


def test_a_queued_run_can_be_cancelled_and_is_never_started(service: Service) -> None:
    queued = OpenRun(schedule_id="s", minute="2026-01-01 00:00", run_id="q", dag="gone.yaml", dag_name="d")
    OpenRuns(service.claims_directory / ".open").put(queued)
    assert service.status("q").status == "pending"
    assert service.cancel("q", "me").status == "cancelled"
    assert service.runs.has("q")
