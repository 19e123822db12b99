"""Why a task has its status: every end and every wait, word for word."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from dagrun.core.events import (
    CancelRequested,
    DagResume,
    DagStart,
    Event,
    TaskFail,
    TaskOk,
    TaskRetry,
    TaskSkip,
    TaskStart,
)
from dagrun.core.model import Matrix, OnError
from dagrun.core.record import RunRecord
from dagrun.core.work import AttemptResult
from dagrun.runtime.engine import Engine
from dagrun.testing import HANG, ScenarioResult, dag, fails, scenario
from dagrun.value import replace
from dagrun.views.why import Why, explain
from tests.unit.harness import played, shown, task

TEN = 1_759_485_600.0  # 2025-10-03 10:00:00 UTC, where the fake clock begins

RELEASE = """
    name: release
    on_error: continue
    tasks:
      - {id: build, run: "true"}
      - {id: lint, run: "true", depends_on: [build]}
      - {id: test, run: "true", depends_on: [build], retries: 2}
      - {id: deploy, run: "true", depends_on: [lint, test]}
      - {id: announce, run: "true", depends_on: [deploy]}
"""


def exits(code: int) -> Any:
    return lambda _: AttemptResult(
        duration=1.0, error=f"exit code {code}", error_type="CommandFailed", exit_code=code
    )


def log(task_id: str, attempt: int) -> str:
    return f"{task_id}.{attempt}.log:41"


def explained(outcome: ScenarioResult, task_id: str) -> Why:
    """The question, asked when the run has ended."""
    return explain(outcome.record, task_id, outcome.clock.now(), log)


def summary(text: str, task_id: str, bodies: Mapping[str, Any] | None = None, **more: Any) -> str:
    return explained(scenario(textwrap.dedent(text), bodies, **more), task_id).summary


def record_of(text: str, *events: Event, live: bool = True) -> RunRecord:
    """A run by its events, at most two attempts at once; timestamps count from ten o'clock."""
    start = DagStart(timestamp=0, task_count=0, dag_path="x", dag_hash="x", max_parallel=2)
    shifted = [replace(event, timestamp=TEN + event.timestamp) for event in (start, *events)]
    return RunRecord("20251003-100000-7f3a9c", dag(text), shifted, live)


def began(at: float, task_id: str, attempt: int = 1, waited_for: str | None = None) -> TaskStart:
    return TaskStart(timestamp=at, task_id=task_id, attempt=attempt, kind="shell", waited_for=waited_for)


def ok(at: float, task_id: str, attempt: int = 1) -> TaskOk:
    return TaskOk(timestamp=at, task_id=task_id, attempt=attempt, duration_seconds=1.0)


def retry(at: float, task_id: str, attempt: int, delay: float) -> TaskRetry:
    return TaskRetry(
        timestamp=at, task_id=task_id, attempt=attempt, error="exit code 2", error_type="CommandFailed",
        delay_seconds=delay, exit_code=2,
    )  # fmt: skip


def failed(at: float, task_id: str, attempt: int) -> TaskFail:
    return TaskFail(
        timestamp=at, task_id=task_id, attempt=attempt, error="exit code 2", error_type="CommandFailed", exit_code=2
    )  # fmt: skip


def now(record: RunRecord, task_id: str, at: float) -> str:
    return explain(record, task_id, TEN + at, log).to_text(TEN + at)


# --- skipped -------------------------------------------------------------------------------------------------


def test_a_skipped_task_leads_to_the_failure_and_all_its_attempts() -> None:
    record = record_of(
        RELEASE,
        began(0, "build"), ok(12, "build"), began(12, "lint"), began(12, "test"), ok(13, "lint"),
        retry(13, "test", 1, 0.4), began(13.4, "test", 2), retry(28, "test", 2, 1.6), began(29.6, "test", 3),
        failed(30, "test", 3), TaskSkip(timestamp=31, task_id="deploy", reason="DependencyFailed", detail="test"),
        live=False,
    )  # fmt: skip
    assert now(record, "deploy", 60) == shown(
        """
        deploy skipped: DependencyFailed <- test failed: exit code 2 (attempt 3 of 3, test.3.log:41)

          10:00:31  deploy skipped: DependencyFailed <- test
          10:00:30  test failed: exit code 2 (attempt 3 of 3, test.3.log:41)
          10:00:28  test attempt 2 failed: exit code 2, retried after 1.60s
          10:00:13  test attempt 1 failed: exit code 2, retried after 0.40s
          10:00:12  test started because build succeeded (its only dependency)

        `dagrun logs 20251003-100000-7f3a9c test` shows what test printed.
        """
    )


