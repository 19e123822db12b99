"""What other processes can ask of a run; one row in `REQUESTS` per kind of request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dagrun.core.events import CancelIgnored, CancelRequested, Event

if TYPE_CHECKING:
    from dagrun.core.state import RunState
    from dagrun.core.work import Json


@dataclass(frozen=True, slots=True)
class Request:
    """Something that another process asks of a run."""

    #: A key of `REQUESTS`.
    kind: str
    #: Who asks.
    by: str
    #: What the kind needs to know: `cancel` has `reason`.
    data: Mapping[str, Json]


def _cancel(request: Request, state: RunState, now: float) -> Event:
    reason = str(request.data.get("reason", ""))
    if state.finished_at is not None:
        return CancelIgnored(timestamp=now, by=request.by, reason=reason)
    return CancelRequested(timestamp=now, by=request.by, reason=reason)


#: The event that records each kind of request, given the state of the run and the time.
REQUESTS: Mapping[str, Callable[[Request, RunState, float], Event]] = {"cancel": _cancel}


def event_of(request: Request, state: RunState, now: float) -> Event:
    """The event that records a request."""
    return REQUESTS[request.kind](request, state, now)
