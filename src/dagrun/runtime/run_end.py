"""The event that ends a stretch of a run."""

from __future__ import annotations

from collections.abc import Mapping

from dagrun.core.decisions import Finish, Pause
from dagrun.core.events import DagDone, DagPause
from dagrun.core.outcomes import Status
from dagrun.core.state import RunState
from dagrun.core.work import Json


def end_event(
    state: RunState, finish: Finish, now: float, outputs: Mapping[str, Json] | None = None
) -> DagDone:
    """The event that records a decision to finish. The duration, in seconds, is 0 when another process began the stretch."""
    counts = state.counts()
    return DagDone(
        timestamp=now,
        status=str(finish.status),
        reason=str(finish.reason),
        outputs=outputs,
        tasks_succeeded=counts.get(Status.SUCCESS, 0),
        tasks_failed=counts.get(Status.FAILED, 0) + counts.get(Status.TIMED_OUT, 0),
        tasks_skipped=counts.get(Status.SKIPPED, 0),
        tasks_cancelled=counts.get(Status.CANCELLED, 0),
        duration_seconds=_since_start(state, now),
    )


def pause_event(state: RunState, pause: Pause, now: float) -> DagPause:
    """The event that records a decision to pause."""
    return DagPause(timestamp=now, waiting_for=pause.waiting_for, duration_seconds=_since_start(state, now))


def _since_start(state: RunState, now: float) -> float:
    return max(0.0, round(now - (state.stretch_started_at or now), 3))