def test_a_chain_of_skips_is_followed_to_its_end() -> None:
    assert summary(RELEASE, "announce", {"build": exits(3)}) == (
        "announce skipped: DependencySkipped <- deploy skipped: DependencySkipped <- lint skipped: DependencyFailed"
        " <- build failed: exit code 3 (attempt 1 of 1, build.1.log:41)"
    )


def test_stop_all_leads_to_the_failing_task() -> None:
    text = """
        name: stopping
        tasks:
          - {id: a, run: "true"}
          - {id: b, run: "true"}
          - {id: c, run: "true", depends_on: [b]}
    """
    bodies = {"a": exits(1), "b": lambda _: HANG}
    assert summary(text, "c", bodies) == (
        "c skipped: StopAll <- a failed: exit code 1 (attempt 1 of 1, a.1.log:41)"
    )
    why = explained(scenario(textwrap.dedent(text), bodies), "b")
    assert why.summary == "b cancelled: StopAll <- a failed: exit code 1 (attempt 1 of 1, a.1.log:41)"
    assert [link.text for link in why.chain] == [
        "b cancelled: StopAll <- a, whose failure stopped the run",
        "a failed: exit code 1 (attempt 1 of 1, a.1.log:41)",
        "b started with the run: it depends on nothing",
        "a started with the run: it depends on nothing",
    ]


def test_a_condition_that_was_false_is_shown_as_it_is_written() -> None:
    text = """
        name: asking
        params: {publish: false}
        tasks: [{id: a, run: "true", if: params.publish, unless: "run.tenant == 'x'"}]
    """
    assert summary(text, "a") == "a skipped: ConditionFalse <- if: params.publish, unless: run.tenant == 'x'"


def test_unchanged_names_those_that_changed_nothing() -> None:
    text = """
        name: changing
        tasks:
          - {id: a, run: "true"}
          - {id: b, run: "true"}
          - {id: c, run: "true", depends_on: [a, b], only_if_changed: true}
    """
    same = {name: lambda _: AttemptResult(duration=0.0, changed=False) for name in "ab"}
    why = explained(scenario(textwrap.dedent(text), same), "c")
    assert why.summary == "c skipped: Unchanged <- a and b changed nothing"
    assert [link.text for link in why.chain] == [
        "c skipped: Unchanged <- a and b changed nothing",
        "b succeeded and changed nothing",
        "a succeeded and changed nothing",
    ]


def test_without_a_failure_there_is_nothing_to_do_for_those_who_wait_for_one() -> None:
    text = """
        name: calm
        tasks:
          - {id: work, run: "true"}
          - {id: undo, run: "true", depends_on: [work], trigger: failure}
          - {id: alarm, run: "true", depends_on: [{task: work, trigger: failure}]}
    """
    assert summary(text, "undo") == "undo skipped: NoFailure <- nothing before it failed"
    assert summary(text, "alarm") == "alarm skipped: NoFailure <- work did not fail"


# --- cancelled ---------------------------------------------------------------------------------------------


def test_a_cancelled_task_names_who_asked_and_why() -> None:
    def cancel(engine: Engine) -> None:
        engine.cancel("ann", "wrong\nday")

    outcome = scenario(textwrap.dedent(RELEASE), {"build": lambda _: HANG}, at={5: cancel})
    assert explained(outcome, "deploy").summary == (
        "deploy cancelled: Cancelled <- cancel requested by ann: wrong ..."
    )
    assert explained(outcome, "build").to_text(TEN) == shown(
        """
        build cancelled: Cancelled <- cancel requested by ann: wrong ...

          10:00:05  build cancelled: Cancelled <- cancel requested by ann: wrong ...
          10:00:05  cancel requested by ann: wrong ...
          10:00:00  build started with the run: it depends on nothing
        """
    )


