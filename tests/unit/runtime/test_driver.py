"""A driver drives a stretch, polls for requests of other processes, and can cancel the run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dagrun.clock import SteadyClock
from dagrun.core.events import Event
from dagrun.core.graph import Graph
from dagrun.core.model import Dag
from dagrun.core.outcomes import RunStatus
from dagrun.core.requests import Request
from dagrun.core.state import RunState
from dagrun.executors.inline import HANG, InlineExecutor
from dagrun.runtime.driver import RunDriver
from dagrun.runtime.prepared_run import PreparedRun
from dagrun.settings import Settings
from dagrun.storage.memory import MemoryRun, MemoryRuns
from tests.unit.lives import REGISTRY
from tests.unit.test_groups import call


class Drive:
    """One driver over memory; `then` is called when its task has started."""

    def __init__(self, body: Any, then: Callable[[Drive], None] = lambda _: None) -> None:
        graph = Graph.compile(Dag(name="d", tasks=(call("a"),)))
        self.runs, self.clock, self.ticks = MemoryRuns(), SteadyClock(), 0
        self.writer = self.runs.create(graph.dag, 0.0, "r")
        self.executor = InlineExecutor({"a": body})
        self.then = then
        self.driver = RunDriver(
            PreparedRun(graph, "", {}, REGISTRY), Settings(root=Path("/nowhere")), self.writer, self.executor,
            self.clock, self.listen, self.tick,
        )  # fmt: skip

    def listen(self, event: Event, state: RunState) -> None:
        if event.name == "task_start":
            asyncio.get_running_loop().call_later(0.001, self.then, self)  # once the body runs

    def tick(self) -> None:
        self.ticks += 1

    def status(self) -> RunStatus:
        return asyncio.run(self.driver.run()).status

    @property
    def events(self) -> Sequence[Event]:
        return self.runs.read("r").events

    @property
    def run(self) -> MemoryRun:
        return self.runs.runs["r"]


def test_a_run_is_driven_to_its_end() -> None:
    drive = Drive(lambda _: {"n": 1})
    assert drive.status() is RunStatus.SUCCESS
    assert [event.name for event in drive.events] == ["task_start", "task_ok", "dag_done"]


def test_a_cancel_is_recorded_with_its_author() -> None:
    drive = Drive(lambda _: HANG, lambda it: it.driver.cancel("ann", "enough"))
    assert drive.status() is RunStatus.CANCELLED
    (requested,) = [event for event in drive.events if event.name == "cancel_requested"]
    assert (requested.by, requested.reason) == ("ann", "enough")  # type: ignore[attr-defined]


def test_a_request_of_another_process_is_found_while_the_run_waits() -> None:
    drive = Drive(lambda _: HANG, lambda it: it.run.pending_requests.append(Request("cancel", "bob", {})))
    assert drive.status() is RunStatus.CANCELLED
    assert drive.ticks > 0


def test_a_request_that_comes_too_late_is_recorded_as_ignored() -> None:
    drive = Drive(lambda _: {})

    async def main() -> None:
        close = drive.executor.close

        async def close_late() -> None:
            drive.run.pending_requests.append(Request("cancel", "bob", {}))
            await close()

        drive.executor.close = close_late  # type: ignore[method-assign]
        await drive.driver.run()

    asyncio.run(main())
    assert drive.events[-1].name == "cancel_ignored"
