"""Requests from other processes to a run; one row in `REQUESTS` per kind of request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from dagrun.core.events import (
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRejected,
    CancelIgnored,
    CancelRequested,
    Event,
    SignalReceived,
)
from dagrun.core.outcomes import FINAL, Reason, RunStatus, Status
from dagrun.value import Value

if TYPE_CHECKING:
    from dagrun.core.state import RunState
    from dagrun.core.task_state import TaskState
    from dagrun.core.work import Json


class Request(Value):
    """A request from another process to a run."""

    #: A key of `REQUESTS`.
    kind: str
    #: Who makes the request.
    by: str
    #: What the kind needs to know: `cancel` has `reason`; `approve` has `task` and `inputs`, `reject` has `task` and
    #: `reason`, `signal` has `signal` and `inputs`. These three also have a `request_id`.
    data: Mapping[str, Json]

    @property
    def request_id(self) -> str | None:
        """What the event that records it is recognised by."""
        found = self.data.get("request_id")
        return None if found is None else str(found)


def _cancel(request: Request, state: RunState, now: float) -> Event:
    reason = str(request.data.get("reason", ""))
    if state.has_ended:
        return CancelIgnored(timestamp=now, by=request.by, reason=reason)
    return CancelRequested(timestamp=now, by=request.by, reason=reason)


def _approve(request: Request, state: RunState, now: float) -> Event:
    task_id = str(request.data["task"])
    return ApprovalGranted(
        timestamp=now, task_id=task_id, attempt=state.tasks[state.index[task_id]].attempt, by=request.by,
        inputs=dict(request.data.get("inputs", {})), request_id=request.request_id,
    )  # fmt: skip


def _reject(request: Request, state: RunState, now: float) -> Event:
    task_id = str(request.data["task"])
    return ApprovalRejected(
        timestamp=now, task_id=task_id, attempt=state.tasks[state.index[task_id]].attempt, by=request.by,
        reason=str(request.data.get("reason", "")), request_id=request.request_id,
    )  # fmt: skip


def _signal(request: Request, _: RunState, now: float) -> Event:
    inputs = dict(request.data.get("inputs", {}))
    return SignalReceived(
        timestamp=now, signal=str(request.data["signal"]), by=request.by, inputs=inputs, request_id=request.request_id
    )  # fmt: skip


#: The event that records each kind of request, given the state of the run and the time.
REQUESTS: Mapping[str, Callable[[Request, RunState, float], Event]] = {
    "cancel": _cancel,
    "approve": _approve,
    "reject": _reject,
    "signal": _signal,
}


def event_of(request: Request, state: RunState, now: float) -> Event | None:
    """The event that records a request; None if the run refuses it."""
    return None if refusal(request, state, now) else REQUESTS[request.kind](request, state, now)


def goes_on(state: RunState) -> bool:
    """Whether a process has acted on the answers of a run. One that also answers only records them."""
    if state.status is RunStatus.WAITING:
        return False
    return not any(task.status is Status.WAITING and task.answer is not None for task in state.tasks)


def refusal(request: Request, state: RunState, now: float) -> str:
    """Why the run refuses a request; empty if it does not."""
    match request.kind:
        case "approve" | "reject":
            task_id = str(request.data.get("task"))
            return _already_decided(task_id, state) or _over(state) or _why_not_decided(task_id, state, now)
        case "signal":
            return _over(state) or _why_not_signalled(str(request.data.get("signal")), state, now)
    return ""


def _over(state: RunState) -> str:
    if state.has_ended:
        return f"the run has ended: {state.status}"
    return "the run is being cancelled" if state.frontier.stopping is Reason.CANCELLED else ""


def _already_decided(task_id: str, state: RunState) -> str:
    i = state.index.get(task_id)
    if i is None or state.tasks[i].answer is None or state.nodes[i].task.kind != "approval":
        return ""
    return f"'{task_id}' is already decided: it was {decided(state.tasks[i])}"


def _why_not_decided(task_id: str, state: RunState, now: float) -> str:
    i = state.index.get(task_id)
    if i is None:
        return f"there is no task '{task_id}'"
    node, task = state.nodes[i], state.tasks[i]
    if node.task.kind != "approval":
        return f"'{task_id}' is no approval"
    if node.members is not None:
        return f"'{task_id}' has variants, each with an approval of its own"
    if task.status is not Status.WAITING:
        return f"'{task_id}' {'has ended' if task.status in FINAL else 'does not wait for an approval yet'}: {task.status}"
    fails_at = task.wait.fails_at if task.wait else None
    if task.wait is not None and fails_at is not None and fails_at <= now:
        return f"the approval of '{task_id}' expired at {task.wait.expires_at}"
    return ""


def decided(task: TaskState) -> str:
    """How an approval was decided: `approved by ann`."""
    match task.answer:
        case ApprovalGranted(by=by):
            return f"approved by {by}"
        case ApprovalRejected(by=by, reason=reason):
            return f"rejected by {by}{': ' if reason else ''}{reason}"
        case ApprovalExpired(expires_at=expires_at):
            return f"expired at {expires_at}"
        case SignalReceived(by=by):
            return f"signalled by {by}"
        case None:
            return "not decided"


def _why_not_signalled(name: str, state: RunState, now: float) -> str:
    """A signal is taken while some task waits for it, or may still begin to."""
    open_names: set[str] = set()
    for node, task in zip(state.nodes, state.tasks, strict=True):
        if task.status in FINAL or task.answer is not None:
            continue
        if task.wait is not None and task.status is Status.WAITING:
            fails_at = task.wait.fails_at
            if task.wait.signal == name and fails_at is not None and fails_at <= now:
                return f"the wait of '{node.task.id}' for the signal '{name}' timed out at {task.wait.expires_at}"
            waits_for = task.wait.signal
        else:
            waits_for = node.task.action.signal
        if waits_for == name or (waits_for is not None and "${{" in waits_for):
            return ""
        open_names |= {waits_for} if waits_for is not None else set()
    known = f"; it waits for {', '.join(sorted(open_names))}" if open_names else ""
    return f"nothing in the run waits for the signal '{name}'{known}"
