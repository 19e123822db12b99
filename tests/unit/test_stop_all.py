"""After a failure that stops the run, the order in which stopped attempts end does not matter for what still starts."""

from __future__ import annotations

import pytest

from dagrun.core.decide import decide
from dagrun.core.decisions import Cancel, Finish, Skip, Start, Stop
from dagrun.core.events import DagStart, Event, TaskCancel, TaskFail, TaskOk, TaskRetry, TaskSkip, TaskStart
from dagrun.core.graph import Graph
from dagrun.core.model import Dag, Retry, Trigger
from dagrun.core.outcomes import Outcome
from dagrun.core.state import RunState
from tests.unit.harness import task

CANCELLED = TaskCancel(timestamp=1.0, task_id="stopped", reason="StopAll", attempt=1)
SUCCEEDED = TaskOk(timestamp=1.0, task_id="stopped", attempt=1, duration_seconds=1.0)
TASKS = (
    task("bad"),
    task("stopped", retry=Retry(retries=1)),
    task("between", "stopped"),
    task("direct", "stopped", trigger=Trigger.FAILURE),
    task("further", "between", trigger=Trigger.FAILURE),
    task("elsewhere", "apart", trigger=Trigger.FAILURE),
    task("apart"),
)


class StoppedRun:
    """A run of TASKS in which `bad` and `stopped` have begun."""

    def __init__(self) -> None:
        self.state = RunState(Graph.compile(Dag(name="dag", tasks=TASKS)))
        self.started: set[str] = set()
        self.skipped: dict[str, str] = {}
        start = DagStart(timestamp=0.0, task_count=len(TASKS), dag_path="d", dag_hash="h", max_parallel=2)
        self.apply(
            start,
            *(TaskStart(timestamp=0.0, task_id=name, attempt=1, kind="shell") for name in ("bad", "stopped")),
        )

    def apply(self, *events: Event) -> None:
        for event in events:
            self.state.apply(event)

    def decide(self) -> None:
        """Carry out all decisions; what is started succeeds at once."""
        while (decision := decide(self.state, 1.0)) is not None:
            match decision:
                case Start(node):
                    name = node.task.id
                    self.started.add(name)
                    self.apply(
                        TaskStart(timestamp=1.0, task_id=name, attempt=1, kind="shell"),
                        TaskOk(timestamp=1.0, task_id=name, attempt=1, duration_seconds=0.0),
                    )
                case Stop(node, reason):
                    self.state.frontier.stop_requested(node.index, reason)
                case Skip(node, reason):
                    self.skipped[node.task.id] = str(reason)
                    self.apply(TaskSkip(timestamp=1.0, task_id=node.task.id, reason=str(reason)))
                case Cancel(node, reason):
                    self.apply(TaskCancel(timestamp=1.0, task_id=node.task.id, reason=str(reason), attempt=1))
                case Finish():
                    return
                case _:
                    raise AssertionError(decision)

    def fail(self) -> None:
        """The failure that stops the run."""
        self.apply(TaskFail(timestamp=1.0, task_id="bad", attempt=1, error="e", error_type="E"))


@pytest.mark.parametrize("end", [CANCELLED, SUCCEEDED], ids=["cancelled", "succeeded nevertheless"])
@pytest.mark.parametrize("late", [False, True], ids=["at once", "later"])
def test_an_attempt_that_the_stop_ends_counts_as_failed_from_then_on(end: Event, late: bool) -> None:
    run = StoppedRun()
    run.fail()
    if late:
        run.decide()
    run.apply(end)
    run.decide()
    assert run.started == {"direct", "further"}
    assert run.skipped == {"between": "StopAll", "elsewhere": "NoFailure", "apart": "StopAll"}
    assert run.state.outcome(run.state.index["stopped"]) is Outcome.FAILED


def test_a_task_that_waits_for_a_retry_counts_as_failed_too() -> None:
    run = StoppedRun()
    retry = TaskRetry(
        timestamp=1.0, task_id="stopped", attempt=1, error="e", error_type="E", delay_seconds=60.0
    )
    run.apply(retry)
    run.fail()
    run.decide()
    assert run.started == {"direct", "further"}


def test_a_task_that_had_succeeded_before_has_not_failed() -> None:
    run = StoppedRun()
    run.apply(SUCCEEDED)
    run.fail()
    run.decide()
    assert run.started == set()
    assert run.skipped["direct"] == run.skipped["further"] == "NoFailure"
