"""One run in the shape of an OrchestrationRun: S0's phases and reasons, S1's conditions."""

from __future__ import annotations

from typing import Any

from dagrun.core.events import CancelIgnored
from dagrun.core.model import OnError
from dagrun.runtime.engine import Engine
from dagrun.testing import HANG, ScenarioResult, fails, scenario
from dagrun.views.orchestration_run import orchestration_run
from dagrun.views.status import view_of
from tests.unit.harness import played, task

STEPS = """
    name: build-and-test
    on_error: continue
    tasks:
      - {id: build, workflow_ref: build}
      - {id: test, workflow_ref: w, depends_on: [build]}
"""


def shown(outcome: ScenarioResult) -> dict[str, Any]:
    shape: dict[str, Any] = orchestration_run(outcome.view)
    return shape


def steps(outcome: ScenarioResult) -> list[tuple[str, str, str | None]]:
    return [(step["name"], step["phase"], step.get("reason")) for step in shown(outcome)["status"]["steps"]]


def test_a_run_that_went_well_has_succeeded() -> None:
    outcome = scenario(STEPS)
    status = shown(outcome)["status"]
    assert (shown(outcome)["kind"], status["phase"]) == ("OrchestrationRun", "Succeeded")
    assert [(each["type"], each["status"]) for each in status["conditions"]] == [("Succeeded", "True")]
    assert steps(outcome) == [("build", "Succeeded", "Completed"), ("test", "Succeeded", "Completed")]


def test_the_dependents_of_a_failed_step_are_skipped_for_it() -> None:
    outcome = scenario(STEPS, {"build": fails(9)})
    assert shown(outcome)["status"]["phase"] == "Failed"
    assert steps(outcome) == [("build", "Failed", "TaskFailed"), ("test", "Skipped", "DependencyFailed")]
    assert shown(outcome)["status"]["steps"][0]["message"] == "RuntimeError: boom"


def test_a_cancelled_run_says_so_in_its_phase_and_in_a_condition() -> None:
    def cancel(engine: Engine) -> None:
        engine.cancel("ann", "wrong region")

    outcome = scenario(STEPS, {"build": lambda p: HANG}, at={1: cancel})
    status = shown(outcome)["status"]
    assert status["phase"] == "Cancelled"
    (condition,) = status["conditions"]
    assert (condition["type"], condition["status"]) == ("Cancelled", "True")
    assert condition["message"] == "wrong region"


def test_a_cancel_that_came_too_late_is_a_condition_that_does_not_hold() -> None:
    outcome = scenario(STEPS)
    outcome.state.apply(CancelIgnored(timestamp=outcome.clock.now(), by="ann"))
    status = orchestration_run(view_of(outcome.state, "run"))["status"]
    assert status["phase"] == "Succeeded"
    assert (status["conditions"][1]["status"], status["conditions"][1]["reason"]) == ("False", "AlreadyEnded")


def test_a_run_that_goes_on_has_no_end_yet() -> None:
    outcome = scenario(STEPS)
    outcome.state.finished_at, outcome.state.status = None, type(outcome.state.status)("running")
    status = orchestration_run(view_of(outcome.state, "run"))["status"]
    assert (status["phase"], status["conditions"]) == ("Running", [])
    assert "finishedAt" not in status


def test_a_group_says_how_many_of_its_variants_passed() -> None:
    tasks = (task("each", for_each=("a", "b")), task("all", for_each=("a",)))
    outcome = played(*tasks, bodies={"each[1]": fails(9)}, on_error=OnError.CONTINUE)
    found = {step["name"]: step.get("message") for step in shown(outcome)["status"]["steps"]}
    assert found["each"] == "each[1] failed (1/2 passed)"
    assert (found["all"], found["all[0]"]) == ("1/1 passed", None)
