"""Stories of whole runs with a fake clock: which task starts when, and what follows from failures."""

from __future__ import annotations

from dagrun.core.work import AttemptResult
from dagrun.runtime.engine import Engine
from dagrun.testing import HANG, fails, scenario

DIAMOND = """
    name: diamond
    tasks:
      - {id: top, workflow_ref: w}
      - {id: left, workflow_ref: w, depends_on: [top]}
      - {id: right, workflow_ref: w, depends_on: [top]}
      - {id: bottom, workflow_ref: w, depends_on: [left, right]}
"""


def test_tasks_run_in_the_order_of_their_dependencies() -> None:
    outcome = scenario(DIAMOND)
    assert outcome.started == ["top", "left", "right", "bottom"]
    assert outcome.view.status == "success"
    assert set(outcome.reasons.values()) == {"Completed"}


def test_of_the_ready_tasks_the_first_in_the_file_starts_first() -> None:
    outcome = scenario(
        """
        name: letters
        max_parallel: 1
        tasks:
          - {id: z, run: "true"}
          - {id: a, run: "true"}
          - {id: m, run: "true", depends_on: [a]}
          - {id: b, run: "true", depends_on: [z]}
        """
    )
    assert outcome.started == ["z", "a", "m", "b"]


def test_no_more_attempts_run_at_once_than_max_parallel_says() -> None:
    tasks = "\n".join(f"          - {{id: t{i}, run: 'true'}}" for i in range(20))
    outcome = scenario(f"        name: wide\n        max_parallel: 3\n        tasks:\n{tasks}\n")
    assert outcome.executor.most_at_once == 3
    assert outcome.view.status == "success"


def test_outputs_reach_direct_dependents_only() -> None:
    outcome = scenario(
        """
        name: payload
        tasks:
          - {id: sweep, workflow_ref: sweep}
          - {id: report, workflow_ref: report, depends_on: [sweep], params: {start: x}}
          - {id: brief, workflow_ref: brief, depends_on: [report]}
        """,
        {"sweep": lambda p: {"summary": "15 items"}, "report": lambda p: {"path": "r.md"}},
    )
    assert outcome.params["report"] == {"start": "x", "sweep__summary": "15 items"}
    assert outcome.params["brief"] == {"report__path": "r.md"}


def test_an_upstream_value_wins_over_an_own_parameter_of_its_name() -> None:
    outcome = scenario(
        """
        name: payload
        tasks:
          - {id: a, workflow_ref: a}
          - {id: b, workflow_ref: b, depends_on: [a], params: {a__k: mine}}
        """,
        {"a": lambda p: {"k": "theirs"}},
    )
    assert outcome.params["b"] == {"a__k": "theirs"}


def test_a_failure_stops_everything_by_default() -> None:
    outcome = scenario(
        """
        name: stop
        tasks:
          - {id: bad, workflow_ref: bad}
          - {id: slow, workflow_ref: slow}
          - {id: after, workflow_ref: w, depends_on: [bad]}
          - {id: later, workflow_ref: w, depends_on: [slow]}
        """,
        {"bad": fails(9), "slow": lambda p: HANG},
    )
    assert outcome.statuses == {"bad": "failed", "slow": "cancelled", "after": "skipped", "later": "skipped"}
    assert outcome.reasons == {"bad": "TaskFailed", "slow": "StopAll", "after": "StopAll", "later": "StopAll"}
    assert (outcome.view.status, outcome.view.reason) == ("failed", "TaskFailed")


def test_with_continue_independent_tasks_go_on() -> None:
    outcome = scenario(
        """
        name: go-on
        on_error: continue
        tasks:
          - {id: bad, workflow_ref: bad}
          - {id: other, workflow_ref: w}
          - {id: after, workflow_ref: w, depends_on: [bad]}
          - {id: later, workflow_ref: w, depends_on: [after]}
        """,
        {"bad": fails(9)},
    )
    assert outcome.statuses == {"bad": "failed", "other": "success", "after": "skipped", "later": "skipped"}
    assert outcome.reasons["after"] == "DependencyFailed"
    assert outcome.reasons["later"] == "DependencySkipped"
    assert outcome.view.status == "partial"


def test_a_run_in_which_nothing_succeeded_failed() -> None:
    outcome = scenario("name: f\non_error: continue\ntasks: [{id: a, workflow_ref: a}]", {"a": fails(9)})
    assert outcome.view.status == "failed"


