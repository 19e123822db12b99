"""What hooks are given about the run."""

from __future__ import annotations

from dagrun.runtime.run_summary import MAX_FAILED, outcome_variables, run_summary
from dagrun.testing import ScenarioResult, fails, scenario


def failed(count: int) -> ScenarioResult:
    tasks = "\n".join(f"          - {{id: t{i}, workflow_ref: w}}" for i in range(count))
    return scenario(
        f"        name: many\n        on_error: continue\n        tasks:\n{tasks}\n", {"w": fails(99)}
    )


def test_a_summary_names_the_first_failed_tasks_with_the_end_of_their_logs() -> None:
    state = failed(MAX_FAILED + 5).state
    summary = run_summary(state, "r", 0.0, lambda task_id, attempt: f"{task_id}.{attempt}")
    assert (summary["failed_count"], len(summary["failed"])) == (MAX_FAILED + 5, MAX_FAILED)
    assert summary["failed"][0] == {
        "task_id": "t0", "error": "RuntimeError: boom", "error_type": "RuntimeError", "exit_code": None,
        "log_tail": "t0.1",
    }  # fmt: skip
    assert (summary["run_id"], summary["status"], summary["tasks_failed"]) == ("r", "failed", MAX_FAILED + 5)


def test_the_variables_of_a_hook_name_it_and_the_outcome() -> None:
    assert outcome_variables(failed(1).state, "hook:on_exit") == {
        "DAGRUN_HOOK": "on_exit", "DAGRUN_RUN_STATUS": "failed", "DAGRUN_RUN_REASON": "TaskFailed",
    }  # fmt: skip
