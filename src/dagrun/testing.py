"""Tools for tests, of dagrun and of its users: run a DAG in milliseconds, with a fake clock and plain functions as bodies.

outcome = scenario('''
    name: nightly
    tasks:
      - {id: load, workflow_ref: load, retries: 1}
      - {id: report, workflow_ref: report, depends_on: [load]}
''', bodies={"load": fails(1, then={"rows": 3})})
assert outcome.statuses == {"load": "success", "report": "success"}
assert outcome.params["report"] == {"load__rows": 3}
"""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dagrun.clock import FakeClock
from dagrun.core.events import DagStart, Event, TaskWait
from dagrun.core.graph import Graph
from dagrun.core.model import Dag
from dagrun.core.record import RunRecord
from dagrun.core.requests import Request
from dagrun.core.state import RunState
from dagrun.core.variants import base_id
from dagrun.core.work import Json
from dagrun.documents import dotenv, parameters
from dagrun.documents.dialects import detect
from dagrun.documents.validation.check import check
from dagrun.documents.yaml import DocumentError, Source
from dagrun.executors.inline import HANG, InlineExecutor
from dagrun.kinds import workflow_of
from dagrun.registry import Origin, Registry, Workflow
from dagrun.runtime.default_params import with_defaults
from dagrun.runtime.engine import Engine
from dagrun.runtime.prepared_run import PreparedRun
from dagrun.runtime.work_builder import WorkBuilder
from dagrun.settings import Settings
from dagrun.storage.memory import MemoryRuns
from dagrun.value import Value
from dagrun.views.status import RunView, view_of

__all__ = [
    "HANG",
    "FakeClock",
    "InlineExecutor",
    "MemoryRuns",
    "ScenarioResult",
    "dag",
    "fails",
    "run",
    "scenario",
]

#: The values that an approval or a signal comes with; or the reason of a rejection.
Answer = Mapping[str, Json] | str
Body = Callable[[dict[str, Json]], Any]


class ScenarioResult(Value):
    """The result of a scenario."""

    state: RunState
    view: RunView
    record: RunRecord
    executor: InlineExecutor
    clock: FakeClock

    @property
    def statuses(self) -> dict[str, str]:
        """Each task's final state."""
        return {task.id: task.status for task in self.view.tasks}

    @property
    def reasons(self) -> dict[str, str]:
        """The reason of each task's final state."""
        return {task.id: task.reason for task in self.view.tasks}

    @property
    def started(self) -> list[str]:
        """The tasks that were started, in order, once per attempt."""
        return [task_id for task_id, _ in self.executor.started]

    @property
    def params(self) -> dict[str, dict[str, Json]]:
        """What each task received."""
        return self.executor.params

    def events(self, name: str | None = None) -> Sequence[Event]:
        """The recorded events, all or those of one name."""
        return [event for event in self.record.events if name in (None, event.name)]


def dag(text: str) -> Dag:
    """A DAG from YAML. Workflows need not be registered. Raises DocumentError."""
    source = Source.inline(textwrap.dedent(text))
    written = detect.to_dag(source.load(), source, "scenario")
    findings = [*written.findings, *check(written, None)]
    if any(finding.level == "error" for finding in findings):
        raise DocumentError(findings, source)
    return written.dag


def fails(times: int, then: Any = None, error: str = "boom") -> Body:
    """A body that raises `error` the first `times` times, then returns `then`."""
    calls = 0

    def body(_: dict[str, Json]) -> Any:
        nonlocal calls
        calls += 1
        if calls <= times:
            raise RuntimeError(error)
        return then

    return body


def scenario(
    text: str,
    bodies: Mapping[str, Body] | None = None,
    *,
    params: Mapping[str, Json] | None = None,
    max_parallel: int = 8,
    at: Mapping[float, Callable[[Engine], None]] | None = None,
    answers: Mapping[str, Answer] | None = None,
) -> ScenarioResult:
    """Run a DAG with bodies by task id or workflow name; tasks without one do nothing.

    `at` maps seconds after the start, on the fake clock, to functions that are called with the engine then. `answers` maps
    tasks that wait for an approval or a signal to the values that are given at once, or to the reason of a rejection;
    without one the run pauses, and the scenario ends.
    """
    return asyncio.run(
        run(
            dag(text),
            InlineExecutor(bodies),
            params=params,
            max_parallel=max_parallel,
            at=at,
            answers=answers,
        )
    )


