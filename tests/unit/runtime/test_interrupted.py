"""An interrupted run is cancelled: the end of every task and of the run itself is recorded."""

from __future__ import annotations

from dagrun.clock import FakeClock
from dagrun.core.events import DagStart, Event, TaskOk, TaskStart
from dagrun.core.graph import Graph
from dagrun.core.model import Dag, Matrix
from dagrun.core.record import replay
from dagrun.core.requests import Request
from dagrun.core.state import RunState
from dagrun.runtime.interrupted import cancel_interrupted
from dagrun.storage.memory import MemoryRuns
from tests.unit.harness import task

CANCEL = Request("cancel", "me", {"reason": "enough"})


def cancelled(dag: Dag, *events: Event) -> RunState:
    """The state of a run with these events, after it was cancelled; read again from what was recorded."""
    runs, clock = MemoryRuns(), FakeClock()
    writer = runs.create(dag, clock.now())
    state = RunState(Graph.compile(dag))
    start = DagStart(timestamp=clock.now(), task_count=1, dag_path="", dag_hash="", max_parallel=1)
    for event in (start, *events):
        state.apply(event)
        writer.append(event)
    cancel_interrupted(state, writer, CANCEL, clock)
    return replay(runs.read(writer.run_id))


def statuses(state: RunState) -> dict[str, str]:
    return {node.task.id: str(state.tasks[node.index].status) for node in state.nodes}


def test_what_ran_and_what_waited_is_cancelled_and_what_succeeded_is_kept() -> None:
    dag = Dag(name="d", tasks=(task("a"), task("b", "a"), task("c", "b")))
    ok = TaskOk(timestamp=1.0, task_id="a", attempt=1, duration_seconds=0.0)
    begun = TaskStart(timestamp=2.0, task_id="b", attempt=1, kind="shell")
    state = cancelled(dag, ok, begun)
    assert statuses(state) == {"a": "success", "b": "cancelled", "c": "cancelled"}
    assert str(state.status) == "cancelled"


def test_a_group_ends_with_its_variants() -> None:
    state = cancelled(Dag(name="d", tasks=(task("m", matrix=Matrix(axes={"n": ("1", "2")})),)))
    assert set(statuses(state).values()) == {"cancelled"}


def test_a_run_that_has_ended_keeps_its_end() -> None:
    runs, clock = MemoryRuns(), FakeClock()
    dag = Dag(name="d", tasks=(task("a"),))
    writer = runs.create(dag, clock.now())
    state = RunState(Graph.compile(dag))
    start = DagStart(timestamp=clock.now(), task_count=1, dag_path="", dag_hash="", max_parallel=1)
    state.apply(start)
    writer.append(start)
    for _ in range(2):
        cancel_interrupted(state, writer, CANCEL, clock)
    names = [event.name for event in runs.read(writer.run_id).events]
    assert names == ["dag_start", "cancel_requested", "task_cancel", "dag_done", "cancel_ignored"]
