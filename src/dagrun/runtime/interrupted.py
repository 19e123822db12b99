"""Cancelling a run whose process has died."""

from __future__ import annotations

from dagrun.clock import Clock
from dagrun.core.completion import group_end, hook_cancelled
from dagrun.core.decide import decide
from dagrun.core.decisions import Cancel, CancelHook, EndGroup, Finish, Skip, StartHook, Stop, StopHook
from dagrun.core.events import CancelRequested, Event, HooksStart, TaskCancel
from dagrun.core.hooks import due
from dagrun.core.outcomes import Reason
from dagrun.core.requests import Request, event_of
from dagrun.core.state import RunState
from dagrun.runtime.run_end import end_event
from dagrun.storage.run_store import RunWriter


def cancel_interrupted(state: RunState, writer: RunWriter, request: Request, clock: Clock) -> None:
    """Record a request to cancel, and what follows from it: see `end_cancelled`."""
    event = event_of(request, state, clock.now())
    if event is None:
        return
    state.apply(event)
    writer.append(event)
    if isinstance(event, CancelRequested):
        end_cancelled(state, writer, clock)
    writer.flush()


def end_cancelled(state: RunState, writer: RunWriter, clock: Clock) -> None:
    """Record the end of every task of a run that is being cancelled: nothing runs any more.

    The end of the run is recorded as well, unless it has hooks: `Finish` is then the next decision.
    """

    def record(event: Event) -> None:
        state.apply(event)
        writer.append(event)

    while (decision := decide(state, clock.now())) is not None:
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
            case StopHook(name):
                record(hook_cancelled(name, now, "cancelled", state.hooks.states[name].attempt))
            case CancelHook(name):
                record(hook_cancelled(name, now, "cancelled"))
            case Finish(status) if not state.hooks and due(state.graph.dag, status):
                break
            case Finish():
                record(end_event(state, decision, now, state.hooks.outputs))
            case _:  # a hook of a late run is left to whoever runs the others
                break
    writer.flush()


def end_without_hooks(state: RunState, writer: RunWriter, why: str, clock: Clock) -> None:
    """Record the end of a run that `end_cancelled` has left to its hooks, and why these did not run."""

    def record(event: Event) -> None:
        state.apply(event)
        writer.append(event)

    while (decision := decide(state, clock.now())) is not None:
        now = clock.now()
        match decision:
            case StartHook(name):
                record(hook_cancelled(name, now, why))
            case Finish(status, reason) if not state.hooks:
                names = due(state.graph.dag, status)
                record(HooksStart(timestamp=now, status=str(status), reason=str(reason), hooks=names))
            case Finish():
                record(end_event(state, decision, now, state.hooks.outputs))
            case _:
                break
    writer.flush()
