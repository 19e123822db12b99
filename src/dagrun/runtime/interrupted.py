"""Cancelling a run whose process has died."""

from __future__ import annotations

from dagrun.clock import Clock
from dagrun.core.completion import group_end
from dagrun.core.decide import decide
from dagrun.core.decisions import Cancel, EndGroup, Finish, Skip, Stop
from dagrun.core.events import CancelRequested, Event, TaskCancel
from dagrun.core.outcomes import Reason
from dagrun.core.requests import Request, event_of
from dagrun.core.state import RunState
from dagrun.runtime.run_end import end_event
from dagrun.storage.run_store import RunWriter


def cancel_interrupted(state: RunState, writer: RunWriter, request: Request, clock: Clock) -> None:
    """Record a request to cancel, and the end of every task and of the run: nothing runs any more."""

    def record(event: Event) -> None:
        state.apply(event)
        writer.append(event)

    event = event_of(request, state, clock.now())
    if event is None:
        return
    record(event)
    while isinstance(event, CancelRequested) and (decision := decide(state, clock.now())) is not None:
        now = clock.now()
        match decision:
            case Stop(node) | Cancel(node) | Skip(node):
                record(
                    TaskCancel(
                        timestamp=now, task_id=node.task.id, reason=str(Reason.CANCELLED),
                        attempt=state.tasks[node.index].attempt or None,
                    )
                )  # fmt: skip
            case EndGroup(node):
                record(group_end(state, node, now))
            case Finish():
                record(end_event(state, decision, now))
    writer.flush()
