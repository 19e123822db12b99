"""A run in memory through several lives: begun, cut off anywhere, taken up again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dagrun.app.service import RunObserver, RunResult, Service
from dagrun.clock import FakeClock
from dagrun.core.events import Event
from dagrun.core.graph import Graph
from dagrun.core.model import Dag
from dagrun.core.record import replay
from dagrun.core.requests import Request
from dagrun.core.state import RunState
from dagrun.executors.inline import InlineExecutor
from dagrun.registry import Origin, Registry, Workflow
from dagrun.runtime.engine import Engine
from dagrun.runtime.prepared_run import PreparedRun
from dagrun.settings import Settings
from dagrun.storage.memory import MemoryRun, MemoryRuns

Body = Callable[[dict[str, Any]], Any]
REGISTRY = Registry({"w": Workflow("w", "", (), True, Origin("module", "lives"), "")})


class Watcher(RunObserver):
    """Hears of every fact; does `then` after the fact number `at`."""

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
        return Service(Settings(root=self.root), self.runs, self.clock, lambda: executor, lambda: REGISTRY)

    def begin(self, path: str = "", **params: Any) -> RunResult:
        """The first stretch."""
        return self.service.run(PreparedRun(Graph.compile(self.dag), path, params, REGISTRY), "r")

    def resume(self, **more: Any) -> RunResult | None:
        """The next one."""
        return self.service.resume("r", **more)

    def cancel(self) -> None:
        """A cancel from outside, while nobody drives the run."""
        self.service.cancel("r", "me", "enough")

    @property
    def run(self) -> MemoryRun:
        return self.runs.runs["r"]

    @property
    def facts(self) -> Sequence[Event]:
        """The journal."""
        return self.runs.read("r").events

    def names(self) -> list[str]:
        """The journal in words."""
        return [f"{fact.name} {getattr(fact, 'task_id', '')}".strip() for fact in self.facts]

    def folded(self) -> RunState:
        """The state that the journal tells."""
        return replay(self.runs.read("r"))

    def cut(self, length: int) -> Life:
        """The same run, killed when so many facts were on record."""
        life = Life(self.dag, self.bodies, self.root)
        run = MemoryRun("r", self.run.dag)
        run.journal, run.live = self.run.journal[:length], False
        life.runs.runs["r"] = run
        return life

    def wish(self, what: str = "cancel") -> None:
        """A request in the inbox."""
        self.run.pending_requests.append(Request(what, "me", {"reason": "enough"}))


def cancelled_at(dag: Dag, bodies: Mapping[str, Body], moment: int) -> tuple[RunState, MemoryRuns]:
    """A run that is cancelled right after its fact number `moment` (0: before the first)."""
    runs, clock = MemoryRuns(), FakeClock()
    writer = runs.create(dag, clock.now(), "r")
    state = RunState(Graph.compile(dag))
    service = Service(
        Settings(root=Path("/nowhere")), runs, clock, lambda: InlineExecutor(), lambda: REGISTRY
    )
    prepared = PreparedRun(state.graph, "", {}, REGISTRY)
    watcher = Watcher(moment)

    async def drive() -> RunState:
        from dagrun.runtime.work_builder import WorkBuilder

        engine = Engine(
            state=state, writer=writer, executor=InlineExecutor(bodies), clock=clock, chance=lambda: 0.5,
            listener=watcher.event,
            bodies=WorkBuilder(prepared, service.settings, state, "r", writer.read_outputs, writer.artifacts, environment={}),
        )  # fmt: skip
        watcher.then = lambda: engine.cancel("me", "enough")
        if not moment:
            watcher.then()
        async with asyncio.timeout(20):
            return await engine.run(service._start(prepared, writer))

    ended = asyncio.run(drive())
    writer.close()
    return ended, runs
