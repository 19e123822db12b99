"""What the search calls impossible never happens: small DAGs, driven through the real fold in every way."""

from __future__ import annotations

import time
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from dagrun.bodies import Bodies
from dagrun.decisions import Ask, Drop, Finish, Skip, Start, Stop
from dagrun.events import DagStart, TaskCancel, TaskFail, TaskOk, TaskSkip, TaskStart
from dagrun.expressions import EvaluationError
from dagrun.graph import Graph
from dagrun.model import Action, Dag, Need, NoAction, OnError, ShellAction, Task, Trigger
from dagrun.outcomes import Status
from dagrun.prepared import Prepared
from dagrun.reachable import Search, is_plain
from dagrun.registry import Registry
from dagrun.settings import Settings
from dagrun.state import RunState
from dagrun.work import Blob, Json
from tests.unit.harness import load, task

CONDITIONS = [
    None, None, None, "failure()", "success()", "cancelled()", "always()", "true", "false", "!failure()",
    "failure() && success()", "failure() || cancelled()", "params.x", "!success() && params.x", "false && params.x",
]  # fmt: skip


@st.composite
def dags(draw: st.DrawFn) -> Dag:
    """Any small DAG."""
    names = [f"t{i}" for i in range(draw(st.integers(1, 6)))]
    return Dag(
        name="any",
        tasks=tuple(draw(tasks(names[:i], name)) for i, name in enumerate(names)),
        on_error=draw(st.sampled_from(OnError)),
    )


@st.composite
def tasks(draw: st.DrawFn, above: list[str], name: str) -> Task:
    needs = draw(st.lists(st.sampled_from(above), unique=True, max_size=3)) if above else []
    actions: list[Action] = [ShellAction(("true",)), ShellAction(("true",)), NoAction()]
    return Task(
        id=name,
        action=(action := draw(st.sampled_from(actions))),
        tolerated_exit_codes=draw(st.sampled_from([(), (), (2,)])),
        skip_on_exit_codes=draw(st.sampled_from([(), (), (9,)])) if isinstance(action, ShellAction) else (),
        needs=tuple(Need(need, draw(st.sampled_from([None, None, *Trigger]))) for need in needs),
        trigger=draw(st.sampled_from([Trigger.SUCCESS, Trigger.SUCCESS, *Trigger])),
        condition=draw(st.sampled_from(CONDITIONS)),
        unless=draw(st.sampled_from([None, None, None, "failure()", "params.x", "true"])),
        only_if_changed=draw(st.sampled_from([False, False, False, True])),
        continue_on_failure=draw(st.sampled_from([False, False, True])),
        on_error=draw(st.sampled_from([None, None, *OnError])),
    )


def started(dag: Dag, draw: st.DataObject) -> set[str]:
    """The tasks that start in one run, in which chance decides how and when each ends."""
    graph = Graph.compile(dag)
    state = RunState(graph)
    state.apply(DagStart(timestamp=0, task_count=len(dag.tasks), dag_path="", dag_hash="", max_parallel=9))
    ever: set[str] = set()
    while True:
        match state.next(1):
            case Start(node, attempt):
                ever.add(node.task.id)
                state.apply(
                    TaskStart(timestamp=1, task_id=node.task.id, attempt=attempt, kind=node.task.kind)
                )
                if isinstance(node.task.action, NoAction):
                    state.apply(
                        TaskOk(
                            timestamp=1,
                            task_id=node.task.id,
                            attempt=attempt,
                            duration_seconds=0,
                            changed=True,
                        )
                    )
            case Skip(node, reason, detail):
                state.apply(TaskSkip(timestamp=1, task_id=node.task.id, reason=str(reason), detail=detail))
            case Drop(node, reason) | Stop(node, reason):
                state.apply(TaskCancel(timestamp=1, task_id=node.task.id, reason=str(reason)))
            case Ask(node):
                answer = condition(state, graph, node.index, draw)
                if answer is None:
                    state.apply(
                        TaskFail(
                            timestamp=1, task_id=node.task.id, attempt=1, error="no value", error_type="E"
                        )
                    )
                else:
                    state.answer(node, answer)
            case Finish():
                return ever
            case None:
                running = [
                    task
                    for task, each in zip(dag.tasks, state.tasks, strict=True)
                    if each.status is Status.RUNNING
                ]
                end(state, draw.draw(st.sampled_from(running)), draw.draw(st.sampled_from("OUF29")))


def end(state: RunState, task: Task, how: str) -> None:
    """An attempt ends well, having changed something or not; or it fails, perhaps with an exit code."""
    if how in "OU":
        state.apply(TaskOk(timestamp=1, task_id=task.id, attempt=1, duration_seconds=1, changed=how == "O"))
        return
    code = int(how) if how.isdecimal() else None
    if code in task.skip_on_exit_codes:
        state.apply(TaskSkip(timestamp=1, task_id=task.id, reason="ExitCode", attempt=1, exit_code=code))
    else:
        state.apply(
            TaskFail(timestamp=1, task_id=task.id, attempt=1, error="boom", error_type="E", exit_code=code)
        )