def test_the_runs_timeout() -> None:
    text = "name: slow\ntimeout: 60\ntasks: [{id: a, run: 'true'}, {id: b, run: 'true', depends_on: [a]}]\n"
    bodies = {"a": lambda _: HANG}
    assert summary(text, "a", bodies) == "a cancelled: RunTimeout <- the run took more than 60s"
    assert summary(text, "b", bodies) == "b skipped: RunTimeout <- the run took more than 60s"


# --- failed --------------------------------------------------------------------------------------------------


def test_a_timeout_is_a_failure() -> None:
    text = "name: slow\ntasks: [{id: a, run: 'true', timeout: 5}]\n"
    assert summary(text, "a", {"a": lambda _: HANG}) == (
        "a failed: timed out after 5s (attempt 1 of 1, a.1.log:41)"
    )


def test_a_failure_with_attempts_left_says_why_there_was_no_other() -> None:
    text = "name: n\ntasks: [{id: a, run: 'true', retries: 3, retry: {on_exit_codes: [75], on_errors: [Killed]}}]\n"
    assert summary(text, "a", {"a": exits(2)}) == (
        "a failed: exit code 2 (attempt 1 of 4, not retried: it is only on exit code 75 or Killed, a.1.log:41)"
    )


def test_an_expression_can_fail_before_the_task_begins() -> None:
    text = "name: n\ntasks: [{id: a, run: 'true'}, {id: b, run: 'true', depends_on: [a], if: tasks.a.outputs.go.far < 1}]\n"
    answer = summary(text, "b", {"a": lambda _: {"go": "text"}})
    assert answer.startswith("b failed before it began: ")


def test_a_failure_that_no_attempt_would_mend_says_so() -> None:
    ended = AttemptResult(duration=0.0, error="no container of 'x'", error_type="NoContainerEngine")
    assert summary("name: n\ntasks: [{id: a, image: x, retries: 3}]\n", "a", {"a": lambda _: ended}) == (
        "a failed: no container of 'x' (attempt 1 of 4, not retried: another attempt would not help, a.1.log:41)"
    )


def test_a_tolerated_failure_is_called_tolerated() -> None:
    text = "name: n\ntasks: [{id: a, run: 'true', continue_on_failure: true}]\n"
    why = explain(scenario(text, {"a": exits(1)}).record, "a", TEN)
    assert why.chain[0].text == (
        "a failed: exit code 1 (attempt 1 of 1); this is tolerated (continue_on_failure)"
    )
    assert why.look_at == ""  # there is no log


def test_a_task_that_started_after_a_tolerated_failure_says_that_it_was() -> None:
    text = """
        name: n
        tasks:
          - {id: a, run: x, continue_on_failure: true}
          - {id: b, run: x, depends_on: [a]}
    """
    answer = summary(text, "b", {"a": exits(1)})
    assert answer == "b succeeded; it started because a failed, which is tolerated (its only dependency)"


# --- succeeded: why it started when it did -------------------------------------------------------------------


def test_the_dependency_that_ended_last_is_why_a_task_started() -> None:
    outcome = scenario(textwrap.dedent(RELEASE), {"test": fails(1)})
    assert explained(outcome, "deploy").to_text(TEN) == shown(
        """
        deploy succeeded; it started because test succeeded (its last dependency to end)

          10:00:00  deploy succeeded after 0.00s
          10:00:00  deploy started because test succeeded (its last dependency to end)
        """
    )
    assert [link.text for link in explained(outcome, "test").chain] == [
        "test succeeded after 0.00s, attempt 2 of 3",
        "test attempt 1 failed: RuntimeError: boom, retried after 0.40s",
        "test started because build succeeded (its only dependency)",
    ]
    assert explained(outcome, "test").summary == (
        "test succeeded on attempt 2: it was retried once, after: RuntimeError: boom;"
        " it started because build succeeded (its only dependency)"
    )


