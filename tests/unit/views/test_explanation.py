"""The chain of causes. (Every sentence, through its text and JSON: test_why.)"""

from __future__ import annotations

from dagrun.core.events import DagStart
from dagrun.core.record import RunRecord
from dagrun.views.explanation import Explanation
from dagrun.views.recorded_run import RecordedRun
from tests.unit.harness import chain

START = DagStart(timestamp=0.0, task_count=2, dag_path="", dag_hash="")


def test_a_chain_follows_each_task_to_its_cause() -> None:
    run = RecordedRun(RunRecord("r", chain("a; b<-a; c<-b"), [START], live=True))
    explanation = Explanation(run, 9.0, lambda *_: "")
    explanation.follow("c")
    assert explanation.steps == [
        "c pending: waits for b",
        "b pending: waits for a",
        "a pending: it has not started yet",
    ]
    assert explanation.recorded() == []
