"""What endings come to when the clock was set back between two processes that drive one run."""

from __future__ import annotations

from dagrun.decisions import Finish
from dagrun.endings import TaskState, conclusion
from dagrun.engine import ending
from dagrun.events import DagStart, TaskOk
from dagrun.outcomes import Reason, RunStatus, Status
from dagrun.state import RunState
from tests.unit.harness import graph


def test_no_stretch_takes_less_than_no_time() -> None:
    state = RunState(graph("a"))
    state.apply(DagStart(timestamp=100.0, task_count=1, dag_path="d", dag_hash="h"))
    done = ending(state, Finish(RunStatus.CANCELLED, Reason.CANCELLED), 50.0)
    assert done.duration_seconds == 0.0


def test_no_group_takes_less_than_no_time() -> None:
    node = graph("a").nodes[0]
    variant = TaskState(status=Status.SUCCESS, started_at=100.0)
    fact = conclusion(node, ["a[1]"], [variant], 0.0, 50.0)
    assert isinstance(fact, TaskOk)
    assert fact.duration_seconds == 0.0