def test_a_task_that_had_to_wait_for_a_slot_says_for_whom_and_how_long() -> None:
    text = """
        name: wide
        tasks:
          - {id: a, run: "true"}
          - {id: b, run: "true"}
          - {id: c, run: "true"}
          - {id: d, run: "true", depends_on: [b]}
          - {id: e, run: "true", depends_on: [a]}
    """
    record = record_of(
        text,
        began(0, "a"), began(0, "b"), ok(12, "b"), began(12, "c", waited_for="slot:b"), ok(20, "c"),
        began(20, "d", waited_for="slot:c"), ok(80, "a"), began(80, "e", waited_for="dependency:a"),
    )  # fmt: skip
    assert explain(record, "c", TEN).chain[-1].text == (
        "c started when b freed a slot, 12.00s after the run began; max_parallel is 2"
    )
    assert explain(record, "d", TEN).chain[-1].text == (
        "d started when c freed a slot, 8.00s after b succeeded (its only dependency); max_parallel is 2"
    )
    assert explain(record, "e", TEN).chain[-1].text == "e started because a succeeded (its only dependency)"


def test_triggers_and_conditions_that_let_a_task_run_are_named() -> None:
    text = """
        name: n
        on_error: continue
        tasks:
          - {id: a, run: "true"}
          - {id: b, run: "true", depends_on: [a], trigger: always, if: "run.tenant != ''"}
          - {id: c, run: "true", depends_on: [a]}
          - {id: d, run: "true", depends_on: [c], trigger: failure}
    """
    bodies = {"a": exits(1)}
    assert summary(text, "b", bodies) == (
        "b succeeded; it started because a failed (its only dependency; trigger: always)"
        "; its condition held (if: run.tenant != '')"
    )
    assert summary(text, "d", bodies) == (
        "d succeeded; it started because c was skipped: DependencyFailed (its only dependency; trigger: failure)"
        " <- a failed: exit code 1 (attempt 1 of 1, a.1.log:41)"
    )


def test_a_success_that_changed_nothing_says_so() -> None:
    text = "name: n\ntasks: [{id: a, run: 'true'}]\n"
    assert summary(text, "a", {"a": lambda _: AttemptResult(duration=0.0, changed=False)}) == (
        "a succeeded and changed nothing; it started with the run: it depends on nothing"
    )


# --- not ended yet -------------------------------------------------------------------------------------------

WAITING = (began(0, "build"), ok(12, "build"), began(12, "lint"), began(12, "test"))


def test_a_pending_task_waits_for_what_runs() -> None:
    assert now(record_of(RELEASE, *WAITING), "announce", 20) == shown(
        """
        announce pending: waits for deploy <- deploy pending: waits for lint and test <- \
lint running: attempt 1 of 1, since 10:00:12; it started because build succeeded (its only dependency)

               now  announce pending: waits for deploy
               now  deploy pending: waits for lint and test
               now  lint running: attempt 1 of 1, since 10:00:12
          10:00:12  lint started because build succeeded (its only dependency)
        """
    )


def test_a_retrying_task_says_when_it_is_tried_again() -> None:
    record = record_of(RELEASE, *WAITING, ok(13, "lint"), retry(13, "test", 1, 2.0))
    assert now(record, "test", 14) == shown(
        """
        test retrying: attempt 2 at 10:00:15 <- attempt 1 of 3 failed: exit code 2 (test.1.log:41)

               now  test retrying: attempt 2 at 10:00:15
          10:00:13  test attempt 1 failed: exit code 2, retried after 2.00s
          10:00:12  test started because build succeeded (its only dependency)

        `dagrun logs 20251003-100000-7f3a9c test` shows what test printed.
        """
    )
    assert explain(record, "deploy", TEN + 14).summary == (
        "deploy pending: waits for test <- test retrying: attempt 2 at 10:00:15 <- attempt 1 of 3 failed: exit code 2"
    )
    assert "as soon as one of the 2 slots is free" in explain(record, "test", TEN + 16).summary


def test_a_ready_task_waits_for_a_slot() -> None:
    text = "name: n\ntasks: [{id: a, run: 'true'}, {id: b, run: 'true'}, {id: c, run: 'true'}]\n"
    record = record_of(text, began(0, "a"), began(0, "b"))
    assert explain(record, "c", TEN).summary == (
        "c pending: waits for a free slot; a and b took the 2 slots (max_parallel)"
    )


