"""The loop with an executor that prefetches bodies: what happens to them when the run is cancelled."""

from __future__ import annotations

import asyncio

from dagrun.core.model import Dag
from dagrun.core.work import Attempt
from dagrun.executors.inline import HANG, InlineExecutor
from dagrun.kinds.workflow import WorkflowAction
from dagrun.runtime.engine import Engine
from dagrun.testing import ScenarioResult, run
from tests.unit.harness import task

THREE = Dag(name="d", tasks=tuple(task(name, action=WorkflowAction("w")) for name in "abc"))


class Deaf(InlineExecutor):
    """Somebody stopped the worker: it neither ends what runs nor gives back what it has in hand."""

    def stop(self, attempt: Attempt, *, now: bool = False) -> None:
        """The request is lost."""


def cancelled(executor: InlineExecutor) -> ScenarioResult:
    """The run of three, of which one runs and hangs, cancelled after a second."""

    def cancel(engine: Engine) -> None:
        engine.cancel("somebody")

    return asyncio.run(run(THREE, executor, max_parallel=2, at={1.0: cancel}))


def test_what_is_queued_when_a_run_is_cancelled_has_never_begun() -> None:
    hangs = InlineExecutor({"w": lambda _: HANG}, ahead=4)
    outcome = cancelled(hangs)
    assert hangs.started == [("a", 1), ("b", 1)]
    assert [(each.status, each.attempt) for each in outcome.view.tasks] == [("cancelled", 1)] * 2 + [
        ("cancelled", 0)
    ]
    assert outcome.view.duration == 1.0


def test_a_cancel_is_bounded_also_for_what_is_queued() -> None:
    class Taken(Deaf):
        """Its worker has taken up the third and does not get to say so."""

        def _begin_next(self) -> None:
            """Nothing follows."""

    ends = {"a": lambda _: None, "b": lambda _: None, "c": lambda _: HANG}
    outcome = cancelled(Taken(ends, ahead=4))
    assert outcome.statuses == {"a": "success", "b": "success", "c": "cancelled"}
    assert outcome.view.reason == "Cancelled: c did not end within 10s"
    assert outcome.view.duration == 11.0
