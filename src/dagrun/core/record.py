"""What is stored about one run, and its replay: the recorded events folded into a state again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dagrun.core.events import DagResume, DagStart, Event
from dagrun.core.graph import Graph
from dagrun.core.model import Dag
from dagrun.core.outcomes import RunStatus
from dagrun.core.state import RunState
from dagrun.value import Value


class RunRecord(Value):
    """All that is stored about one run. `live`: a process drives it now. `corrupt`: number of lines that are no events."""

    run_id: str
    dag: Dag
    events: Sequence[Event]
    live: bool
    corrupt: int = 0


def replay(record: RunRecord, dag: Dag | None = None) -> RunState:
    """The state of a recorded run. With `dag`: the state of a run of that DAG in which the same tasks have succeeded."""
    state = RunState(Graph.compile(dag or record.dag))
    fold(state, record.events)
    return state


def fold(state: RunState, events: Iterable[Event]) -> int:
    """Apply recorded events to a state. Returns how many of them do not fit."""
    misfits = 0
    hashes: set[str] = set()
    for event in events:
        if isinstance(event, DagStart | DagResume) and event.dag_hash not in hashes:
            hashes.add(event.dag_hash)
            misfits = 0  # earlier events are about another DAG, which a resume has replaced
        try:
            state.apply(event)
        except (LookupError, ValueError, TypeError, AttributeError):
            # An unknown task or status, or an order of events that no run has: lines are missing, or were changed.
            misfits += 1
    return misfits


def mark_interrupted(state: RunState) -> None:
    """Mark a run that has something to do, and that no process drives, as interrupted."""
    if state.status in (RunStatus.RUNNING, RunStatus.PENDING):
        state.status = RunStatus.INTERRUPTED
        state.reason = "its process ended without recording an end"