def condition(state: RunState, graph: Graph, i: int, draw: st.DataObject) -> bool | None:
    """What the condition says, with a parameter that may hold anything or be missing; None: it has no value."""
    params = draw.draw(st.sampled_from([{"x": True}, {"x": False}, {}]))
    prepared = Prepared(graph, "", params, Registry())
    try:
        return Bodies(prepared, Settings(root=Path()), state, "run", no_file, environment={}).condition(
            graph.nodes[i]
        )
    except EvaluationError:
        return None


def no_file(_: Blob) -> dict[str, Json]:
    raise AssertionError


@settings(max_examples=200, deadline=None)
@given(dags(), st.data())
def test_what_starts_is_reachable(dag: Dag, draw: st.DataObject) -> None:
    search = Search(dag)
    dead = {dag.tasks[i].id for i in search.unreachable()}
    assert not dead & started(dag, draw)


@settings(max_examples=100, deadline=None)
@given(dags())
def test_a_plain_dag_has_nothing_that_is_unreachable(dag: Dag) -> None:
    assert not is_plain(dag) or Search(dag).unreachable() == []


def dead(text: str) -> list[str]:
    """The tasks of a document that never start."""
    dag = load(text, name="d")[0]
    assert dag is not None
    return [dag.tasks[i].id for i in Search(dag).unreachable()]


def test_a_task_that_survives_may_start_after_the_failure_that_stops_the_run() -> None:
    assert dead("tasks: [{id: a, run: x}, {id: b, run: x, depends_on: [{task: a, trigger: failure}]}]") == []


def test_a_failure_that_stops_the_run_lets_nothing_else_start() -> None:
    text = """
        on_error: {}
        tasks:
          - {{id: a, run: x}}
          - {{id: b, run: x, depends_on: [a], trigger: failure}}
          - {{id: c, run: x, depends_on: [b]}}
    """
    assert dead(text.format("stop_all")) == ["c"]
    assert dead(text.format("continue")) == []


def test_what_does_nothing_fails_only_where_something_is_evaluated() -> None:
    text = "steps: [{{name: a, dependsOn: []{}}}, {{name: b, run: x, dependsOn: [a], trigger: failure}}]"
    assert dead(text.format("")) == ["b"]
    assert dead(text.format(", if: params.x")) == []
    assert dead(text.format(", env: {X: '${{ params.x }}'}").replace("{X", "{X")) == []


def test_a_tolerated_failure_is_none() -> None:
    text = "jobs: {a: {run: x, continue_on_failure: true}, b: {run: x, requires: [{job: a, condition: failure}]}}"
    assert dead(text) == ["b"]


def test_two_ends_that_exclude_each_other() -> None:
    text = """
        jobs:
          a: {run: x}
          b: {run: x, requires: [{job: a, condition: failure}]}
          c: {run: x, requires: [a, b]}
          d: {run: x, after: [a, b]}
    """
    assert dead(text) == ["c"]


def test_one_variant_may_fail_where_another_does_not() -> None:
    text = """
        on_error: continue
        tasks:
          - {id: t, run: x, matrix: {os: [a, b]}}
          - id: u
            run: x
            depends_on: ["t[os=a]", {task: "t[os=b]", trigger: failure}]
    """
    assert dead(text) == []


def test_a_search_that_becomes_too_long_calls_nothing_unreachable() -> None:
    """Each of forty tasks can end in three ways, and none of them helps."""
    names = [f"t{i}" for i in range(40)]
    tasks = [task(name, continue_on_failure=True, only_if_changed=True) for name in names]
    last = task("last", *names, condition="failure() && params.x")
    search = Search(Dag(name="many", tasks=(*tasks, last), on_error=OnError.CONTINUE))
    search.unreachable()
    assert search.left_in_all >= 0


def test_what_cannot_be_found_out_costs_little() -> None:
    """Thousands of tasks above, none of which may fail, and one which must."""
    chain = [task(f"t{i}", *([f"t{i - 1}"] if i else [])) for i in range(2_000)]
    last = [
        task(f"l{i}", f"t{1_900 + i}", condition="failure() && success() || !failure() && cancelled()")
        for i in range(100)
    ]
    search = Search(Dag(name="hard", tasks=(*chain, *last), on_error=OnError.CONTINUE))
    started = time.process_time()
    search.unreachable()
    assert time.process_time() - started < 60  # a second or two; an hour, if each way were tried


def test_a_long_chain_costs_little() -> None:
    chain = [task(f"t{i}", *([f"t{i - 1}"] if i else [])) for i in range(3_000)]
    handlers = [task(f"h{i}", f"t{i}", trigger=Trigger.FAILURE) for i in range(0, 3_000, 10)]
    search = Search(Dag(name="long", tasks=(*chain, *handlers), on_error=OnError.CONTINUE))
    assert search.unreachable() == []
