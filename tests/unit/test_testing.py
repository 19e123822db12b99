"""The tools that dagrun ships for tests: scenarios in memory, with a fake clock and functions as bodies."""

from __future__ import annotations

import pytest

from dagrun.documents.yaml import DocumentError
from dagrun.testing import HANG, ScenarioResult, dag, fails, scenario

NIGHTLY = """
    name: nightly
    params: {day: monday}
    tasks:
      - {id: load, workflow_ref: load, params: {day: "${{ params.day }}"}, retries: 1}
      - {id: report, workflow_ref: report, depends_on: [load]}
"""


def nightly(failures: int = 0) -> ScenarioResult:
    return scenario(NIGHTLY, {"load": fails(failures, then={"rows": 3})})


def test_a_scenario_runs_a_document_to_its_end() -> None:
    result = nightly()
    assert result.statuses == {"load": "success", "report": "success"}
    assert result.reasons == {"load": "Completed", "report": "Completed"}
    assert result.params == {"load": {"day": "monday"}, "report": {"load__rows": 3}}


def test_a_body_that_fails_once_is_started_twice() -> None:
    result = nightly(failures=1)
    assert result.started == ["load", "load", "report"]
    assert [event.name for event in result.events("task_retry")] == ["task_retry"]


def test_a_body_that_always_fails_fails_its_task() -> None:
    result = nightly(failures=9)
    assert result.statuses == {"load": "failed", "report": "skipped"}


def test_parameters_are_those_of_the_scenario() -> None:
    assert scenario(NIGHTLY, params={"day": "friday"}).params["load"] == {"day": "friday"}


def test_a_moment_of_the_fake_clock_can_do_something() -> None:
    result = scenario(NIGHTLY, {"load": lambda _: HANG}, at={60.0: lambda engine: engine.cancel("a test")})
    assert result.statuses == {"load": "cancelled", "report": "cancelled"}
    assert result.clock.now() >= result.events("dag_start")[0].timestamp + 60


def test_an_invalid_document_is_refused() -> None:
    with pytest.raises(DocumentError, match="nobody"):
        dag("name: d\ntasks: [{id: a, run: x, depends_on: [nobody]}]")
