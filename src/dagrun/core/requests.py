"""Requests from other processes to a run; one row in `REQUESTS` per kind of request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from dagrun.core.events import CancelIgnored, CancelRequested, Event
from dagrun.value import Value

if TYPE_CHECKING:
    from dagrun.core.state import RunState
    from dagrun.core.work import Json


class Request(Value):
    """A request from another process to a run."""

    #: A key of `REQUESTS`.
    kind: str
    #: Who makes the request.
    by: str
    #: What the kind needs to know: `cancel` has `reason`.
    data: Mapping[str, Json]


def _cancel(request: Request, state: RunState, now: float) -> Event:
    reason = str(request.data.get("reason", ""))
    if state.has_ended:
        return CancelIgnored(timestamp=now, by=request.by, reason=reason)
    return CancelRequested(timestamp=now, by=request.by, reason=reason)


#: The event that records each kind of request, given the state of the run and the time.
REQUESTS: Mapping[str, Callable[[Request, RunState, float], Event]] = {"cancel": _cancel}


def event_of(request: Request, state: RunState, now: float) -> Event:
    """The event that records a request."""
    return REQUESTS[request.kind](request, state, now)
