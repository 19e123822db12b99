"""A run that is interrupted anywhere and resumed ends like one that was not, and repeats nothing that was recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagrun.app.stretch import RunResult
from dagrun.core.events import Event, HookEnd, TaskOk, TaskStart, TaskWait
from dagrun.core.hooks import id_of, is_hook
from dagrun.core.model import Action, Dag, Dependency, Hook, OnError, Retry, Task, Trigger
from dagrun.core.outcomes import FINAL, Status
from dagrun.core.record import RunRecord, replay
from dagrun.core.selection import Selection
from dagrun.core.variants import base_id, is_of
from dagrun.core.work import Result
from dagrun.kinds.workflow import WorkflowAction
from dagrun.value import replace
from dagrun.views.status import view_of
from tests.unit.harness import WAITS, hooks, names_of, shapes
from tests.unit.lives import Body, Life, cancelled_at

#: The behaviour of a body: how often it fails first, and whether it then changes something.
Ways = Mapping[str, tuple[int, bool]]


def bodies(ways: Ways) -> dict[str, Body]:
    """New bodies: a new process does not know how often they failed."""

    def body(name: str, failures: int, changed: bool) -> Body:
        calls = 0

        def call(_: dict[str, Any]) -> Result:
            nonlocal calls
            calls += 1
            if calls <= failures:
                raise RuntimeError(f"{name} fails")
            return Result({"k": f"of {name}"}, changed=changed)

        return call

    return {name: body(name, *way) for name, way in ways.items()}


CALLS: st.SearchStrategy[Action] = st.just(WorkflowAction("w"))
ACTIONS = st.one_of(CALLS, CALLS, WAITS)


def rejected(ways: Ways) -> set[str]:
    """The tasks that are rejected if somebody is asked about them."""
    return {name for name, (failures, _) in ways.items() if failures}


@st.composite
def worlds(draw: st.DrawFn, on_error: OnError = OnError.CONTINUE) -> tuple[Dag, Ways]:
    """A small DAG of tasks of all forms, and the behaviour of their bodies."""
    tasks: list[Task] = []
    ways: dict[str, tuple[int, bool]] = {}
    for number in range(draw(st.integers(1, 6))):
        name = f"t{number}"
        above = [task.id for task in tasks]
        needs = draw(st.lists(st.sampled_from(above), unique=True, max_size=3)) if above else []
        condition = None
        if needs:
            condition = draw(
                st.sampled_from([None, None, "always()", f"tasks.{needs[0]}.status == 'success'"])
            )
        tasks.append(
            Task(
                id=name, action=draw(ACTIONS), needs=tuple(map(Dependency, needs)), condition=condition,
                trigger=draw(st.sampled_from(Trigger)), only_if_changed=bool(needs) and draw(st.booleans()),
                retry=Retry(retries=draw(st.integers(0, 2))), continue_on_failure=draw(st.booleans()),
                **draw(shapes()),
            )
        )  # fmt: skip
        for each in names_of(tasks[-1]):
            ways[each] = draw(st.sampled_from([0, 0, 0, 1, 9])), draw(st.booleans())
    dag = Dag(
        name="d", tasks=tuple(tasks), on_error=on_error, max_parallel=draw(st.integers(1, 3)),
        hooks=draw(hooks()),
    )  # fmt: skip
    for hook in dag.hooks:
        ways[hook.task.id] = draw(st.sampled_from([0, 0, 9])), True
    return dag, ways


def begun(life: Life, ways: Ways) -> RunResult:
    """The whole run, with somebody who answers each time it pauses; its last stretch."""
    first = life.begin()
    return life.answer(rejected(ways)) or first


def resumed(life: Life, ways: Ways) -> RunResult | None:
    """The rest of a run, in the same way; None: nothing is left to do."""
    first = life.resume()
    return life.answer(rejected(ways)) or first


def succeeded(events: Any) -> list[str]:
    return [event.task_id for event in events if isinstance(event, TaskOk)]


def started(life: Life) -> set[str]:
    """The tasks that were started."""
    begun = {task_id for executor in life.executors for task_id, _ in executor.started}
    return {task_id for task_id in begun if not is_hook(task_id)}


def holds_of(life: Life, kept: list[str]) -> None:
    """Assertions for every run that was interrupted and has ended since."""
    events = life.events
    assert not started(life) & set(kept), "what had succeeded ran again"
    done = succeeded(events)
    assert len(done) == len(set(done)), "a success was recorded twice"
    last = max(i for i, event in enumerate(events) if event.name in ("dag_resume", "dag_start"))
    assert [event.name for event in events[last:]].count("dag_done") == 1
    assert events[-1].name == "dag_done"
    numbers: dict[str, int] = {}
    for event in events:
        if isinstance(event, TaskStart | TaskWait):
            assert event.attempt == numbers.get(event.task_id, 0) + 1, "attempts are numbered on"
            numbers[event.task_id] = event.attempt


def flows(life: Life) -> None:
    """Every body got the outputs of those direct dependencies that had succeeded, whichever stretch they ran in."""
    state = life.folded()
    handed: dict[str, Any] = {
        node.task.id: f"of {node.task.id if task.wait is None else task.wait.signal}"
        for node, task in zip(state.nodes, state.tasks, strict=True)
        if task.status is Status.SUCCESS and (task.wait is None or task.wait.signal is not None)
    }
    for node in state.nodes:
        if node.members is not None:
            variants = [state.nodes[i] for i in node.members]
            good = {
                each.variant.key: handed[each.task.id]
                for each in variants
                if each.variant and each.task.id in handed
            }
            handed[node.task.id] = good or None
    for executor in life.executors:
        for task_id, params in executor.params.items():
            if is_hook(task_id):
                continue
            task = next(task for task in life.run.dag.tasks if task.id == base_id(task_id))
            expected = {f"{need.task}__k": handed[need.task] for need in task.needs if handed.get(need.task)}
            assert params == expected


def statuses(life: Life) -> dict[str, tuple[str, str, bool | None]]:
    state = life.folded()
    return {
        node.task.id: (str(task.status), task.reason, task.changed)
        for node, task in zip(state.nodes, state.tasks, strict=True)
    }


@pytest.mark.slow
@given(worlds())
@settings(max_examples=25, deadline=None)
def test_resuming_from_every_prefix_ends_like_the_uninterrupted_run(world: tuple[Dag, Ways]) -> None:
    dag, ways = world
    whole = Life(dag, lambda: bodies(ways))
    end = begun(whole, ways).view
    for length in range(len(whole.events)):
        life = whole.cut(length)
        ended = resumed(life, ways)
        assert ended is not None
        assert (ended.view.status, ended.view.reason) == (end.status, end.reason)
        assert statuses(life) == statuses(whole)
        holds_of(life, succeeded(whole.events[:length]))
        flows(life)


@given(worlds(OnError.STOP_ALL))
@settings(max_examples=15, deadline=None)
def test_a_run_that_a_failure_stops_keeps_what_succeeded(world: tuple[Dag, Ways]) -> None:
    # Which tasks a failure cuts off depends on which ran beside it; what holds is the outcome and what is kept.
    dag, ways = world
    whole = Life(dag, lambda: bodies(ways))
    begun(whole, ways)
    for length in range(len(whole.events)):
        life = whole.cut(length)
        resumed(life, ways)
        holds_of(life, succeeded(whole.events[:length]))
        flows(life)


@given(worlds(), st.lists(st.floats(0, 1, exclude_max=True), min_size=2, max_size=5))
@settings(max_examples=40, deadline=None)
def test_a_run_may_be_cut_off_again_and_again(world: tuple[Dag, Ways], cuts: list[float]) -> None:
    dag, ways = world
    whole = life = Life(dag, lambda: bodies(ways))
    begun(whole, ways)
    for where in cuts:
        length = int(where * len(life.events))
        kept = succeeded(life.events[:length])
        life = life.cut(length)
        ended = resumed(life, ways)
        if ended is None:  # it had ended well before the cut
            continue
        holds_of(life, kept)
        assert ended.view == view_of(life.folded(), "r"), "the live state and the recorded one differ"
    assert statuses(life) == statuses(whole)


@given(worlds(), st.integers(0, 60))
@settings(max_examples=40, deadline=None)
def test_a_cancelled_prefix_is_cancelled_whole_and_can_be_resumed(
    world: tuple[Dag, Ways], length: int
) -> None:
    dag, ways = world
    whole = Life(dag, lambda: bodies(ways))
    begun(whole, ways)
    life = whole.cut(length % len(whole.events))
    kept = succeeded(life.events)
    outcome = life.folded().hooks.outcome  # once hooks run, a cancel ends only them
    life.cancel()
    state = life.folded()
    if outcome is None:
        assert (state.status, state.reason) == ("cancelled", "Cancelled: enough")
    else:
        assert (state.status, state.reason) == (outcome.status, outcome.reason)
    assert {task.status for task in state.tasks} <= {
        Status.SUCCESS, Status.FAILED, Status.TIMED_OUT, Status.SKIPPED, Status.CANCELLED,
    }  # fmt: skip
    assert not started(life)
    ended = resumed(life, ways)
    assert ended is not None or state.status == "success"
    assert statuses(life) == statuses(whole)
    holds_of(life, kept)


@given(worlds(), st.sampled_from(OnError))
@settings(max_examples=25, deadline=None)
def test_a_cancel_at_every_moment_ends_the_run(world: tuple[Dag, Ways], policy: OnError) -> None:
    dag, ways = world
    dag = replace(dag, on_error=policy)
    whole = Life(dag, lambda: bodies(ways))
    whole.begin()
    for moment in range(len(whole.events)):
        state, runs = cancelled_at(dag, bodies(ways), moment)
        events = runs.read("r").events
        if events[-1].name == "dag_pause":  # nobody answers, and the cancel came too late
            continue
        assert [event.name for event in events].count("dag_done") == 1
        names = [event.name for event in events]
        assert view_of(state, "r") == view_of(folded(runs), "r")
        if "cancel_requested" not in names:  # it came when the end was decided
            assert state.status == whole.folded().status
            continue
        before, after = names[: names.index("cancel_requested")], names[names.index("cancel_requested") :]
        if "hooks_start" in before:
            assert state.status == whole.folded().status
            assert "hook_start" not in after, "after a cancel no more hooks start"
        else:
            assert state.status == "cancelled"
        assert "task_start" not in after, "after a cancel no task starts"
        assert all(task.status not in ("pending", "running", "retrying") for task in state.tasks)


def folded(runs: Any) -> Any:
    from dagrun.core.record import replay

    return replay(runs.read("r"))


@pytest.mark.parametrize("failing", [0, 9])
def test_hooks_go_on_where_they_were_when_nothing_else_is_left(failing: int) -> None:
    """Only the hook that ran when the process died runs again."""
    all_hooks = tuple(
        Hook(on=name, task=Task(id=id_of(name), action=WorkflowAction("w")))
        for name in ("on_success", "on_exit")
    )
    ways = {"a": (0, True), "b": (0, True), "c": (0, True), "hook:on_success": (failing, True)}
    whole = Life(replace(CHAIN, hooks=all_hooks), lambda: bodies(ways))
    whole.begin()
    for length in range(len(whole.events)):
        life = whole.cut(length)
        life.resume()
        ends = [event.hook for event in life.events if isinstance(event, HookEnd)]
        assert ends == ["on_success", "on_exit"]
        assert life.folded().status == "success"


CHAIN = Dag(
    name="d",
    tasks=(
        Task(id="a", action=WorkflowAction("w")),
        Task(id="b", action=WorkflowAction("w"), needs=(Dependency("a"),)),
        Task(id="c", action=WorkflowAction("w"), needs=(Dependency("b"),)),
    ),
)


@pytest.mark.parametrize("lost", range(12))
def test_a_run_with_a_damaged_line_anywhere_is_resumed(lost: int) -> None:
    """What the line recorded is lost and may happen again; everything else is kept."""
    ways = {"a": (0, True), "b": (1, True), "c": (9, True)}
    whole = Life(CHAIN, lambda: bodies(ways))
    whole.begin()
    whole.resume()
    if lost >= len(whole.events):
        return
    life = whole.cut(len(whole.events))
    del life.run.journal[lost]
    kept = succeeded(life.events)
    ended = resumed(life, ways)
    assert ended is not None
    assert ended.view.status == "failed"
    assert not started(life) & set(kept)
    assert life.events[-1].name == "dag_done"


@given(worlds(), st.data())
@settings(max_examples=40, deadline=None)
def test_the_fold_accepts_any_events_in_any_order(world: tuple[Dag, Ways], data: st.DataObject) -> None:
    """A journal with missing or repeated lines can be read, and its run cancelled and resumed."""
    dag, ways = world
    whole = Life(dag, lambda: bodies(ways))
    begun(whole, ways)
    lines = data.draw(st.lists(st.sampled_from(whole.run.journal), max_size=12))
    for resume in (True, False):
        life = whole.cut(0)
        life.run.journal = list(lines)
        if resume:
            resumed(life, ways)
        else:
            life.cancel()
        events: list[Event] = list(life.events)
        assert life.folded().finished_at is not None
        assert events or not lines
        record: RunRecord = life.runs.read("r")
        assert record.corrupt == 0


@given(worlds(), st.data())
@settings(max_examples=40, deadline=None)
def test_a_rerun_repeats_nothing_good_that_nobody_asked_for(
    world: tuple[Dag, Ways], data: st.DataObject
) -> None:
    dag, ways = world
    life = Life(dag, lambda: bodies(ways))
    begun(life, ways)
    before = life.folded()
    asked = data.draw(st.lists(st.sampled_from(sorted(before.index)), min_size=1, max_size=2, unique=True))
    ended = asyncio.run(life.service.rerun("r", Selection(only=asked), "again"))
    ended = life.answer(rejected(ways), "again") or ended
    after = replay(life.runs.read("again"))
    assert all(task.status in FINAL for task in after.tasks)
    assert [task.status for task in after.tasks] == [task.status for task in ended.state.tasks]

    events = life.runs.read("again").events
    ran = {event.task_id for event in events if isinstance(event, TaskStart | TaskWait)}
    good = {node.task.id for node in before.nodes if before.tasks[node.index].status is Status.SUCCESS}
    for task_id in ran & good:
        task = dag_task(dag, task_id)
        above_ran = any(
            need.task not in good or any(is_of(each, need.task) for each in ran) for need in task.needs
        )
        made_anew = task.for_each is not None and above_ran
        assert made_anew or any(is_of(task_id, name) for name in asked), "a good result was not kept"
    for name in good - ran:
        if name in after.index and before.nodes[before.index[name]].members is None:
            assert after.tasks[after.index[name]].outputs == before.tasks[before.index[name]].outputs


def dag_task(dag: Dag, task_id: str) -> Task:
    return next(task for task in dag.tasks if task.id == base_id(task_id))