async def run(
    what: Dag,
    executor: InlineExecutor,
    *,
    max_parallel: int = 8,
    at: Mapping[float, Callable[[Engine], None]] | None = None,
    params: Mapping[str, Json] | None = None,
    chance: float = 0.5,
    answers: Mapping[str, Answer] | None = None,
) -> ScenarioResult:
    """Run a DAG on a given executor. With `chance` 0.5 retries have no jitter."""

    def answer(event: Event, _: RunState) -> None:
        if isinstance(event, TaskWait) and (request := _request(event, answers or {})) is not None:
            engine.request(request)

    clock, runs, graph = FakeClock(), MemoryRuns(), Graph.compile(what)
    writer = runs.create(what, clock.now())
    state = RunState(graph)
    prepared = with_defaults(_prepared(graph, params or {}), writer.run_id, clock.now(), {})
    bodies = WorkBuilder(
        prepared,
        Settings(root=Path.cwd()),
        state,
        writer.run_id,
        writer.read_outputs,
        writer.artifacts,
        environment={},
    )
    engine = Engine(
        state=state, writer=writer, executor=executor, clock=_Interrupting(clock, dict(at or {})),
        bodies=bodies, chance=lambda: chance, listener=answer,
    )  # fmt: skip
    engine.clock.engine = engine  # type: ignore[attr-defined]
    start = DagStart(
        timestamp=clock.now(), task_count=graph.task_count, dag_path="<scenario>", dag_hash=writer.dag_hash,
        max_parallel=what.max_parallel or max_parallel, params=prepared.params,
    )  # fmt: skip
    async with asyncio.timeout(30):
        state = await engine.run(start)
    writer.close()
    return ScenarioResult(state, view_of(state, writer.run_id), runs.read(writer.run_id), executor, clock)


def _request(wait: TaskWait, answers: Mapping[str, Answer]) -> Request | None:
    """What somebody answers when a task, or a variant of it, begins to wait."""
    found = answers.get(wait.task_id, answers.get(base_id(wait.task_id)))
    if found is None or not wait.is_for_someone:
        return None
    if isinstance(found, str):
        reject = Request("reject", "somebody", {"task": wait.task_id, "reason": found})
        return reject if wait.is_approval else None
    if wait.signal is not None:
        return Request("signal", "somebody", {"signal": wait.signal, "inputs": found})
    return Request("approve", "somebody", {"task": wait.task_id, "inputs": found})


class _Interrupting:
    """A fake clock that calls functions at given moments."""

    def __init__(self, clock: FakeClock, at: dict[float, Callable[[Engine], None]]) -> None:
        self.clock = clock
        self.at = {clock.now() + seconds: action for seconds, action in at.items()}
        self.engine: Engine | None = None

    def now(self) -> float:
        return self.clock.now()

    async def wait(self, event: asyncio.Event, until: float | None) -> None:
        due = min(self.at, default=None)
        if due is None or (until is not None and until < due):
            await self.clock.wait(event, until)
            return
        await self.clock.wait(event, due)
        if not event.is_set() and self.clock.now() >= due and self.engine is not None:
            self.at.pop(due)(self.engine)


def _prepared(graph: Graph, params: Mapping[str, Json]) -> PreparedRun:
    bodies = (*(node.task for node in graph.nodes), *(hook.task for hook in graph.dag.hooks))
    refs = {ref for task in bodies if (ref := workflow_of(task)) is not None}
    origin = Origin("module", "scenario")
    known = Registry({ref: Workflow(ref, "", (), True, origin, "") for ref in refs})
    deferred = parameters.deferred(graph.dag, params)
    values = parameters.resolve(graph.dag, params)
    files = {path: dotenv.read(Path(path), path).values for path in dotenv.paths(graph.dag)}
    return PreparedRun(graph, "<scenario>", values, known, dotenv=files, deferred=deferred)
