"""What an engine records when something begins, or cannot."""

from __future__ import annotations

from dagrun.core.decisions import Start
from dagrun.core.graph import Graph
from dagrun.core.model import Dag
from dagrun.kinds.kind import Wait
from dagrun.language.expressions import EvaluationError
from dagrun.runtime.engine_events import message_of, start_event, type_of, wait_event
from tests.unit.harness import task

NODE = Graph.compile(Dag(name="d", tasks=(task("a"),))).nodes[0]


def test_an_error_has_a_message_and_a_type_for_people() -> None:
    assert (message_of(RecursionError("x")), type_of(RecursionError())) == (
        "a value is nested too deeply",
        "RecursionError",
    )
    assert (message_of(ValueError()), type_of(EvaluationError("x", 0))) == ("ValueError", "ExpressionError")


def test_a_start_names_the_attempt_and_what_it_waited_for() -> None:
    event = start_event(NODE, 2, 1.0, "slot:b", "child")
    assert (event.task_id, event.attempt, event.waited_for, event.child_run_id) == ("a", 2, "slot:b", "child")


def test_a_wait_records_moments_for_later_stretches() -> None:
    event = wait_event(Start(NODE, 1), Wait(signal="go", timeout=60.0), 0.0)
    assert (event.signal, event.expires_at, event.until) == ("go", "1970-01-01T00:01:00.000Z", None)
