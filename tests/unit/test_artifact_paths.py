"""Artifacts that an expression names: only what lies in the working directory."""

from __future__ import annotations

import pytest

from dagrun.core.events import TaskFail, TaskOk
from dagrun.core.model import Dag, Param
from dagrun.kinds.workflow import WorkflowAction
from tests.unit.harness import task
from tests.unit.lives import Life


def end(artifact: str, value: str) -> TaskOk | TaskFail:
    """How a task ends that keeps this artifact."""
    keeper = task("a", action=WorkflowAction("w"), artifacts=(artifact,))
    life = Life(Dag(name="d", tasks=(keeper,), params=(Param(name="f"),)))
    life.begin(f=value)
    (found,) = (fact for fact in life.facts if isinstance(fact, TaskOk | TaskFail))
    return found


@pytest.mark.parametrize(
    ("artifact", "value"),
    [
        ("${{ params.f }}", "/proc/self/environ"),
        ("${{ params.f }}", "//proc/self/environ"),
        ("${{ params.f }}", "../secret"),
        ("out/${{ params.f }}", "../../secret"),
        ("out/${{ params.f }}/x", "a/../../.."),
        ("${{ params.f }}/*", ".."),
        ("/${{ params.f }}", "etc/passwd"),
    ],
)
def test_a_path_that_leads_out_of_the_working_directory_fails_the_task(artifact: str, value: str) -> None:
    fact = end(artifact, value)
    assert isinstance(fact, TaskFail)
    assert fact.error.startswith("artifacts: '")
    assert fact.error.endswith("' lies outside the working directory")


@pytest.mark.parametrize("value", ["report.txt", "out/../report.txt", "..hidden", "*.txt", ""])
def test_one_that_stays_in_it_is_kept(value: str) -> None:
    assert isinstance(end("${{ params.f }}", value), TaskOk)


def test_what_the_document_itself_says_may_lie_anywhere() -> None:
    assert isinstance(end("/var/log/app.log", ""), TaskOk)
