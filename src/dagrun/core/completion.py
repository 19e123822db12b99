"""The event that follows from an end: of an attempt, or of all variants of a group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dagrun.core.events import (
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRejected,
    Event,
    HookEnd,
    SignalReceived,
    TaskCancel,
    TaskFail,
    TaskOk,
    TaskRetry,
    TaskSkip,
)
from dagrun.core.graph import Node
from dagrun.core.model import Retry
from dagrun.core.outcomes import FAILED, LASTING, STOPS, Reason, Status
from dagrun.core.state import RunState
from dagrun.core.task_state import TaskState, summary_of
from dagrun.core.work import AttemptResult, Blob, Json

_MAX_NAMES = 5  # of variants, in one sentence


def attempt_end(state: RunState, node: Node, result: AttemptResult, now: float, chance: float) -> Event:
    """The event to record for an attempt that ended; `chance` in [0, 1) selects the delay of a retry within its jitter."""
    task_id, attempt = node.task.id, state.tasks[node.index].attempt
    left = result.left_running or None
    large = result.outputs if isinstance(result.outputs, Blob) else None
    small = None if isinstance(result.outputs, Blob) else result.outputs
    if result.error is None:
        return TaskOk(
            timestamp=now, task_id=task_id, attempt=attempt, duration_seconds=result.duration,
            changed=result.changed, outputs=small, outputs_file=large, left_running=left,
        )  # fmt: skip
    why = state.frontier.stop_reasons.get(node.index)
    if why in STOPS:
        return TaskCancel(
            timestamp=now, task_id=task_id, attempt=attempt, reason=str(why), detail=state.frontier.cause,
            duration_seconds=result.duration,
        )  # fmt: skip
    if why is None and result.exit_code in node.task.skip_on_exit_codes:
        return TaskSkip(
            timestamp=now, task_id=task_id, reason=str(Reason.EXIT_CODE), detail=f"exit code {result.exit_code}",
            attempt=attempt, duration_seconds=result.duration, exit_code=result.exit_code,
        )  # fmt: skip
    timed_out = why is Reason.TIMED_OUT
    error, error_type = result.error, result.error_type or "Error"
    if timed_out:
        error, error_type = f"timed out after {node.task.timeout:g}s", "Timeout"
    retry, number = node.task.retry, attempt - state.tasks[node.index].attempts_before
    if state.frontier.spares(node.index) and _tries_again(retry, number, error_type, result.exit_code):
        return TaskRetry(
            timestamp=now, task_id=task_id, attempt=attempt, error=error, error_type=error_type,
            delay_seconds=state.defaults.delay(retry, number, chance), timed_out=timed_out,
            duration_seconds=result.duration, exit_code=result.exit_code, left_running=left,
        )  # fmt: skip
    return TaskFail(
        timestamp=now, task_id=task_id, attempt=attempt, error=error, error_type=error_type,
        duration_seconds=result.duration, exit_code=result.exit_code, timed_out=timed_out, outputs=small,
        outputs_file=large, left_running=left,
    )  # fmt: skip


def wait_end(state: RunState, node: Node, now: float, chance: float) -> Event:
    """The event to record for a task whose wait is over: by an answer, by a file, or because of the time."""
    task = state.tasks[node.index]
    wait = task.wait
    assert wait is not None
    took = max(0.0, round(now - wait.timestamp, 3))
    match task.answer:
        case ApprovalGranted() | SignalReceived() as answer:
            return _waited(task, node, now, took, answer.inputs)
        case ApprovalRejected(by=by, reason=reason):
            error, error_type = f"rejected by {by}{': ' if reason else ''}{reason}", "ApprovalRejected"
        case ApprovalExpired(expires_at=expires_at):
            error, error_type = f"nobody decided before {expires_at}", "ApprovalExpired"
        case None if wait.ends_well or state.frontier.waits.has_come(node.index):
            return _waited(task, node, now, took, {})
        case None:
            limit = (wait.fails_at or now) - wait.timestamp
            error, error_type = f"timed out after {round(limit, 3):g}s", "Timeout"
    timed_out = error_type == "Timeout"
    number = task.attempt - task.attempts_before
    if state.frontier.spares(node.index) and _tries_again(node.task.retry, number, error_type, None):
        return TaskRetry(
            timestamp=now, task_id=node.task.id, attempt=task.attempt, error=error, error_type=error_type,
            delay_seconds=state.defaults.delay(node.task.retry, number, chance), timed_out=timed_out, duration_seconds=took,
        )  # fmt: skip
    return TaskFail(
        timestamp=now, task_id=node.task.id, attempt=task.attempt, error=error, error_type=error_type,
        duration_seconds=took, timed_out=timed_out,
    )  # fmt: skip


def _waited(task: TaskState, node: Node, now: float, took: float, outputs: Mapping[str, Json]) -> TaskOk:
    """The event for a wait that ended well. Waiting changes nothing."""
    return TaskOk(
        timestamp=now, task_id=node.task.id, attempt=task.attempt, duration_seconds=took, changed=False, outputs=outputs
    )  # fmt: skip


def _tries_again(retry: Retry, attempt: int, error_type: str, exit_code: int | None) -> bool:
    if attempt > retry.retries or (error_type in LASTING and error_type not in retry.on_errors):
        return False
    if not retry.on_exit_codes and not retry.on_errors:
        return True
    return exit_code in retry.on_exit_codes or error_type in retry.on_errors


def hook_end(state: RunState, name: str, node: Node, result: AttemptResult, now: float) -> HookEnd:
    """The event to record for a hook whose body has ended. There are no retries."""
    status, error, error_type = Status.SUCCESS, result.error, result.error_type
    if error is not None:
        status = Status.FAILED
        if state.hooks.stopped is Reason.TIMED_OUT:
            status = Status.TIMED_OUT
            error, error_type = f"timed out after {node.task.timeout:g}s", "Timeout"
        elif state.hooks.stopped is Reason.CANCELLED:
            status, error, error_type = Status.CANCELLED, "cancelled", "Cancelled"
    return HookEnd(
        timestamp=now, hook=name, attempt=state.hooks.states[name].attempt, status=str(status),
        duration_seconds=result.duration, error=error, error_type=error_type, exit_code=result.exit_code,
        left_running=result.left_running or None,
    )  # fmt: skip


def hook_cancelled(name: str, now: float, why: str, attempt: int | None = None) -> HookEnd:
    """The event to record for a hook that did not run to its end; without an attempt it never began."""
    return HookEnd(
        timestamp=now, hook=name, attempt=attempt, status=str(Status.CANCELLED), error=why, error_type="Cancelled"
    )  # fmt: skip


def group_end(state: RunState, node: Node, now: float) -> Event:
    """The event to record for a group whose variants have all ended.

    A variant that failed makes the group fail, else one that was cancelled makes it cancelled. It is skipped when all of
    them were, and when the end of the run kept one from starting: it must not look complete.
    """
    members = node.members or ()
    state.frontier.steps += len(members)
    variants = [state.tasks[i] for i in members]
    task_id, summary = node.task.id, summary_of(variants)
    took = _time_since_first_start(state, variants, now)
    failed = {state.nodes[i].task.id: state.tasks[i] for i in members if state.tasks[i].status in FAILED}
    if failed:
        codes = [task.exit_code for task in failed.values()]
        untolerated = (code for code in codes if not node.task.tolerates(code))
        return TaskFail(
            timestamp=now, task_id=task_id, error=f"{_named(list(failed))} failed", error_type="VariantsFailed",
            duration_seconds=took, summary=summary,
            # It decides whether the failure is tolerated.
            exit_code=next(untolerated, codes[0]) if node.task.tolerated_exit_codes else None,
        )  # fmt: skip
    cancelled = next((task for task in variants if task.status is Status.CANCELLED), None)
    if cancelled is not None:
        return TaskCancel(
            timestamp=now, task_id=task_id, reason=cancelled.reason, detail=cancelled.detail,
            duration_seconds=took, summary=summary,
        )  # fmt: skip
    skipped = _skip_of_group(variants)
    if skipped is not None:
        return TaskSkip(
            timestamp=now, task_id=task_id, reason=skipped.reason, detail=skipped.detail, summary=summary
        )
    changed = any(task.changed for task in variants)
    return TaskOk(timestamp=now, task_id=task_id, duration_seconds=took, changed=changed, summary=summary)


def _skip_of_group(variants: Sequence[TaskState]) -> TaskState | None:
    """The skipped variant that gives a group its reason; None: the group is not skipped."""
    skipped = [task for task in variants if task.status is Status.SKIPPED]
    stopped = next((task for task in skipped if task.reason in STOPS), None)
    if stopped is not None or not skipped or len(skipped) < len(variants):
        return stopped
    return next((task for task in skipped if task.reason != Reason.UNCHANGED), skipped[0])


def _time_since_first_start(state: RunState, variants: Sequence[TaskState], now: float) -> float:
    """Seconds since the first variant began in this stretch."""
    since = state.stretch_started_at or 0.0
    begun = [task.started_at for task in variants if task.started_at is not None and task.started_at >= since]
    return max(0.0, round(now - min(begun, default=now), 3))  # another process may have set the clock back


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return ", ".join(names[:_MAX_NAMES]) + more
