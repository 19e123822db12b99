"""Laws that hold for every run, whatever its shape and however its bodies end."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagrun.core.completion import attempt_end
from dagrun.core.decide import decide, wake_at
from dagrun.core.decisions import Cancel, Finish, Skip, Start
from dagrun.core.event_lines import Encoder, decode
from dagrun.core.events import (
    CancelRequested,
    DagDone,
    DagStart,
    HookEnd,
    HooksStart,
    HookStart,
    TaskCancel,
    TaskFail,
    TaskOk,
    TaskRetry,
    TaskSkip,
    TaskStart,
    TaskWait,
)
from dagrun.core.executor_protocol import PrefetchListener
from dagrun.core.graph import Graph
from dagrun.core.hooks import due, due_late, id_of
from dagrun.core.model import Action, Dag, Dependency, OnError, Retry, Sla, Task, Trigger
from dagrun.core.outcomes import FINAL, RunStatus, Status
from dagrun.core.state import RunState
from dagrun.core.variants import base_id
from dagrun.core.work import Attempt, AttemptResult, Json, Result, Work
from dagrun.executors.inline import HANG, InlineExecutor
from dagrun.kinds.shell import ShellAction
from dagrun.kinds.workflow import WorkflowAction
from dagrun.runtime.engine import Engine
from dagrun.testing import Answer, ScenarioResult, run
from dagrun.value import Value, replace
from tests.unit.harness import WAITS, hooks, names_of, shapes, task


class Story(Value):
    """A DAG, how each attempt ends, how many turns of the loop it takes, and when the run is cancelled.

    Up to `ahead` attempts are prefetched; `seed` determines when they begin and when they are returned.
    """

    dag: Dag
    ends: Mapping[str, tuple[str, ...]]
    turns: Mapping[str, int]
    max_parallel: int
    cancel_at: float | None
    ahead: int
    seed: int


class Shuffling(InlineExecutor):
    """Begins bodies after some turns of the loop, so that they end in another order than they were started in.

    What is queued begins or is given back as chance will have it. As with real workers, one that is to be stopped may just
    have been begun.
    """

    def __init__(self, bodies: Mapping[str, Callable[[dict[str, Json]], Any]], story: Story) -> None:
        super().__init__(bodies, story.ahead)
        self.turns = story.turns
        self.early: set[str] = set()
        self.chance = random.Random(story.seed)

    def _begin_next(self) -> None:
        """Some queued attempts are returned; the others wait only if another attempt will end."""
        self._return([queued for queued in self._prefetched if self.chance.random() < 0.3])
        if not self._active or self.chance.random() < 0.7:
            super()._begin_next()

    def _return(self, attempts: Sequence[tuple[Work, PrefetchListener]]) -> None:
        self.early -= {work.attempt.task_id for work, _ in attempts}
        super()._return(attempts)

    def _run(self, work: Work, finish: Callable[[AttemptResult], None]) -> None:
        self._after(self.turns[base_id(work.attempt.task_id)], work, finish)

    def _after(self, turns: int, work: Work, finish: Callable[[AttemptResult], None]) -> None:
        if turns and work.attempt.task_id not in self.early:
            asyncio.get_running_loop().call_soon(self._after, turns - 1, work, finish)
        elif work.attempt.task_id in self.early:
            self.early.discard(work.attempt.task_id)
            finish(AttemptResult(duration=0.0, error="ended by SIGTERM", error_type="Terminated"))
        else:
            super()._run(work, finish)

    def stop(self, attempt: Attempt, *, now: bool = False) -> None:
        waits = any(work.attempt == attempt for work, _ in self._prefetched)
        if attempt.task_id in self._hanging or (waits and self.chance.random() < 0.7):
            super().stop(attempt, now=now)
        else:
            self.early.add(attempt.task_id)


BODIES: st.SearchStrategy[Action] = st.sampled_from([ShellAction(("true",)), WorkflowAction("w")])


@st.composite
def tasks(draw: st.DrawFn, name: str, above: list[str]) -> Task:
    """One task; one that may hang has a timeout, or something else ends it."""
    retry = Retry(retries=draw(st.integers(0, 2)), initial=draw(st.sampled_from([0.0, 1.0, 7.0])))
    most = draw(st.sampled_from([0, 0, 1, 3])) if above else 0
    needs = draw(st.lists(st.sampled_from(above), unique=True, max_size=most)) if most else []
    return Task(
        id=name,
        action=draw(st.one_of(BODIES, BODIES, WAITS)),
        needs=tuple(Dependency(need, draw(st.sampled_from([None, None, None, *Trigger]))) for need in needs),
        trigger=draw(st.sampled_from([Trigger.SUCCESS, *Trigger])),
        only_if_changed=bool(needs) and draw(st.booleans()),
        retry=retry,
        timeout=draw(st.sampled_from([5.0, 20.0])),
        continue_on_failure=draw(st.booleans()),
        on_error=draw(st.sampled_from([None, None, *OnError])),
        **draw(shapes()),
    )


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Any run of up to twelve tasks in any order in the file."""
    names = [f"t{i}" for i in range(draw(st.sampled_from([1, 2, 4, 8, 12, 12])))]
    drawn: list[Task] = []
    above: list[str] = []  # tasks, and variants that the document names
    for name in names:
        drawn.append(draw(tasks(name, above)))
        above += [name, *(names_of(drawn[-1]) if drawn[-1].matrix is not None else ())]
    dag = Dag(
        name="any",
        tasks=tuple(draw(st.permutations(drawn))),
        on_error=draw(st.sampled_from(OnError)),
        timeout=draw(st.sampled_from([None, None, 30.0])),
        hooks=draw(hooks()),
        sla=draw(st.sampled_from([None, None, Sla(finish_within=2.0)])),
    )
    ends = {
        name: tuple(draw(st.lists(st.sampled_from("OUFH"), min_size=3, max_size=3)))
        for each in drawn
        for name in names_of(each)
    }
    for hook in dag.hooks:
        ends[hook.task.id] = (draw(st.sampled_from("OUFH")),)
    turns = {name: draw(st.integers(0, 5)) for name in (*names, *(hook.task.id for hook in dag.hooks))}
    cancel_at = draw(st.sampled_from([None, None, 0.0, 3.0]))
    ahead, seed = draw(st.sampled_from([0, 1, 3, 12])), draw(st.integers(0, 99))
    return Story(dag, ends, turns, draw(st.sampled_from([1, 2, 2, 3, 4])), cancel_at, ahead, seed)


