"""What an ending comes to: the fact of an attempt that ended, and that of a group whose variants have all ended. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dagrun.core.events import Event, TaskCancel, TaskFail, TaskOk, TaskRetry, TaskSkip
from dagrun.core.graph import Node
from dagrun.core.model import Retry
from dagrun.core.outcomes import FAILED, LASTING, STOPS, Reason, Status
from dagrun.core.work import AttemptResult, Blob, Outputs

_MOST_NAMES = 5  # of variants, in one sentence


@dataclass(slots=True)
class TaskState:
    """One task of a run, as its facts say. Moments in seconds since the epoch, durations in seconds."""

    status: Status = Status.PENDING
    reason: str = ""
    detail: str = ""
    attempt: int = 0
    attempts_before: int = 0  # those of earlier stretches, which count for no retry
    changed: bool | None = None
    started_at: float | None = None
    finished_at: float | None = None
    duration: float | None = None
    error: str | None = None
    error_type: str | None = None
    exit_code: int | None = None
    retry_at: float | None = None
    outputs: Outputs = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RetryDefaults:
    """The settings behind a task's `retry`: the first delay in seconds and the jitter as a share of a delay."""

    initial: float = 0.4
    jitter: float = 0.2

    def delay(self, retry: Retry, attempt: int, chance: float) -> float:
        """Seconds to wait after failed attempt number `attempt`; `chance` in [0, 1) places it within the jitter."""
        initial = self.initial if retry.initial is None else retry.initial
        jitter = self.jitter if retry.jitter is None else retry.jitter
        # Past the cap the power no longer matters; bounding it keeps 2 ** 5000 from overflowing.
        base = min(initial * retry.factor ** min(attempt - 1, 64), retry.max)
        return round(max(0.0, base * (1 + jitter * (2 * chance - 1))), 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What decides, beside the attempt itself, what becomes of a task whose attempt failed."""

    #: Why the attempt was told to end, if it was, and which task's failure stopped the run.
    why: Reason | None
    cause: str
    #: Whether the run still lets the task start.
    may_start: bool
    defaults: RetryDefaults


def fact_of(
    node: Node, task: TaskState, ended: AttemptResult, given: Circumstances, now: float, chance: float
) -> Event:
    """The fact to record for an attempt that ended; `chance` in [0, 1) is the retry's share of the jitter."""
    task_id, attempt, left = node.task.id, task.attempt, ended.left_running or None
    large = ended.outputs if isinstance(ended.outputs, Blob) else None
    small = None if isinstance(ended.outputs, Blob) else ended.outputs
    if ended.error is None:
        return TaskOk(
            timestamp=now, task_id=task_id, attempt=attempt, duration_seconds=ended.duration,
            changed=ended.changed, outputs=small, outputs_file=large, left_running=left,
        )  # fmt: skip
    why = given.why
    if why in STOPS:
        return TaskCancel(
            timestamp=now, task_id=task_id, attempt=attempt, reason=str(why), detail=given.cause,
            duration_seconds=ended.duration,
        )  # fmt: skip
    if why is None and ended.exit_code in node.task.skip_on_exit_codes:
        return TaskSkip(
            timestamp=now, task_id=task_id, reason=str(Reason.EXIT_CODE), detail=f"exit code {ended.exit_code}",
            attempt=attempt, duration_seconds=ended.duration, exit_code=ended.exit_code,
        )  # fmt: skip
    timed_out = why is Reason.TIMED_OUT
    error, error_type = ended.error, ended.error_type or "Error"
    if timed_out:
        error, error_type = f"timed out after {node.task.timeout:g}s", "Timeout"
    tries = attempt - task.attempts_before
    if given.may_start and _tries_again(node.task.retry, tries, error_type, ended.exit_code):
        return TaskRetry(
            timestamp=now, task_id=task_id, attempt=attempt, error=error, error_type=error_type,
            delay_seconds=given.defaults.delay(node.task.retry, tries, chance), timed_out=timed_out,
            duration_seconds=ended.duration, exit_code=ended.exit_code, left_running=left,
        )  # fmt: skip
    return TaskFail(
        timestamp=now, task_id=task_id, attempt=attempt, error=error, error_type=error_type,
        duration_seconds=ended.duration, exit_code=ended.exit_code, timed_out=timed_out, outputs=small,
        outputs_file=large, left_running=left,
    )  # fmt: skip


def _tries_again(retry: Retry, attempt: int, error_type: str, exit_code: int | None) -> bool:
    if attempt > retry.retries or error_type in LASTING:  # `attempt` counts within this stretch
        return False
    if not retry.on_exit_codes and not retry.on_errors:
        return True
    return exit_code in retry.on_exit_codes or error_type in retry.on_errors


def conclusion(
    node: Node, names: Sequence[str], mine: Sequence[TaskState], since: float, now: float
) -> Event:
    """The fact that ends a group whose variants, `names` and `mine`, have all ended in a stretch that began at `since`.

    One that failed fails it, one that was cancelled cancels it. One that the end of the run kept from starting has it
    skipped, so that it is not taken for whole; it is skipped also when all of them were.
    """
    task_id, summary = node.task.id, summary_of(mine)
    begun = [task.started_at for task in mine if task.started_at is not None and task.started_at >= since]
    took = max(0.0, round(now - min(begun, default=now), 3))
    failed = {name: task for name, task in zip(names, mine, strict=True) if task.status in FAILED}
    if failed:
        codes = [task.exit_code for task in failed.values()]
        untolerated = (code for code in codes if not node.task.tolerates(code))
        return TaskFail(
            timestamp=now, task_id=task_id, error=f"{_named(list(failed))} failed", error_type="VariantsFailed",
            duration_seconds=took, summary=summary,
            # It says whether the failure is tolerated.
            exit_code=next(untolerated, codes[0]) if node.task.tolerated_exit_codes else None,
        )  # fmt: skip
    cancelled = next((task for task in mine if task.status is Status.CANCELLED), None)
    if cancelled is not None:
        return TaskCancel(
            timestamp=now, task_id=task_id, reason=cancelled.reason, detail=cancelled.detail,
            duration_seconds=took, summary=summary,
        )  # fmt: skip
    skipped = [task for task in mine if task.status is Status.SKIPPED]
    kept = next((task for task in skipped if task.reason in STOPS), None)
    if kept is None and skipped and len(skipped) == len(mine):
        kept = next((task for task in skipped if task.reason != Reason.UNCHANGED), skipped[0])
    if kept is not None:
        return TaskSkip(
            timestamp=now, task_id=task_id, reason=kept.reason, detail=kept.detail, summary=summary
        )
    changed = any(task.changed for task in mine)
    return TaskOk(timestamp=now, task_id=task_id, duration_seconds=took, changed=changed, summary=summary)


def summary_of(variants: Sequence[TaskState]) -> str:
    """How many of a group's variants have succeeded: `4/6 passed`."""
    passed = sum(1 for variant in variants if variant.status is Status.SUCCESS)
    return f"{passed}/{len(variants)} passed"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
