"""Requests of other processes, and the events that record them."""

from __future__ import annotations

from dagrun.core.events import CancelIgnored, CancelRequested, DagDone, DagStart
from dagrun.core.requests import REQUESTS, Request, event_of
from dagrun.core.state import RunState
from tests.unit.harness import graph


def state(*, ended: bool) -> RunState:
    made = RunState(graph("a"))
    made.apply(DagStart(timestamp=0, task_count=1, dag_path="", dag_hash="", max_parallel=1))
    if ended:
        made.apply(
            DagDone(
                timestamp=1, status="failed", reason="", tasks_succeeded=0, tasks_failed=1, tasks_skipped=0,
                tasks_cancelled=0, duration_seconds=1,
            )
        )  # fmt: skip
    return made


def test_a_cancel_is_recorded_with_who_asked_and_why() -> None:
    event = event_of(Request("cancel", "me", {"reason": "enough"}), state(ended=False), 2.0)
    assert event == CancelRequested(timestamp=2.0, by="me", reason="enough")


def test_a_cancel_of_a_run_that_has_ended_is_recorded_as_ignored() -> None:
    event = event_of(Request("cancel", "me", {}), state(ended=True), 2.0)
    assert event == CancelIgnored(timestamp=2.0, by="me", reason="")


def test_every_kind_of_request_has_its_event() -> None:
    for kind in REQUESTS:
        assert event_of(Request(kind, "me", {}), state(ended=False), 2.0).timestamp == 2.0