def body(name: str, ends: tuple[str, ...]) -> Callable[[dict[str, Json]], Any]:
    """Each attempt ends as it was drawn: well, badly, or not by itself."""
    left = iter(ends)

    def attempt(_: dict[str, Json]) -> Any:
        match next(left):
            case "O":
                return {"from": name}
            case "U":
                return Result({"from": name}, changed=False)
            case "F":
                raise RuntimeError("boom")
        return HANG

    return attempt


def run_of(story: Story) -> ScenarioResult:
    """Run it."""
    executor = Shuffling({name: body(name, ends) for name, ends in story.ends.items()}, story)

    def cancel(engine: Engine) -> None:
        engine.cancel("somebody")

    at = {} if story.cancel_at is None else {story.cancel_at: cancel}
    signalled = {each.id for each in story.dag.tasks if each.action.signal is not None}
    answers: dict[str, Answer] = {
        name: {"from": name} if ends[0] in "OU" or base_id(name) in signalled else "no"
        for name, ends in story.ends.items()
    }
    return asyncio.run(run(story.dag, executor, max_parallel=story.max_parallel, at=at, answers=answers))


def law(check: Callable[[Story, ScenarioResult], None]) -> Callable[[], None]:
    """A law is checked against many stories."""

    @settings(max_examples=40, deadline=None)
    @given(stories())
    def checked(story: Story) -> None:
        check(story, run_of(story))

    checked.__name__ = check.__name__
    return checked