def test_a_tasks_own_on_error_overrides_for_its_own_failure() -> None:
    text = """
        name: own
        on_error: {policy}
        tasks:
          - {{id: bad, workflow_ref: bad, on_error: {own}}}
          - {{id: other, workflow_ref: w, depends_on: [gate]}}
          - {{id: gate, workflow_ref: w}}
    """
    assert (
        scenario(text.format(policy="stop_all", own="continue"), {"bad": fails(9)}).view.status == "partial"
    )
    assert scenario(text.format(policy="continue", own="stop_all"), {"bad": fails(9)}).view.status == "failed"


def test_a_tolerated_failure_stops_no_dependent() -> None:
    outcome = scenario(
        """
        name: tolerant
        tasks:
          - {id: flaky, workflow_ref: flaky, continue_on_failure: true}
          - {id: after, workflow_ref: w, depends_on: [flaky]}
        """,
        {"flaky": fails(9)},
    )
    assert outcome.statuses == {"flaky": "failed", "after": "success"}
    assert outcome.view.status == "success"


def test_retries_wait_twice_as_long_each_time() -> None:
    outcome = scenario("name: r\ntasks: [{id: a, workflow_ref: a, retries: 3}]", {"a": fails(3, {"n": 1})})
    assert [event.delay_seconds for event in outcome.events("task_retry")] == [0.4, 0.8, 1.6]  # type: ignore[union-attr]
    assert outcome.view.tasks[0].attempt == 4
    assert outcome.view.status == "success"
    assert outcome.view.duration == 2.8


def test_a_task_fails_when_its_retries_are_used_up() -> None:
    outcome = scenario("name: r\ntasks: [{id: a, workflow_ref: a, retries: 2}]", {"a": fails(9)})
    assert outcome.started == ["a", "a", "a"]
    assert outcome.view.tasks[0].error == "RuntimeError: boom"


def test_retries_may_be_for_certain_errors_only() -> None:
    text = "name: r\ntasks: [{id: a, workflow_ref: a, retry: {max_attempts: 3, on_errors: [KeyError]}}]"
    assert scenario(text, {"a": fails(9)}).started == ["a"]


def test_what_no_further_attempt_would_mend_is_not_retried() -> None:
    ended = AttemptResult(duration=0.0, error="no container of 'x'", error_type="NoContainerEngine")
    text = "name: r\ntasks: [{id: a, image: x, retries: 3}]"
    assert scenario(text, {"a": lambda _: ended}).started == ["a"]


def test_waiting_for_a_retry_holds_no_slot() -> None:
    outcome = scenario(
        """
        name: slots
        max_parallel: 1
        tasks:
          - {id: flaky, workflow_ref: flaky, retries: 1}
          - {id: other, workflow_ref: w}
        """,
        {"flaky": fails(1)},
    )
    assert outcome.started == ["flaky", "other", "flaky"]


def test_an_attempt_that_takes_too_long_is_ended_and_may_be_retried() -> None:
    outcome = scenario(
        "name: t\ntasks: [{id: a, workflow_ref: a, timeout: 5, retries: 1}]", {"a": lambda p: HANG}
    )
    assert outcome.statuses == {"a": "timed_out"}
    assert outcome.view.tasks[0].error == "timed out after 5s"
    assert outcome.started == ["a", "a"]
    assert outcome.view.duration == 10.4


def test_the_runs_own_timeout_ends_it() -> None:
    outcome = scenario(
        "name: t\ntimeout: 1m\ntasks: [{id: a, workflow_ref: a}, {id: b, workflow_ref: w, depends_on: [a]}]",
        {"a": lambda p: HANG},
    )
    assert (outcome.view.status, outcome.view.reason) == ("failed", "RunTimeout")
    assert outcome.statuses == {"a": "cancelled", "b": "skipped"}
    assert outcome.view.duration == 60


def test_a_cancel_ends_what_runs_and_what_waits() -> None:
    def cancel(engine: Engine) -> None:
        engine.cancel("ann", "enough")

    outcome = scenario(
        """
        name: c
        tasks:
          - {id: slow, workflow_ref: slow}
          - {id: flaky, workflow_ref: flaky, retries: 9, retry: {initial: 1h, max: 1h}}
          - {id: after, workflow_ref: w, depends_on: [slow]}
        """,
        {"slow": lambda p: HANG, "flaky": fails(99)},
        at={10: cancel},
    )
    assert set(outcome.statuses.values()) == {"cancelled"}
    assert (outcome.view.status, outcome.view.duration) == ("cancelled", 10)


def test_every_fact_is_recorded_once_and_in_order() -> None:
    outcome = scenario(DIAMOND)
    names = [event.name for event in outcome.events()]
    assert names == ["dag_start", "task_start", "task_ok", "task_start", "task_start", "task_ok", "task_ok",
                     "task_start", "task_ok", "dag_done"]  # fmt: skip
