"""The state of one task of a run, as its events record it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from dagrun.core.events import Answer, TaskWait
from dagrun.core.outcomes import Status
from dagrun.core.work import Outputs
from dagrun.value import field


class TaskState(msgspec.Struct):
    """The state of one task. Moments in seconds since the epoch, durations in seconds."""

    status: Status = Status.PENDING
    reason: str = ""
    detail: str = ""
    attempt: int = 0
    attempts_before: int = 0  # attempts of earlier stretches, which do not count as retries
    changed: bool | None = None
    started_at: float | None = None
    finished_at: float | None = None
    duration: float | None = None
    error: str | None = None
    error_type: str | None = None
    exit_code: int | None = None
    retry_at: float | None = None
    #: The child run of the last attempt, if the task runs another DAG. A resume keeps it: that run is continued.
    child_run_id: str | None = None
    #: How the task waits, or has waited, and what has ended that.
    wait: TaskWait | None = None
    answer: Answer | None = None
    outputs: Outputs = field(default_factory=dict)


def summary_of(variants: Sequence[TaskState]) -> str:
    """How many of the variants of a group have succeeded: `4/6 passed`."""
    passed = sum(1 for variant in variants if variant.status is Status.SUCCESS)
    return f"{passed}/{len(variants)} passed"
