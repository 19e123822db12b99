"""What hooks are given about the run: variables for scripts, and the summary that messages send."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dagrun.clock import to_rfc3339
from dagrun.core.hooks import name_of_id
from dagrun.core.outcomes import Status
from dagrun.core.state import RunState
from dagrun.core.work import Json

#: How many failed tasks a message lists. `failed_count` has the number of all of them.
MAX_FAILED = 20


def outcome_variables(state: RunState, hook_id: str) -> Mapping[str, str]:
    """The environment variables of a hook about the outcome of the run."""
    status, reason = _outcome(state)
    return {
        "DAGRUN_HOOK": name_of_id(hook_id),
        "DAGRUN_RUN_STATUS": status,
        "DAGRUN_RUN_REASON": reason,
    }


def run_summary(
    state: RunState, run_id: str, now: float, log_tail: Callable[[str, int], str | None]
) -> dict[str, Json]:
    """The run as a message describes it. `log_tail` gives the last lines of the log of an attempt."""
    dag, start, counts = state.graph.dag, state.start, state.counts()
    status, reason = _outcome(state)
    failed = list(state.failures())
    began = state.stretch_started_at
    return {
        "run_id": run_id,
        "dag_name": dag.name,
        "tenant": dag.tenant,
        "status": status,
        "reason": reason,
        "trigger": start.trigger if start is not None else "",
        "schedule_id": start.schedule_id if start is not None else None,
        "scheduled_at": start.scheduled_at if start is not None else None,
        "started_at": to_rfc3339(state.started_at or now),
        "duration_seconds": max(0.0, round(now - (began or now), 3)),
        "tasks_succeeded": counts.get(Status.SUCCESS, 0),
        "tasks_failed": counts.get(Status.FAILED, 0) + counts.get(Status.TIMED_OUT, 0),
        "tasks_skipped": counts.get(Status.SKIPPED, 0),
        "tasks_cancelled": counts.get(Status.CANCELLED, 0),
        "failed_count": len(failed),
        "failed": [_failed_task(state, task_id, log_tail) for task_id in failed[:MAX_FAILED]],
    }


def _outcome(state: RunState) -> tuple[str, str]:
    end = state.hooks.outcome
    return (str(state.status), str(state.reason)) if end is None else (str(end.status), str(end.reason))


def _failed_task(
    state: RunState, task_id: str, log_tail: Callable[[str, int], str | None]
) -> dict[str, Json]:
    task = state.tasks[state.index[task_id]]
    return {
        "task_id": task_id,
        "error": task.error,
        "error_type": task.error_type,
        "exit_code": task.exit_code,
        "log_tail": log_tail(task_id, task.attempt),
    }
