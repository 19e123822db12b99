"""The closing lines of a run, word for word."""

from __future__ import annotations

from typing import Any

import pytest

from dagrun.core.model import Dag, OnError, Task
from dagrun.kinds.shell import ShellAction
from dagrun.testing import fails
from dagrun.views.report import failures, report, summary
from dagrun.views.status import RunView, TaskView
from tests.unit.harness import played


def task(name: str, status: str = "success", **more: Any) -> TaskView:
    parts: dict[str, Any] = {
        "kind": "shell", "reason": "", "detail": "", "attempt": 1, "changed": status == "success",
        "started_at": 0.0, "duration": 1.0, "error": None, "outputs": {},
    }  # fmt: skip
    return TaskView(id=name, status=status, **{**parts, **more})


def run(*tasks: TaskView, **more: Any) -> RunView:
    parts: dict[str, Any] = {
        "run_id": "20251003-100000-7f3a9c", "dag": Dag(name="weekly_ops_chain", tasks=()), "tenant": "local-dev",
        "status": "success", "reason": "Completed", "params": {}, "outputs": {}, "started_at": 0.0, "finished_at": 2.34,
        "duration": 2.34,
    }  # fmt: skip
    return RunView(tasks=tasks, **{**parts, **more})


def test_the_report_of_a_run() -> None:
    chain = run(task("sweep"), task("report", changed=False), task("brief"))
    assert report(chain) == "\n".join(
        (
            "DAG EXECUTION COMPLETE",
            "DAG: weekly_ops_chain",
            "Run: 20251003-100000-7f3a9c",
            "Status: success",
            "Tasks Succeeded: 3",
            "Tasks Failed: 0",
            "Duration: 2.34s",
            "3 tasks: 2 changed, 1 unchanged",
        )
    )


def test_a_task_that_timed_out_failed() -> None:
    lines = report(run(task("a", "failed"), task("b", "timed_out"), status="failed")).splitlines()
    assert lines[3:6] == ["Status: failed", "Tasks Succeeded: 0", "Tasks Failed: 2"]


def test_a_run_of_unknown_duration_took_none() -> None:
    assert "Duration: 0.00s" in report(run(task("a"), duration=None))


@pytest.mark.parametrize(
    ("states", "text"),
    [
        (["success"], "1 task: 1 changed"),
        (["success", "skipped"], "2 tasks: 1 changed, 1 skipped"),
        (["skipped", "skipped"], "2 tasks: 2 skipped"),
        (
            ["success", "skipped", "failed", "timed_out", "cancelled"],
            "5 tasks: 1 changed, 1 skipped, 2 failed, 1 cancelled",
        ),
    ],
)
def test_a_summary_leaves_zero_counts_out(states: list[str], text: str) -> None:
    assert summary(run(*(task(f"t{i}", state) for i, state in enumerate(states)))) == text


def test_each_failure_is_a_sentence() -> None:
    failed = run(
        task("a", "failed", attempt=3, error="exit code 1"),
        task("b"),
        task("c", "timed_out", attempt=1, error="timed out after 5s"),
        task("d", "cancelled"),
        task("e", "failed", attempt=0, error="tasks.b.outputs has no 'x'"),
    )
    assert failures(failed) == [
        "RunnerError: Task 'a' failed after 3 attempts: exit code 1",
        "RunnerError: Task 'c' failed after 1 attempt: timed out after 5s",
        "RunnerError: Task 'e' failed before it began: tasks.b.outputs has no 'x'",
    ]


def test_a_failure_that_is_tolerated_is_no_error() -> None:
    assert failures(run(task("lint", "failed", error="exit code 1", tolerated=True))) == []


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("OutputsFailed: tasks.a.outputs has no 'x'", "the outputs of the run: tasks.a.outputs has no 'x'"),
        ("RunTimeout", "the run did not end within its timeout of 60s"),
    ],
)
def test_a_failure_of_the_run_itself_is_a_sentence_too(reason: str, sentence: str) -> None:
    failed = run(task("a"), status="failed", reason=reason, dag=Dag(name="d", tasks=(), timeout=60))
    assert failures(failed) == [f"RunnerError: {sentence}"]


def test_variants_are_counted_and_reported_in_place_of_their_group() -> None:
    many = Task(id="t", action=ShellAction(("true",)), for_each=tuple(range(30)))
    ended = played(many, bodies={"t": fails(99)}, on_error=OnError.CONTINUE).view
    assert summary(ended) == "30 tasks: 30 failed"
    found = failures(ended)
    assert found[0] == "RunnerError: Task 't[0]' failed after 1 attempt: RuntimeError: boom"
    assert found[10:] == ["RunnerError: and 20 more variants of 't' failed"]


def test_a_run_of_nothing_has_nothing_to_count() -> None:
    nothing = Task(id="t", action=ShellAction(("true",)), for_each=())
    assert summary(played(nothing).view) == "0 tasks"