def test_an_interrupted_run_waits_for_nothing() -> None:
    record = record_of(RELEASE, *WAITING, ok(13, "lint"), retry(14, "test", 1, 2.0), live=False)
    assert explain(record, "test", TEN + 99).summary.startswith(
        "test retrying: attempt 2 at 10:00:16, but the run was interrupted <- "
    )
    record = record_of(RELEASE, *WAITING, live=False)
    assert explain(record, "deploy", TEN + 99).summary == (
        "deploy pending: waited for lint and test when the run was interrupted <- "
        "lint interrupted: attempt 1 of 1, begun at 10:00:12, has no recorded end; "
        "it started because build succeeded (its only dependency)"
    )
    assert explain(record_of(RELEASE, live=False), "build", TEN).summary == (
        "build pending: it has not started yet; the run was interrupted"
    )


# --- several stretches, other runs ---------------------------------------------------------------------------


def test_of_a_resumed_run_both_stretches_are_explained() -> None:
    record = record_of(
        RELEASE,
        *WAITING, ok(13, "lint"), retry(13, "test", 1, 0.0), began(13, "test", 2), failed(14, "test", 2),
        TaskSkip(timestamp=14, task_id="deploy", reason="DependencyFailed", detail="test"),
        DagResume(timestamp=50, reused=["build", "lint"], rerun=["test", "deploy"], dag_hash="x", max_parallel=2),
        began(50, "test", 3), ok(51, "test", 3), began(51, "deploy"),
    )  # fmt: skip
    assert [link.text for link in explain(record, "test", TEN).chain] == [
        "test succeeded after 1.00s, attempt 3 of 5",
        "test started with the resumed run: all that it depends on had ended",
        "test failed",
        "test attempt 1 failed: exit code 2, retried after 0.00s",
        "test started because build succeeded (its only dependency)",
    ]
    assert [link.text for link in explain(record, "deploy", TEN).chain[1:]] == [
        "deploy started because test succeeded (its last dependency to end)",
        "deploy was skipped: DependencyFailed",
    ]


def test_what_a_resumed_run_ended_anew_does_not_change_why_a_task_had_started() -> None:
    text = "name: n\non_error: continue\ntasks: [{id: a, run: 'true'}, {id: b, run: 'true', depends_on: [a], trigger: always}]\n"
    record = record_of(
        text,
        began(0, "a"), failed(1, "a", 1), began(1, "b"), ok(2, "b"),
        DagResume(timestamp=9, reused=["b"], rerun=["a"], dag_hash="x", max_parallel=2), began(9, "a", 2), ok(10, "a", 2),
    )  # fmt: skip
    assert explain(record, "b", TEN).summary == (
        "b succeeded; it started because a failed (its only dependency; trigger: always)"
    )


def test_outputs_that_were_taken_over_say_from_where() -> None:
    record = record_of(
        "name: n\ntasks: [{id: a, run: 'true'}]\n", replace(ok(0, "a"), reused_from="20251002-1")
    )
    assert explain(record, "a", TEN).summary == "a succeeded: taken over from run 20251002-1"


# --- forms ---------------------------------------------------------------------------------------------------


def test_on_another_day_every_time_has_its_date() -> None:
    record = record_of(RELEASE, *WAITING, CancelRequested(timestamp=15, by="ann"))
    text = explain(record, "build", TEN).to_text(TEN + 86400)
    assert "  2025-10-03 10:00:12  build succeeded after 1.00s" in text


def test_the_answer_for_scripts() -> None:
    record = record_of(RELEASE, *WAITING, ok(13, "lint"), failed(14, "test", 1))
    assert explain(record, "test", TEN).to_json() == {
        "run_id": "20251003-100000-7f3a9c",
        "task_id": "test",
        "status": "failed",
        "reason": "TaskFailed",
        "chain": [
            {
                "timestamp": "2025-10-03T10:00:14.000Z",
                "task_id": "test",
                "event": "task_fail",
                "text": "test failed: exit code 2 (attempt 1 of 3, not retried: the run was ending)",
            },
            {
                "timestamp": "2025-10-03T10:00:12.000Z",
                "task_id": "test",
                "event": "task_start",
                "text": "test started because build succeeded (its only dependency)",
            },
        ],
        "summary": "test failed: exit code 2 (attempt 1 of 3, not retried: the run was ending)",
    }
    waiting = explain(record, "deploy", TEN).to_json()
    assert waiting["status"] == "pending"
    assert waiting["reason"] == ""
    assert waiting["chain"][0]["timestamp"] is None