@law
def test_every_task_ends_in_exactly_one_final_state_with_a_reason(
    story: Story, outcome: ScenarioResult
) -> None:
    ends = [
        event
        for event in outcome.events()
        if event.name in ("task_ok", "task_fail", "task_skip", "task_cancel")
    ]
    assert sorted(getattr(event, "task_id") for event in ends) == sorted(outcome.state.index)  # noqa: B009
    assert {each.id for each in story.dag.tasks} <= outcome.state.index.keys()
    assert all(state.status in FINAL and state.reason for state in outcome.state.tasks)


@law
def test_a_group_ends_last_and_as_its_variants_did(story: Story, outcome: ScenarioResult) -> None:
    place = {getattr(event, "task_id", ""): i for i, event in enumerate(outcome.events())}
    for node in outcome.state.nodes:
        if node.members is None:
            continue
        ends = {outcome.state.tasks[i].status for i in node.members}
        assert all(place[outcome.state.nodes[i].task.id] < place[node.task.id] for i in node.members)
        match outcome.state.tasks[node.index].status:
            case Status.FAILED:
                assert ends & {Status.FAILED, Status.TIMED_OUT}
            case Status.SUCCESS:
                assert ends <= {Status.SUCCESS, Status.SKIPPED}
            case status:
                assert status in ends
                assert not ends & {Status.FAILED, Status.TIMED_OUT}


@law
def test_no_more_variants_run_at_once_than_their_group_lets(story: Story, outcome: ScenarioResult) -> None:
    most = {each.id: each.max_parallel for each in story.dag.tasks}
    running: dict[str, set[str]] = {name: set() for name in most}
    for event in outcome.events():
        task_id = getattr(event, "task_id", "")
        match event.name:
            case "task_start":
                running[base_id(task_id)].add(task_id)
                assert len(running[base_id(task_id)]) <= (most[base_id(task_id)] or 99)
            case "task_ok" | "task_fail" | "task_retry" | "task_cancel":
                running[base_id(task_id)].discard(task_id)


@law
def test_folding_the_recorded_events_gives_the_live_state(story: Story, outcome: ScenarioResult) -> None:
    encoder, again = Encoder("r", "any", "local-dev"), RunState(Graph.compile(story.dag))
    for event in outcome.events():
        read = decode(json.loads(encoder.encode(event)[0]))
        assert read is not None
        again.apply(read)
    assert again.tasks == outcome.state.tasks
    assert again.hooks.states == outcome.state.hooks.states
    assert (again.status, again.reason, again.duration) == (
        outcome.state.status, outcome.state.reason, outcome.state.duration,
    )  # fmt: skip
    assert decide(again, outcome.clock.now()) is None


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(stories(), st.data())
def test_where_no_failure_stops_the_run_the_outcome_does_not_depend_on_timing(
    story: Story, data: st.DataObject
) -> None:
    """Whatever ends first, and however many run at once: each task ends as the table says."""
    tasks = tuple(replace(task, on_error=None) for task in story.dag.tasks)
    dag = replace(story.dag, tasks=tasks, on_error=OnError.CONTINUE, timeout=None)
    one = replace(story, dag=dag, cancel_at=None)
    turns = {name: data.draw(st.integers(0, 5)) for name in story.turns}
    other = replace(
        one, turns=turns, max_parallel=data.draw(st.integers(1, 12)), ahead=data.draw(st.integers(0, 12))
    )
    results = [
        [(task.status, task.reason, task.detail, task.attempt) for task in run_of(each).view.tasks]
        for each in (one, other)
    ]
    assert results[0] == results[1]


