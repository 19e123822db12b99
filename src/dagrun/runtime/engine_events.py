"""The events with which an engine records that something begins, and why something could not."""

from __future__ import annotations

from dagrun.clock import to_rfc3339
from dagrun.core.decisions import Start
from dagrun.core.events import TaskStart, TaskWait
from dagrun.core.graph import Node
from dagrun.kinds import workflow_of
from dagrun.kinds.kind import Wait
from dagrun.language.expressions import EvaluationError


def message_of(error: Exception) -> str:
    """The message of an error, for people."""
    if isinstance(error, RecursionError):
        return "a value is nested too deeply"
    return str(error) or type(error).__name__


def type_of(error: Exception) -> str:
    """The type that is recorded for an error."""
    return "ExpressionError" if isinstance(error, EvaluationError) else type(error).__name__


def start_event(
    node: Node, number: int, now: float, waited_for: str | None, child_run_id: str | None = None
) -> TaskStart:
    task = node.task
    return TaskStart(
        timestamp=now, task_id=task.id, attempt=number, kind=task.kind, workflow_ref=workflow_of(task),
        child_run_id=child_run_id, waited_for=waited_for,
    )  # fmt: skip


def wait_event(start: Start, wait: Wait, now: float) -> TaskWait:
    """The event for a wait that begins now: the moments that it depends on are recorded, for later stretches."""
    task = start.node.task
    return TaskWait(
        timestamp=now, task_id=task.id, attempt=start.attempt, kind=task.kind, prompt=wait.prompt,
        required_role=wait.required_role, signal=wait.signal,
        until=None if wait.until is None else to_rfc3339(wait.until),
        file=None if wait.file is None else str(wait.file), settle_seconds=wait.settle or None,
        expires_at=None if wait.timeout is None else to_rfc3339(now + wait.timeout), waited_for=start.waited_for,
    )  # fmt: skip
