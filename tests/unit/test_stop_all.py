"""After a failure that stops the run: what may still start sees the same, whenever what is ended has ended."""

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
ENDED_WELL = TaskOk(timestamp=1.0, task_id="stopped", attempt=1, duration_seconds=1.0)
TASKS = (
    task("bad"),
    task("stopped", retry=Retry(retries=1)),
    task("between", "stopped"),
    task("direct", "stopped", trigger=Trigger.FAILURE),
    task("further", "between", trigger=Trigger.FAILURE),
    task("elsewhere", "apart", trigger=Trigger.FAILURE),
    task("apart"),
)


class World:
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
        """Everything that can be decided now; what is started ends well at once."""
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
        """What stops the run."""
        self.apply(TaskFail(timestamp=1.0, task_id="bad", attempt=1, error="e", error_type="E"))


@pytest.mark.parametrize("end", [CANCELLED, ENDED_WELL], ids=["cancelled", "ended well all the same"])
@pytest.mark.parametrize("late", [False, True], ids=["at once", "later"])
def test_what_the_stop_ends_counts_as_failed_from_then_on(end: Event, late: bool) -> None:
    world = World()
    world.fail()
    if late:
        world.decide()
    world.apply(end)
    world.decide()
    assert world.started == {"direct", "further"}
    assert world.skipped == {"between": "StopAll", "elsewhere": "NoFailure", "apart": "StopAll"}
    assert world.state.outcome(world.state.index["stopped"]) is Outcome.FAILED


def test_so_does_what_waits_for_a_retry() -> None:
    world = World()
    retry = TaskRetry(
        timestamp=1.0, task_id="stopped", attempt=1, error="e", error_type="E", delay_seconds=60.0
    )
    world.apply(retry)
    world.fail()
    world.decide()
    assert world.started == {"direct", "further"}


def test_what_had_ended_well_before_did_not_fail() -> None:
    world = World()
    world.apply(ENDED_WELL)
    world.fail()
    world.decide()
    assert world.started == set()
    assert world.skipped["direct"] == world.skipped["further"] == "NoFailure"
