"""What a pending task waits for. (Groups and interrupted runs: test_why.)"""

from __future__ import annotations

from dagrun.core.events import DagStart, Event, TaskStart
from dagrun.core.record import RunRecord
from dagrun.views.pending import waits_for
from dagrun.views.recorded_run import RecordedRun
from tests.unit.harness import chain

START = DagStart(timestamp=0.0, task_count=2, dag_path="", dag_hash="", max_parallel=1)
A_BEGAN = TaskStart(timestamp=1.0, task_id="a", attempt=1, kind="shell")


def text(task_id: str, *events: Event, live: bool = True) -> tuple[str, str | None]:
    run = RecordedRun(RunRecord("r", chain("a; b; c<-b,a"), events, live))
    return waits_for(run, run.node(task_id))


def test_a_dependency_that_has_begun_comes_first() -> None:
    assert text("c", START, A_BEGAN) == ("c pending: waits for b and a", "a")


def test_a_slot() -> None:
    assert text("b", START, A_BEGAN)[0] == (
        "b pending: waits for a free slot; a took the 1 slot (max_parallel)"
    )


def test_nothing() -> None:
    assert text("a", START) == ("a pending: it has not started yet", None)


def test_an_interrupted_run_waits_no_more() -> None:
    assert text("c", START, live=False)[0] == "c pending: waited for b and a when the run was interrupted"