@law
def test_no_task_starts_before_its_dependencies_have_ended(story: Story, outcome: ScenarioResult) -> None:
    needs = {each.id: {need.task for need in each.needs} for each in story.dag.tasks}
    ended: set[str] = set()
    for event in outcome.events():
        match event.name, getattr(event, "task_id", ""):
            case "task_start", task_id:
                assert needs[base_id(task_id)] <= ended
            case (("task_ok" | "task_fail" | "task_skip" | "task_cancel"), task_id):
                ended.add(task_id)


@law
def test_no_more_attempts_run_at_once_than_may(story: Story, outcome: ScenarioResult) -> None:
    of_late = len(outcome.events("run_late"))  # its hooks take no slot, and run one by one
    assert outcome.executor.most_at_once <= story.max_parallel + of_late
    running: set[str] = set()
    for event in outcome.events():
        match event.name, getattr(event, "task_id", ""):
            case "task_start", task_id:
                running.add(task_id)
                assert len(running) <= story.max_parallel
            case (("task_ok" | "task_fail" | "task_retry" | "task_cancel"), task_id):
                running.discard(task_id)
    assert not running


@law
def test_every_recorded_start_is_a_start_and_nothing_starts_twice(
    story: Story, outcome: ScenarioResult
) -> None:
    begun = [(each.task_id, each.attempt) for each in outcome.events() if isinstance(each, TaskStart)]
    begun += [(id_of(each.hook), each.attempt) for each in outcome.events() if isinstance(each, HookStart)]
    assert sorted(begun) == sorted(outcome.executor.started)
    assert len(set(begun)) == len(begun)


@law
def test_what_a_task_waited_for_has_ended_before_it_starts(story: Story, outcome: ScenarioResult) -> None:
    needs = {each.id: {need.task for need in each.needs} for each in story.dag.tasks}
    ended: set[str] = set()
    for event in outcome.events():
        if isinstance(event, TaskStart) and event.waited_for is not None:
            kind, _, cause = event.waited_for.partition(":")
            assert cause in ended
            assert kind != "dependency" or cause in needs[base_id(event.task_id)]
            assert kind != "group" or base_id(cause) == base_id(event.task_id)
        elif isinstance(event, TaskOk | TaskFail | TaskSkip | TaskCancel | TaskRetry):
            ended.add(event.task_id)


@law
def test_no_retry_begins_before_its_time(story: Story, outcome: ScenarioResult) -> None:
    due: dict[str, float] = {}
    for event in outcome.events():
        if isinstance(event, TaskRetry):
            due[event.task_id] = round(event.timestamp + event.delay_seconds, 3)
        elif isinstance(event, TaskStart):
            assert event.timestamp >= due.get(event.task_id, 0.0)


@law
def test_attempts_are_counted_and_bounded(story: Story, outcome: ScenarioResult) -> None:
    started: dict[str, int] = {}
    for event in outcome.events():
        if not isinstance(event, TaskStart | TaskWait):
            continue
        started[event.task_id] = started.get(event.task_id, 0) + 1
        assert event.attempt == started[event.task_id]
    for node, state in zip(outcome.state.nodes, outcome.state.tasks, strict=True):
        assert state.attempt == started.get(node.task.id, 0) <= node.task.retry.retries + 1


@law
def test_the_end_counts_every_task_once(story: Story, outcome: ScenarioResult) -> None:
    (done,) = outcome.events("dag_done")
    assert isinstance(done, DagDone)
    counts = outcome.view.counts()
    assert done.tasks_succeeded == counts["success"]
    assert done.tasks_failed == counts["failed"] + counts["timed_out"]
    assert (done.tasks_skipped, done.tasks_cancelled) == (counts["skipped"], counts["cancelled"])
    assert sum(counts.values()) == sum(node.members is None for node in outcome.state.nodes)
    assert outcome.events()[-1] is done or outcome.events()[-1].name == "cancel_ignored"


@law
def test_the_status_of_a_run_follows_from_its_tasks(story: Story, outcome: ScenarioResult) -> None:
    untolerated = list(outcome.state.failures())
    match outcome.view.status:
        case "success":
            assert not untolerated
        case "partial":
            assert untolerated
            assert "success" in outcome.statuses.values()
        case "cancelled":
            assert story.cancel_at is not None
        case status:
            assert status == "failed"
            assert untolerated or outcome.view.reason == "RunTimeout"


