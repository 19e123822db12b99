"""A run in memory through several stretches: started, interrupted anywhere, resumed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from dagrun.app.queued_runs import QueuedRuns
from dagrun.app.service import Service
from dagrun.app.stretch import RunObserver, RunResult, Stretches
from dagrun.clock import FakeClock
from dagrun.core.events import Event
from dagrun.core.graph import Graph
from dagrun.core.model import Dag
from dagrun.core.outcomes import RunStatus, Status
from dagrun.core.record import replay
from dagrun.core.requests import Request
from dagrun.core.state import RunState
from dagrun.executors.inline import InlineExecutor
from dagrun.registry import Origin, Registry, Workflow
from dagrun.roles import Role
from dagrun.runtime.engine import Engine
from dagrun.runtime.prepared_run import PreparedRun
from dagrun.settings import Settings
from dagrun.storage.memory import MemoryRun, MemoryRuns

Body = Callable[[dict[str, Any]], Any]
REGISTRY = Registry({"w": Workflow("w", "", (), True, Origin("module", "lives"), "")})


class Watcher(RunObserver):
    """Counts events; calls `then` after event number `at`."""

    def __init__(self, at: int | None = None, then: Callable[[], None] = lambda: None) -> None:
        self.seen = 0
        self.at = at
        self.then = then

    def event(self, event: Event, state: RunState) -> None:
        self.seen += 1
        if self.seen == self.at:
            self.then()


class Life:
    """A store with one run, `r`. Every stretch has its own executor; `executors` has them all, in order."""

    def __init__(
        self, dag: Dag, bodies: Callable[[], Mapping[str, Body]] = dict, root: Path | None = None
    ) -> None:
        self.dag = dag
        self.bodies = bodies
        self.runs = MemoryRuns()
        self.clock = FakeClock()
        self.executors: list[InlineExecutor] = []
        self.root = root or Path("/nowhere")

    @property
    def service(self) -> Service:
        executor = InlineExecutor(self.bodies())
        self.executors.append(executor)
        settings = Settings(root=self.root, user_rbac_role=Role.OPERATOR)
        return Service(settings, self.runs, self.clock, lambda: executor, lambda: REGISTRY)

    def begin(self, path: str = "", **params: Any) -> RunResult:
        """The first stretch."""
        prepared = PreparedRun(Graph.compile(self.dag), path, params, REGISTRY)
        return asyncio.run(self.service.run(prepared, "r"))

    def resume(self, **more: Any) -> RunResult | None:
        """The next one."""
        return asyncio.run(self.service.resume("r", **more))

    def answer(self, rejected: Collection[str] = (), run_id: str = "r") -> RunResult | None:
        """Answer whatever the run waits for, one after the other, each time it pauses, until it ends; its last stretch."""
        ended = None
        while (state := replay(self.runs.read(run_id))).status is RunStatus.WAITING:
            node = next(
                node
                for node, task in zip(state.nodes, state.tasks, strict=True)
                if task.status is Status.WAITING
            )
            name, signal = node.task.id, node.task.action.signal
            if signal is not None:
                self.service.answers.signal(run_id, signal, "me", {"k": f"of {signal}"})
            elif name in rejected:
                self.service.answers.reject(run_id, name, "me", "no")
            else:
                self.service.answers.approve(run_id, name, "me", {})
            ended = asyncio.run(self.service.resume(run_id))
        return ended

    def cancel(self) -> None:
        """Cancel from another process, while no process drives the run."""
        self.service.cancel("r", "me", "enough")

    @property
    def run(self) -> MemoryRun:
        return self.runs.runs["r"]

    @property
    def events(self) -> Sequence[Event]:
        """The journal."""
        return self.runs.read("r").events

    def names(self) -> list[str]:
        """The names of the events, with their tasks."""
        return [f"{event.name} {getattr(event, 'task_id', '')}".strip() for event in self.events]

    def folded(self) -> RunState:
        """The state after all events of the journal."""
        return replay(self.runs.read("r"))

    def cut(self, length: int) -> Life:
        """The same run, killed when this many events were recorded."""
        life = Life(self.dag, self.bodies, self.root)
        run = MemoryRun("r", self.run.dag)
        run.journal, run.live = self.run.journal[:length], False
        life.runs.runs["r"] = run
        return life

    def request_cancel(self, what: str = "cancel") -> None:
        """A request in the inbox."""
        self.run.pending_requests.append(Request(what, "me", {"reason": "enough"}))


def cancelled_at(dag: Dag, bodies: Mapping[str, Body], moment: int) -> tuple[RunState, MemoryRuns]:
    """A run that is cancelled right after event number `moment` (0: before the first)."""
    runs, clock = MemoryRuns(), FakeClock()
    writer = runs.create(dag, clock.now(), "r")
    state = RunState(Graph.compile(dag))
    settings = Settings(root=Path("/nowhere"))
    stretches = Stretches(settings, runs, clock, InlineExecutor, QueuedRuns(runs, settings.root))
    prepared = PreparedRun(state.graph, "", {}, REGISTRY)
    watcher = Watcher(moment)

    async def drive() -> RunState:
        from dagrun.runtime.work_builder import WorkBuilder

        engine = Engine(
            state=state, writer=writer, executor=InlineExecutor(bodies), clock=clock, chance=lambda: 0.5,
            listener=watcher.event,
            bodies=WorkBuilder(prepared, settings, state, "r", writer.read_outputs, writer.artifacts, environment={}),
        )  # fmt: skip
        watcher.then = lambda: engine.cancel("me", "enough")
        if not moment:
            watcher.then()
        async with asyncio.timeout(20):
            return await engine.run(stretches.start_event(prepared, writer))

    ended = asyncio.run(drive())
    writer.close()
    return ended, runs
