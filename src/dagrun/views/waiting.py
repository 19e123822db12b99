"""What a waiting task waits for, who or what ends that, and what to type."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator
from typing import Final

from dagrun.core.events import ApprovalExpired, ApprovalGranted, ApprovalRejected, TaskWait
from dagrun.core.graph import Node
from dagrun.core.model import Param
from dagrun.core.requests import decided
from dagrun.core.task_state import TaskState
from dagrun.core.work import Json
from dagrun.kinds.approval import ApprovalAction
from dagrun.value import Value
from dagrun.views.wording import count, plain

#: How many waiting tasks are explained.
_MAX_EXPLAINED: Final = 10


class WaitView(Value, kw_only=True):
    """How a task waits. `expired`: its time is over, and no process has recorded that yet."""

    wait: TaskWait
    #: The values that a person is asked for.
    inputs: tuple[Param, ...] = ()
    expired: bool = False
    #: What has ended the wait, if no process has continued the run since: `approved by ann`.
    answer: str = ""
    reason: str

    @property
    def text(self) -> str:
        """What it waits for, in one line."""
        wait = self.wait
        if self.answer:
            return self.answer
        if wait.is_approval:
            what = plain(wait.prompt or "")
        elif wait.signal is not None:
            what = f"signal '{wait.signal}'"
        elif wait.child_run_id is not None:
            what = f"child run {wait.child_run_id}"
        else:
            what = (
                f"file {plain(wait.file)}" if wait.file is not None else f"until {shown_moment(wait.until)}"
            )
        if wait.expires_at is None:
            return what
        if self.expired:
            return f"{what} (expired at {shown_moment(wait.expires_at)})"
        return f"{what} ({'expires' if wait.is_approval else 'times out'} at {shown_moment(wait.expires_at)})"

    def to_json(self) -> dict[str, Json]:
        """The shape of `wait` in the entry of a task."""
        wait = self.wait
        shape: dict[str, Json] = {
            "prompt": wait.prompt,
            "required_role": wait.required_role,
            "inputs": {param.name: _declaration(param) for param in self.inputs}
            if wait.is_approval
            else None,
            "signal": wait.signal,
            "until": wait.until,
            "file": wait.file,
            "child_run_id": wait.child_run_id,
            "expires_at": wait.expires_at,
        }
        return {name: value for name, value in shape.items() if value is not None} | {"expired": self.expired}


def shown_moment(moment: str | None) -> str:
    """A recorded moment for people: `2026-01-31 09:00:00 UTC`."""
    return (moment or "").replace("T", " ").partition(".")[0].rstrip("Z") + " UTC"


def _declaration(param: Param) -> dict[str, Json]:
    return {
        "type": param.type,
        "default": param.default,
        "enum": list(param.enum),
        "required": param.required,
        "description": param.description,
    }


def wait_view(node: Node, task: TaskState, now: float | None) -> WaitView | None:
    """The wait of a task that waits, at the moment `now`."""
    wait = task.wait
    if wait is None:
        return None
    fails_at = wait.fails_at
    expired = task.answer is None and now is not None and fails_at is not None and fails_at <= now
    action = node.task.action
    return WaitView(
        wait=wait,
        inputs=action.inputs if isinstance(action, ApprovalAction) else (),
        expired=expired,
        answer="" if task.answer is None else decided(task),
        reason=_reason(task, wait, expired=expired),
    )


def _reason(task: TaskState, wait: TaskWait, *, expired: bool) -> str:
    match task.answer:
        case ApprovalGranted():
            return "Approved"
        case ApprovalRejected():
            return "Rejected"
        case ApprovalExpired():
            return "ApprovalExpired"
        case None if expired:
            return "ApprovalExpired" if wait.is_approval else "TimedOut"
        case None if wait.is_approval:
            return "WaitingForApproval"
        case None if wait.signal is not None:
            return "WaitingForSignal"
        case None if wait.child_run_id is not None:
            return "WaitingForChildRun"
        case None:
            return "WaitingForFile" if wait.file is not None else "WaitingForTime"
    return "Signalled"


def wait_ended(task: TaskState) -> str:
    """How a wait ended well, for people: `approved by ann`; empty where there is nothing to say."""
    if task.answer is not None:
        return decided(task)
    wait = task.wait
    ends_at = None if wait is None else wait.ends_at
    if wait is None or ends_at is None or ends_at >= wait.timestamp:
        return ""
    return f"{shown_moment(wait.until)} had passed when it began to wait"


def next_steps(run_id: str, waits: Iterable[tuple[str, WaitView]]) -> Iterator[str]:
    """Lines that say for each task that waits for a person or a signal what to type."""
    asking = [(task_id, each) for task_id, each in waits if each.wait.is_for_someone]
    for task_id, each in asking[:_MAX_EXPLAINED]:
        quoted = shlex.quote(task_id)
        if each.wait.child_run_id is not None:
            yield f"{task_id} waits for its child run, which waits for an answer:"
            yield f"  dagrun status {each.wait.child_run_id}"
        elif each.answer or each.expired:
            yield f"{task_id}: {each.text}"
            yield f"  dagrun resume {run_id}"
        elif each.wait.is_approval:
            yield f"{task_id} waits for an approval ({each.wait.required_role}): {plain(each.wait.prompt or '')}"
            yield f"  dagrun approve {run_id} {quoted}{''.join(map(_flag, each.inputs))}"
            yield f"  dagrun reject {run_id} {quoted}"
        else:
            yield f"{task_id} waits for the signal '{each.wait.signal}'"
            yield f"  dagrun signal {run_id} {each.wait.signal}"
    if len(asking) > _MAX_EXPLAINED:
        yield f"and {count(len(asking) - _MAX_EXPLAINED, 'more task')}: `dagrun approvals` lists approvals"


def _flag(param: Param) -> str:
    """The option for an input, with its default or the word VALUE; nothing for an optional one without a default."""
    if param.default is None:
        return f" --set {shlex.quote(param.name)}=VALUE" if param.required else ""
    text = param.default if isinstance(param.default, str) else json.dumps(param.default, ensure_ascii=False)
    return f" --set {shlex.quote(f'{param.name}={text}')}"