@law
def test_hooks_run_one_by_one_after_the_last_task_and_change_nothing(
    story: Story, outcome: ScenarioResult
) -> None:
    names = [event.name for event in outcome.events()]
    (done,) = outcome.events("dag_done")
    assert isinstance(done, DagDone)
    expected = due(story.dag, RunStatus(done.status))
    late = [event for event in outcome.events() if event.name == "run_late"]
    assert len(late) <= (story.dag.sla is not None)
    ran_late = [
        event.hook
        for event in outcome.events()
        if isinstance(event, HookEnd) and event.hook in due_late(story.dag)
    ]
    assert ran_late == (due_late(story.dag) if late else [])
    if not expected:
        assert "hooks_start" not in names
        return
    begin = names.index("hooks_start")
    first, *rest = outcome.events()[begin:]
    assert isinstance(first, HooksStart)
    assert (first.status, first.reason, list(first.hooks)) == (done.status, done.reason, expected)
    assert {event.name for event in rest} <= {
        "hook_start", "hook_end", "dag_done", "cancel_requested", "cancel_ignored",
    }  # fmt: skip
    ended = [event for event in rest if isinstance(event, HookEnd)]
    assert [event.hook for event in ended] == expected
    started = [event.hook for event in rest if isinstance(event, HookStart)]
    assert started == expected[: len(started)]
    if "cancel_requested" not in names[begin:]:
        assert started == expected
    assert all(state.status in FINAL for state in outcome.state.hooks.states.values())


@law
def test_a_success_is_passed_on_and_recorded(story: Story, outcome: ScenarioResult) -> None:
    waiting = {each.id for each in story.dag.tasks if not each.action.holds_slot}
    for event in outcome.events("task_ok"):
        assert isinstance(event, TaskOk)
        if base_id(event.task_id) in waiting:
            continue  # an approval without declared values, a signal that others wait for, too
        assert event.result == ({"from": event.task_id} if event.summary is None else {})
    for each in story.dag.tasks:
        for name, need in ((name, need) for name in names_of(each) for need in each.needs):
            if name in outcome.params and base_id(need.task) not in waiting:
                assert outcome.params[name].get(f"{need.task}__from") == handed_on(outcome, need.task)


def handed_on(outcome: ScenarioResult, task_id: str) -> Json:
    """What a task gives to those below it: its own name, or a map with those of its variants; None: nothing."""
    node = outcome.state.nodes[outcome.state.index[task_id]]
    if node.members is None:
        return task_id if outcome.statuses[task_id] == "success" else None
    variants = [outcome.state.nodes[i] for i in node.members]
    good = [each for each in variants if outcome.statuses[each.task.id] == "success"]
    return {each.variant.key: each.task.id for each in good if each.variant is not None} or None


@law
def test_time_never_goes_backwards_in_a_journal(story: Story, outcome: ScenarioResult) -> None:
    moments = [event.timestamp for event in outcome.events()]
    assert moments == sorted(moments)


# --- what a run costs ---


def chain_of(count: int) -> Dag:
    return Dag(name="long", tasks=(task("t0"), *(task(f"t{i}", f"t{i - 1}") for i in range(1, count))))


def fan_of(count: int) -> Dag:
    middle = [task(f"t{i}", "root") for i in range(count - 2)]
    return Dag(name="wide", tasks=(task("root"), *middle, task("join", *(each.id for each in middle))))


