"""Answers of people and programs to runs that wait: approvals, rejections and signals."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from dagrun.clock import Clock
from dagrun.core.events import ApprovalGranted, ApprovalRejected, Event, SignalReceived, masked
from dagrun.core.model import Dag
from dagrun.core.record import RunRecord, replay
from dagrun.core.requests import Request, event_of, goes_on, refusal
from dagrun.core.state import RunState
from dagrun.core.variants import there_is
from dagrun.core.work import INLINE_BYTES
from dagrun.documents import parameters
from dagrun.errors import NotOwnedError, RefusedError, UsageError, did_you_mean
from dagrun.kinds.approval import ApprovalAction
from dagrun.masking import Masker
from dagrun.roles import Role, role_of
from dagrun.storage.run_store import RunStore, RunWriter
from dagrun.value import Value

if TYPE_CHECKING:
    from dagrun.core.work import Json

POLL_INTERVAL = 0.02  # seconds at first; each further one is longer, because a long journal is read each time
MAX_POLL_INTERVAL = 0.5
TIMEOUT = 10.0  # seconds in which the process that drives a run must take a request


class RecordedAnswer(Value):
    """An answer that is on record. `live`: the process that drives the run continues it, or has ended it already."""

    run_id: str
    live: bool
    #: The values that were given, and defaults.
    inputs: Mapping[str, Json]


class Answering:
    """Records answers: through the process that drives a run, or as its owner where there is none."""

    def __init__(
        self,
        runs: RunStore,
        clock: Clock,
        role: Role,
        masker: Callable[[Dag], Masker],
        settle: Callable[[RunWriter], RunState],
    ) -> None:
        self._runs = runs
        self._clock = clock
        self._role = role
        self._masker = masker
        self._settle = settle

    def approve(
        self, run_id: str, task_id: str, by: str, given: Sequence[str] | Mapping[str, Json]
    ) -> RecordedAnswer:
        """Approve. `given` are the values of its inputs, by name or as `name=value` texts. Raises RefusedError, UsageError."""
        action = self._approval(run_id, task_id)
        inputs = _inputs(task_id, action, given)
        return self._record(run_id, Request("approve", by, {"task": task_id, "inputs": inputs}), inputs)

    def reject(self, run_id: str, task_id: str, by: str, reason: str) -> RecordedAnswer:
        """Reject. Raises RefusedError."""
        self._approval(run_id, task_id)
        return self._record(run_id, Request("reject", by, {"task": task_id, "reason": reason}), {})

    def signal(
        self, run_id: str, name: str, by: str, given: Sequence[str] | Mapping[str, Json]
    ) -> RecordedAnswer:
        """Send a signal, with values of any names. Raises RefusedError, UsageError."""
        if isinstance(given, Mapping):
            inputs: Mapping[str, Json] = given
        else:
            inputs, problems = parameters.from_flags((), given, "--set")
            if problems:
                raise UsageError("\n".join(problems))
        return self._record(run_id, Request("signal", by, {"signal": name, "inputs": inputs}), inputs)

    def _approval(self, run_id: str, task_id: str) -> ApprovalAction:
        """The approval of a task that waits for one, if this user may answer it. Raises RefusedError."""
        state = replay(self._runs.read(run_id))
        asked = Request("approve", "", {"task": task_id})
        if why := refusal(asked, state, self._clock.now()):
            raise RefusedError(f"{why} (run {run_id})", hint=_hint(state, task_id, run_id))
        action = state.nodes[state.index[task_id]].task.action
        assert isinstance(action, ApprovalAction)
        required = role_of(action.required_role)
        if not self._role.allows(required):
            raise RefusedError(
                f"'{task_id}' may be decided by the role {required} or a higher one, and yours is {self._role}",
                hint="the environment variable USER_RBAC_ROLE says which role you have",
            )
        return action

    def _record(self, run_id: str, request: Request, inputs: Mapping[str, Json]) -> RecordedAnswer:
        if (size := len(json.dumps(dict(inputs)))) > INLINE_BYTES:
            raise UsageError(
                f"the values take {size:,} bytes; at most {INLINE_BYTES:,} can be given", hint="name a file"
            )
        request = Request(request.kind, request.by, {**request.data, "request_id": secrets.token_hex(8)})
        sent, interval = False, POLL_INTERVAL
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            try:
                writer = self._runs.take_over(run_id)
            except NotOwnedError:
                raise
            except RefusedError:  # a live process drives it, and takes the request
                record = self._runs.read(run_id)
                state = replay(record)
                if _is_recorded(record, request):
                    if goes_on(state):
                        return RecordedAnswer(run_id, True, inputs)
                else:
                    self._refuse(request, state)
                    if not sent:
                        self._runs.send(run_id, request)
                        sent = True
                time.sleep(interval)
                interval = min(MAX_POLL_INTERVAL, 1.5 * interval)
                continue
            try:
                state = self._record_as_owner(writer, request)
            finally:
                writer.close()
            return RecordedAnswer(run_id, state.has_ended, inputs)
        if _is_recorded(self._runs.read(run_id), request):
            return RecordedAnswer(run_id, True, inputs)
        raise RefusedError(
            f"the process that drives run {run_id} has not taken the answer within {TIMEOUT:g}s",
            hint=f"`dagrun status {run_id}` shows whether it has taken it since",
        )

    def _record_as_owner(self, writer: RunWriter, request: Request) -> RunState:
        """Record the requests that nobody has taken, and this one, unless it was among them; the state then."""
        if not _is_recorded(self._runs.read(writer.run_id), request):
            self._refuse(request, replay(self._runs.read(writer.run_id)))
        state = self._settle(writer)
        if _is_recorded(self._runs.read(writer.run_id), request):
            return state
        self._refuse(request, state)
        event = event_of(request, state, self._clock.now())
        assert event is not None
        writer.append(masked(event, self._masker(state.graph.dag)))
        writer.flush()
        return state

    def _refuse(self, request: Request, state: RunState) -> None:
        if why := refusal(request, state, self._clock.now()):
            raise RefusedError(why)


def _is_recorded(record: RunRecord, request: Request) -> bool:
    return any(_request_id(event) == request.request_id for event in reversed(record.events))


def _request_id(event: Event) -> str | None:
    return (
        event.request_id if isinstance(event, ApprovalGranted | ApprovalRejected | SignalReceived) else None
    )


def _inputs(
    task_id: str, action: ApprovalAction, given: Sequence[str] | Mapping[str, Json]
) -> dict[str, Json]:
    """The value of every input. Raises UsageError with all problems."""
    values, problems = (
        (dict(given), [])
        if isinstance(given, Mapping)
        else parameters.from_flags(action.inputs, given, "--set")
    )
    problems += parameters.misfits(
        action.inputs, values, f"approval '{task_id}'", noun="input", give="give it with --set {}=..."
    )
    if problems:
        raise UsageError("\n".join(problems))
    return {param.name: values.get(param.name, param.default) for param in action.inputs}


def _hint(state: RunState, task_id: str, run_id: str) -> str:
    """What to do about an approval that cannot be given."""
    if task_id not in state.index:
        return did_you_mean(task_id, list(state.index))
    node = state.nodes[state.index[task_id]]
    if node.members is not None:
        return there_is([state.nodes[i].task.id for i in node.members])
    return f"`dagrun why {run_id} {task_id}` explains it"
