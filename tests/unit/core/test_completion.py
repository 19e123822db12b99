"""The end of an attempt by its exit code, and the outputs that a failed task leaves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from dagrun.core.completion import attempt_end, group_end
from dagrun.core.decisions import Finish
from dagrun.core.events import DagStart, TaskFail, TaskOk, TaskSkip, TaskStart
from dagrun.core.graph import Graph
from dagrun.core.model import Dag, Matrix, OnError, Retry, Task, Trigger
from dagrun.core.outcomes import Reason, RunStatus
from dagrun.core.state import RunState
from dagrun.core.work import AttemptResult, Blob, Json
from dagrun.runtime.run_end import end_event
from dagrun.testing import ScenarioResult
from tests.unit.harness import graph, played, task

SKIPS: Mapping[str, Any] = {"skip_on_exit_codes": (99,)}
TOLERATES: Mapping[str, Any] = {"tolerated_exit_codes": (1, 2)}


def exits(code: int | None, **outputs: Json) -> AttemptResult:
    """An attempt that failed with this exit code."""
    return AttemptResult(duration=1.0, error="failed", error_type="Failed", exit_code=code, outputs=outputs)


def ended(*tasks: Task, on_error: OnError = OnError.CONTINUE, **codes: int | None) -> ScenarioResult:
    """A run in which some tasks fail."""
    bodies = {name: lambda _, code=code: exits(code) for name, code in codes.items()}
    return played(*tasks, bodies=bodies, on_error=on_error)


# --- an exit code that skips ---


def test_an_exit_code_may_skip_the_task_without_a_retry() -> None:
    outcome = ended(task("a", retry=Retry(retries=2), **SKIPS), a=99)
    (skip,) = (event for event in outcome.events() if isinstance(event, TaskSkip))
    assert (skip.reason, skip.detail, skip.attempt) == ("ExitCode", "exit code 99", 1)
    assert (skip.exit_code, skip.duration_seconds) == (99, 1.0)
    assert (outcome.statuses, outcome.view.status) == ({"a": "skipped"}, "success")


def test_any_other_code_fails_it() -> None:
    assert ended(task("a", **SKIPS), a=98).statuses == {"a": "failed"}
    assert ended(task("a", **SKIPS), a=None).statuses == {"a": "failed"}


def test_what_depends_on_it_is_skipped_unless_it_asks_for_no_failure_only() -> None:
    outcome = ended(
        task("a", **SKIPS), task("b", "a"), task("c", "a", trigger=Trigger.NONE_FAILED),
        task("d", "a", trigger=Trigger.FAILURE), a=99,
    )  # fmt: skip
    assert outcome.statuses == {"a": "skipped", "b": "skipped", "c": "success", "d": "skipped"}
    assert [each.reason for each in outcome.view.tasks] == [
        "ExitCode",
        "DependencySkipped",
        "Completed",
        "NoFailure",
    ]


def test_its_place_is_free_for_the_next_one() -> None:
    outcome = played(
        *(task(name, **SKIPS) for name in "abc"), bodies=dict.fromkeys("abc", lambda _: exits(99)),
        max_parallel=1,
    )  # fmt: skip
    assert set(outcome.statuses.values()) == {"skipped"}


def test_a_timeout_stays_one_whatever_the_exit_code() -> None:
    state = RunState(Graph.compile(Dag(name="d", tasks=(task("a", timeout=1.0, **SKIPS),))))
    state.apply(TaskStart(timestamp=0.0, task_id="a", attempt=1, kind="shell"))
    state.frontier.stop_requested(0, Reason.TIMED_OUT)
    fail = attempt_end(state, state.nodes[0], exits(99), 1.0, 0.5)
    assert isinstance(fail, TaskFail)
    assert (fail.error_type, fail.timed_out) == ("Timeout", True)


# --- an exit code that is tolerated ---


@pytest.mark.parametrize(
    ("code", "below", "status"), [(1, "success", "success"), (2, "success", "success"), (3, "skipped", "partial")]
)  # fmt: skip
def test_a_failure_may_be_tolerated_for_its_exit_code(code: int, below: str, status: str) -> None:
    outcome = ended(task("z"), task("a", **TOLERATES), task("b", "a"), a=code)
    assert outcome.statuses == {"z": "success", "a": "failed", "b": below}
    assert outcome.view.status == status
    assert outcome.view.tasks[1].tolerated is (code != 3)


def test_only_another_exit_code_stops_the_run() -> None:
    tasks = (task("a", **TOLERATES), task("b", "a"))
    assert ended(*tasks, on_error=OnError.STOP_ALL, a=2).view.status == "success"
    assert ended(*tasks, on_error=OnError.STOP_ALL, a=3).view.status == "failed"


@pytest.mark.parametrize(("second", "below"), [(2, "success"), (3, "skipped")])
def test_a_group_is_tolerated_when_each_of_its_failures_is(second: int, below: str) -> None:
    matrix = Matrix(axes={"v": ("x", "y", "z")})
    outcome = played(
        task("a", matrix=matrix, **TOLERATES), task("b", "a"), on_error=OnError.CONTINUE,
        bodies={"a[v=x]": lambda _: exits(1), "a[v=z]": lambda _: exits(second)},
    )  # fmt: skip
    assert (outcome.statuses["a"], outcome.statuses["b"]) == ("failed", below)


def test_a_retry_may_be_asked_for_after_certain_exit_codes_only() -> None:
    retry = Retry(retries=3, on_exit_codes=(75,), on_errors=("Odd",))
    assert ended(task("a", retry=retry), a=75).view.tasks[0].attempt == 4
    assert ended(task("a", retry=retry), a=1).view.tasks[0].attempt == 1


# --- the outputs of a task that failed ---


def test_a_task_that_failed_has_the_outputs_that_it_wrote() -> None:
    outcome = played(task("a"), bodies={"a": lambda _: exits(1, rows="3")})
    (fail,) = (event for event in outcome.events() if isinstance(event, TaskFail))
    assert (fail.outputs, fail.outputs_file) == ({"rows": "3"}, None)
    assert outcome.view.tasks[0].to_json()["outputs"] == {"rows": "3"}


def test_large_ones_lie_in_a_file() -> None:
    blob = Blob("a.1.json", 70_000, "0" * 64)
    large = AttemptResult(duration=1.0, error="failed", error_type="Failed", exit_code=1, outputs=blob)
    outcome = played(task("a"), bodies={"a": lambda _: large})
    (fail,) = (event for event in outcome.events() if isinstance(event, TaskFail))
    assert (fail.outputs, fail.outputs_file) == (None, blob)
    assert outcome.view.tasks[0].to_json()["outputs"]["file"] == "outputs/a.1.json"


def test_expressions_read_them_and_parameters_do_not_carry_them() -> None:
    seen: list[Mapping[str, Json]] = []
    below = task(
        "b", "a", trigger=Trigger.ALWAYS, condition="tasks.a.outputs.rows == '3' and tasks.a.outputs.none == null",
        params={"rows": "${{ tasks.a.outputs.rows }}", "none": "${{ tasks.a.outputs.none }}"},
    )  # fmt: skip
    played(task("a"), below, bodies={"a": lambda _: exits(1, rows="3"), "b": seen.append})
    assert seen == [{"rows": "3", "none": None}]


def test_a_tolerated_failure_hands_nothing_on_either() -> None:
    seen: list[Mapping[str, Json]] = []
    bodies = {"a": lambda _: exits(1, rows="3"), "b": seen.append}
    played(task("a", continue_on_failure=True), task("b", "a"), bodies=bodies)
    assert seen == [{}]


# --- when the clock was set back between two processes that drive one run ---


def test_no_stretch_takes_less_than_no_time() -> None:
    state = RunState(graph("a"))
    state.apply(DagStart(timestamp=100.0, task_count=1, dag_path="d", dag_hash="h"))
    done = end_event(state, Finish(RunStatus.CANCELLED, Reason.CANCELLED), 50.0)
    assert done.duration_seconds == 0.0


def test_no_group_takes_less_than_no_time() -> None:
    state = RunState(Graph.compile(Dag(name="d", tasks=(task("a", matrix=Matrix(axes={"v": ("x",)})),))))
    state.apply(TaskStart(timestamp=100.0, task_id="a[v=x]", attempt=1, kind="shell"))
    state.apply(TaskOk(timestamp=50.0, task_id="a[v=x]", attempt=1, duration_seconds=0.0))
    end = group_end(state, state.nodes[state.index["a"]], 50.0)
    assert isinstance(end, TaskOk)
    assert end.duration_seconds == 0.0