def layers_of(count: int) -> Dag:
    """Ten to a layer, each needing all ten above."""
    names = [f"t{i}" for i in range(count)]
    above = [names[(i // 10 - 1) * 10 : i // 10 * 10] if i >= 10 else [] for i in range(count)]
    return Dag(name="layers", tasks=tuple(map(task, names[:0])) + tuple(
        task(name, *needs) for name, needs in zip(names, above, strict=True)
    ))  # fmt: skip


def driven(dag: Dag, *, failing: str = "") -> RunState:
    """A run without an engine: every decision is followed at once by its event, which is not recorded."""
    graph = Graph.compile(dag)
    state = RunState(graph)
    state.apply(
        DagStart(timestamp=0.0, task_count=len(graph.nodes), dag_path="", dag_hash="", max_parallel=8)
    )
    while (decision := decide(state, 0.0)) is not None:
        match decision:
            case Start(node, attempt, _):
                state.apply(TaskStart(timestamp=0.0, task_id=node.task.id, attempt=attempt, kind="shell"))
                error = "boom" if node.task.id == failing else None
                state.apply(attempt_end(state, node, AttemptResult(duration=0.0, error=error), 0.0, 0.5))
            case Skip(node, reason, detail):
                state.apply(TaskSkip(timestamp=0.0, task_id=node.task.id, reason=str(reason), detail=detail))
            case Cancel(node, reason):
                state.apply(TaskCancel(timestamp=0.0, task_id=node.task.id, reason=str(reason)))
            case Finish():
                return state
            case _:
                raise AssertionError(decision)
    raise AssertionError("the run did not end")


def steps_are_few(dag: Dag, failing: str = "") -> None:
    state = driven(dag, failing=failing)
    edges = sum(len(each.needs) for each in dag.tasks)
    assert all(each.status is not Status.PENDING for each in state.tasks)
    assert state.frontier.steps <= 4 * (len(dag.tasks) + edges)


@pytest.mark.parametrize("shape", [chain_of, fan_of], ids=["chain", "fan"])
@pytest.mark.parametrize("failing", ["", "t5"], ids=["well", "failing"])
def test_a_run_costs_a_few_steps_for_each_task_and_edge(shape: Callable[[int], Dag], failing: str) -> None:
    steps_are_few(shape(10_000), failing)


@pytest.mark.slow
def test_so_does_a_run_of_100_000_tasks() -> None:
    steps_are_few(fan_of(100_000))


def test_many_edges_cost_a_few_steps_each() -> None:
    dag = layers_of(10_000)
    edges = sum(len(each.needs) for each in dag.tasks)
    assert driven(dag).frontier.steps <= 4 * (len(dag.tasks) + edges)


# --- tasks that survive a failure ---


def stopped(dag: Dag) -> RunState:
    """A run whose task `bad` failed and stopped it while `cleanup`, which survives that, waits for a retry."""
    state = RunState(Graph.compile(dag))
    state.apply(DagStart(timestamp=0.0, task_count=2, dag_path="", dag_hash="", max_parallel=2))
    for name in ("cleanup", "bad"):
        state.apply(TaskStart(timestamp=0.0, task_id=name, attempt=1, kind="shell"))
    again = {"error": "boom", "error_type": "E", "attempt": 1}
    state.apply(TaskRetry(timestamp=0.0, task_id="cleanup", delay_seconds=90.0, **again))  # type: ignore[arg-type]
    state.apply(TaskFail(timestamp=0.0, task_id="bad", **again))  # type: ignore[arg-type]
    assert decide(state, 0.0) is None
    return state


SURVIVOR = Task(id="cleanup", action=ShellAction(("true",)), trigger=Trigger.ALWAYS, retry=Retry(retries=1))


def test_a_cancel_reaches_a_survivor_that_waits_for_a_retry() -> None:
    state = stopped(Dag(name="d", tasks=(SURVIVOR, task("bad"))))
    state.apply(CancelRequested(timestamp=1.0, by="me"))
    assert isinstance(decide(state, 1.0), Cancel)


def test_the_runs_timeout_reaches_a_survivor() -> None:
    state = stopped(Dag(name="d", tasks=(SURVIVOR, task("bad")), timeout=60.0))
    assert wake_at(state) == 60.0
    assert isinstance(decide(state, 60.0), Cancel)