def test_the_first_line_of_a_journal_may_be_missing() -> None:
    record = record_of(RELEASE, *WAITING)
    why = explain(replace(record, events=record.events[1:]), "lint", TEN)
    assert why.chain[-1].text == "lint started because build succeeded (its only dependency)"


def test_of_a_long_chain_the_middle_is_left_out() -> None:
    tasks = "".join(
        f"  - {{id: t{i}, run: 'true'{f', depends_on: [t{i - 1}]' if i else ''}}}\n" for i in range(200)
    )
    why = explained(scenario(f"name: long\non_error: continue\ntasks:\n{tasks}", {"t0": exits(1)}), "t199")
    assert len(why.chain) == 201
    assert why.summary.count("<-") == 8
    assert "... 192 more ..." in why.summary
    assert "... 161 more ..." in why.to_text(TEN)


def test_text_of_a_body_cannot_move_the_cursor() -> None:
    text = "name: n\ntasks: [{id: a, workflow_ref: w}]\n"
    assert "RuntimeError: \\x1b[2J ..." in summary(text, "a", {"a": fails(1, error="\x1b[2J\nmore")})


# --- groups and their variants ---

GROUPS = (
    task("list"),
    task("test", "list", matrix=Matrix(axes={"os": ("ubuntu", "alpine")})),
    task("each", "list", for_each="${{ tasks.list.outputs.x }}", max_parallel=1),
    task("b", "test"),
    task("c", "each"),
)


def group_run(**bodies: Any) -> ScenarioResult:
    lists = {"list": lambda _: {"x": [1, 2, 3]}}
    return played(*GROUPS, bodies={**lists, **bodies}, on_error=OnError.CONTINUE)


def test_a_group_leads_to_the_variant_that_failed() -> None:
    outcome = group_run(**{"test[os=alpine]": exits(2)})
    assert explained(outcome, "b").summary == (
        "b skipped: DependencyFailed <- test failed (1/2 passed) <- "
        "test[os=alpine] failed: exit code 2 (attempt 1 of 1, test[os=alpine].1.log:41)"
    )
    assert explained(outcome, "test").look_at == "test[os=alpine]"
    answer = explained(outcome, "test").to_text(0)
    assert answer.endswith(
        "'test[os=alpine]'` shows what test[os=alpine] printed."
    )  # it can be pasted into a shell


def test_a_variant_is_explained_like_any_task() -> None:
    outcome = group_run()
    assert explained(outcome, "each[0]").summary.startswith(
        "each[0] succeeded; it started because list succeeded"
    )
    assert explained(outcome, "each").summary == (
        "each succeeded (3/3 passed); each[0], the first of them, "
        "started because list succeeded (its only dependency)"
    )
    assert explained(outcome, "c").summary.startswith("c succeeded; it started because each succeeded")


def test_an_empty_group_began_with_none_of_its_variants() -> None:
    outcome = group_run(list=lambda _: {"x": []})
    assert explained(outcome, "each").summary == "each succeeded (0/0 passed): its list is empty"


def test_a_group_that_was_taken_over_says_so() -> None:
    outcome = group_run()
    events = [
        replace(event, reused_from="r0") if isinstance(event, TaskOk) and event.task_id == "each" else event
        for event in outcome.record.events
    ]
    answer = explain(replace(outcome.record, events=events), "each", TEN, log)
    assert answer.summary == "each succeeded (3/3 passed): taken over from run r0"


def test_a_variant_that_had_to_wait_for_its_groups_turn_says_for_whom() -> None:
    text = explained(group_run(), "each[2]").summary
    assert "it started when each[1] ended, " in text
    assert text.endswith("each runs 1 variant at once (max_parallel)")


def test_a_variant_waits_for_its_groups_turn() -> None:
    whole = group_run()
    place = next(
        i for i, event in enumerate(whole.record.events) if getattr(event, "task_id", "") == "each[0]"
    )
    cut = replace(whole.record, events=whole.record.events[: place + 1], live=True)
    answer = explain(cut, "each[2]", TEN, log)
    assert answer.summary == "each[2] pending: waits for its turn; each runs 1 variant at once (max_parallel)"
    assert explain(cut, "c", TEN, log).summary.startswith(
        "c pending: waits for each <- each running (0/3 passed): waits for each[0], each[1] and each[2] <- each[0] running"
    )
