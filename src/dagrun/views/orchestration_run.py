"""One run in the shape of an OrchestrationRun: its phase and conditions, and for each step a phase and a reason."""

from __future__ import annotations

from collections.abc import Iterator

from dagrun.clock import to_rfc3339
from dagrun.core.work import Json
from dagrun.views.status import RunView, TaskView

_RUN_PHASES = {
    "pending": "Pending", "running": "Running", "waiting": "Waiting", "success": "Succeeded", "partial": "Partial",
    "failed": "Failed", "cancelled": "Cancelled", "interrupted": "Interrupted",
}  # fmt: skip
_STEP_PHASES = {
    "pending": "Pending", "running": "Running", "retrying": "Retrying", "waiting": "Waiting", "success": "Succeeded",
    "failed": "Failed", "timed_out": "Failed", "skipped": "Skipped", "cancelled": "Cancelled",
}  # fmt: skip


def orchestration_run(run: RunView) -> Json:
    """The run as a Kubernetes resource."""
    return {
        "apiVersion": "orchestration.proompteng.ai/v1alpha1",
        "kind": "OrchestrationRun",
        "metadata": {"name": run.run_id, "labels": {"tenant": run.tenant}},
        "spec": {"orchestrationRef": {"name": run.dag.name}, "parameters": run.params},
        "status": _known(
            {
                "phase": _RUN_PHASES[run.status],
                "startedAt": _time(run.started_at),
                "finishedAt": _time(run.finished_at),
                "conditions": list(_conditions(run)),
                "steps": [_step(task) for task in run.tasks],
            }
        ),
    }


def _conditions(run: RunView) -> Iterator[Json]:
    if run.finished_at is not None:
        ended = {"success": "Succeeded", "cancelled": "Cancelled"}.get(run.status, "Failed")
        for kind in ("Succeeded", "Failed", "Cancelled"):
            if kind == ended:
                message = run.cancel.reason if kind == "Cancelled" and run.cancel else ""
                yield _condition(kind, holds=True, reason=run.reason, message=message, at=run.finished_at)
    elif run.cancel is not None:
        yield _condition(
            "Cancelled",
            holds=False,
            reason="CancelRequested",
            message=run.cancel.reason,
            at=run.cancel.timestamp,
        )
    if run.cancel_ignored is not None:
        yield _condition(
            "Cancelled", holds=False, reason="AlreadyEnded",
            message=f"{run.cancel_ignored.by} asked to cancel a run that had ended", at=run.cancel_ignored.timestamp,
        )  # fmt: skip


def _condition(kind: str, *, holds: bool, reason: str, message: str, at: float) -> Json:
    return _known(
        {
            "type": kind,
            "status": "True" if holds else "False",
            "reason": reason.partition(":")[0],
            "message": message or None,
            "lastTransitionTime": to_rfc3339(at),
        }
    )


def _step(task: TaskView) -> Json:
    return _known(
        {
            "name": task.id,
            "phase": _STEP_PHASES[task.status],
            "reason": task.reason or None,
            "message": _message(task) or None,
            "attempt": task.attempt or None,
            "startedAt": _time(task.started_at),
            "durationSeconds": task.duration,
        }
    )


def _message(task: TaskView) -> str:
    """The error or detail of a task, and how many variants of a group passed."""
    message = task.error or task.detail
    if task.variants is None:
        return message
    return f"{message} ({task.variants.summary})" if message else task.variants.summary


def _time(moment: float | None) -> str | None:
    return None if moment is None else to_rfc3339(moment)


def _known(shape: dict[str, Json]) -> dict[str, Json]:
    """Without fields that are None."""
    return {key: value for key, value in shape.items() if value is not None}
