"""The bookkeeping of a stretch: why a task starts when it does, and what a stop spares. (See also test_decide.)"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from dagrun.core.decide import decide
from dagrun.core.decisions import Start
from dagrun.core.events import DagResume, DagStart, Event, TaskFail, TaskOk, TaskRetry, TaskStart
from dagrun.core.graph import Graph
from dagrun.core.model import Action, Dag, Matrix, Task, Trigger
from dagrun.core.outcomes import Outcome, Reason
from dagrun.core.state import RunState
from dagrun.testing import ScenarioResult
from tests.unit.harness import played, task


def run_of(*tasks: Task, max_parallel: int = 2) -> RunState:
    state = RunState(Graph.compile(Dag(name="d", tasks=tasks)))
    state.apply(DagStart(timestamp=0.0, task_count=1, dag_path="", dag_hash="", max_parallel=max_parallel))
    return state


def began(task_id: str, attempt: int = 1) -> TaskStart:
    return TaskStart(timestamp=1.0, task_id=task_id, attempt=attempt, kind="shell")


@dataclass(frozen=True, slots=True)
class Idle(Action):
    """An action that holds no slot."""

    holds_slot: ClassVar[bool] = False
    kind: str = "idle"


def idle(name: str, *needs: str, **more: Any) -> Task:
    """A task that holds no slot."""
    return task(name, *needs, action=Idle(), **more)


def ok(task_id: str) -> TaskOk:
    return TaskOk(timestamp=2.0, task_id=task_id, attempt=1, duration_seconds=1.0)


def waited_for(state: RunState, task_id: str, *events: Event) -> str | None:
    for event in events:
        state.apply(event)
    return state.frontier.waited_for(state.index[task_id])


def recorded(outcome: ScenarioResult) -> dict[str, str | None]:
    """What the first attempt of each task waited for, as the journal records it."""
    starts = [event for event in outcome.events() if isinstance(event, TaskStart)]
    return {start.task_id: start.waited_for for start in reversed(starts)}


# --- why a task starts when it does ---


def test_a_task_without_dependencies_waits_for_nothing() -> None:
    assert waited_for(run_of(task("a")), "a") is None


def test_a_task_waits_for_the_dependency_that_ends_last() -> None:
    state = run_of(task("a"), task("b"), task("c", "a", "b"))
    assert waited_for(state, "c", began("a"), began("b"), ok("b"), ok("a")) == "dependency:a"


def test_a_task_waits_for_the_task_that_frees_a_slot() -> None:
    state = run_of(task("a"), task("b"), task("c"))
    assert waited_for(state, "c", began("a"), began("b"), ok("b")) == "slot:b"


def test_a_slot_that_was_free_before_is_not_what_a_task_waited_for() -> None:
    state = run_of(task("a"), task("b"), task("c", "a"))
    assert waited_for(state, "c", began("a"), began("b"), ok("b"), ok("a")) == "dependency:a"


def test_an_end_while_a_slot_is_free_lets_nothing_start() -> None:
    state = run_of(task("a"), task("b", "a"), task("c"), max_parallel=3)
    assert waited_for(state, "b", began("a"), began("c"), ok("a"), ok("c")) == "dependency:a"


def test_a_variant_waits_for_the_one_before_it_in_a_group_with_a_limit() -> None:
    outcome = played(
        task("list"), task("each", "list", for_each="${{ tasks.list.outputs.x }}", max_parallel=1),
        bodies={"list": lambda _: {"x": [1, 2]}}, max_parallel=3,
    )  # fmt: skip
    assert recorded(outcome) == {"list": None, "each[0]": "dependency:list", "each[1]": "group:each[0]"}


def test_the_reason_of_each_start_is_recorded() -> None:
    outcome = played(task("a"), task("b"), task("c", "a"), max_parallel=1)
    assert recorded(outcome) == {"a": None, "b": "slot:a", "c": "slot:b"}


def test_a_retry_waits_for_its_delay_alone_unless_all_slots_are_taken_then() -> None:
    retry = TaskRetry(timestamp=2.0, task_id="a", attempt=1, error="e", error_type="E", delay_seconds=0.0)
    state = run_of(task("a"), task("b"), task("c"))
    waited_for(state, "a", began("a"), began("b"), retry)
    state.frontier.retry_due(0)
    assert waited_for(state, "a") is None
    assert waited_for(state, "a", began("c"), ok("b")) == "slot:b"


def test_after_a_resume_nothing_of_the_earlier_stretch_is_a_reason() -> None:
    state = run_of(task("a"), task("b", "a"))
    resume = DagResume(timestamp=9.0, reused=["a"], rerun=["b"], dag_hash="")
    assert waited_for(state, "b", began("a"), ok("a"), resume) is None


# --- tasks that hold no slot ---


def startable(state: RunState) -> list[str]:
    """The tasks that start now, in order."""
    found = []
    while isinstance(decision := decide(state, 1.0), Start):
        found.append(decision.node.task.id)
        state.apply(began(found[-1]))
    return found


def test_a_task_that_holds_no_slot_starts_although_all_slots_are_taken() -> None:
    assert startable(run_of(task("a"), task("b"), idle("c"), idle("d"), max_parallel=1)) == ["a", "c", "d"]


def test_of_the_tasks_that_may_start_the_first_in_the_file_starts_first() -> None:
    assert startable(run_of(idle("a"), task("b"), idle("c"), task("d"))) == ["a", "b", "c", "d"]


def test_a_task_that_holds_no_slot_frees_none() -> None:
    state = run_of(task("a"), task("b"), idle("c"), max_parallel=1)
    assert startable(state) == ["a", "c"]
    state.apply(ok("c"))
    assert startable(state) == []
    assert waited_for(state, "b", ok("a")) == "slot:a"


def test_the_limit_of_a_group_holds_for_variants_without_a_slot_too() -> None:
    each = idle("each", matrix=Matrix(axes={"x": ("1", "2", "3")}), max_parallel=2)
    state = run_of(each, max_parallel=1)
    assert startable(state) == ["each[x=1]", "each[x=2]"]
    assert waited_for(state, "each[x=3]", ok("each[x=1]")) == "group:each[x=1]"
    assert startable(state) == ["each[x=3]"]


# --- what a stop spares, and what it counts as failed ---


def test_a_stop_spares_tasks_that_handle_failures() -> None:
    state = run_of(task("a"), task("b"), task("undo", "b", trigger=Trigger.FAILURE))
    fail = TaskFail(timestamp=2.0, task_id="a", attempt=1, error="e", error_type="E")
    for event in (began("a"), began("b"), fail):
        state.apply(event)
    assert [state.frontier.spares(i) for i in range(3)] == [False, False, True]
    assert state.outcome(1) is Outcome.FAILED, "the stop ends it, however it ends"


def test_a_stronger_stop_spares_nothing_and_a_weaker_one_changes_nothing() -> None:
    state = run_of(task("undo", trigger=Trigger.FAILURE))
    state.stop(Reason.CANCELLED)
    state.stop(Reason.STOP_ALL)
    assert state.frontier.stopping is Reason.CANCELLED
    assert not state.frontier.spares(0)
