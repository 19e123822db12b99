"""Tasks that wait, in runs with a fake clock: how they end, what they hold, and what a pause keeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dagrun.core.events import DagPause, TaskFail, TaskOk, TaskWait
from dagrun.core.model import Dag, Dependency, OnError, Retry, Task, Trigger
from dagrun.core.outcomes import RunStatus
from dagrun.core.requests import Request
from dagrun.errors import RefusedError, UsageError
from dagrun.kinds.approval import ApprovalAction, param_of
from dagrun.kinds.noop import NoAction
from dagrun.kinds.wait import WaitAction
from dagrun.runtime.engine import Engine
from dagrun.testing import HANG, ScenarioResult, scenario
from tests.unit.harness import task
from tests.unit.lives import Life


def ends(outcome: ScenarioResult) -> dict[str, str]:
    """The status and reason of each task."""
    return {name: f"{outcome.statuses[name]} {outcome.reasons[name]}" for name in outcome.statuses}


def took(outcome: ScenarioResult, task_id: str) -> float:
    """How long a task took, in seconds."""
    return next(
        event.duration_seconds
        for event in outcome.events()
        if isinstance(event, TaskOk | TaskFail) and event.task_id == task_id
    )


# --- what ends a wait ---


def test_a_wait_takes_its_time_and_no_slot() -> None:
    outcome = scenario(
        """
        max_parallel: 1
        tasks:
          - {id: long, wait: {seconds: 90}}
          - {id: a, run: x}
          - {id: b, run: x}
          - {id: after, run: x, depends_on: [long]}
        """
    )
    assert set(outcome.statuses.values()) == {"success"}
    assert took(outcome, "long") == 90.0
    assert outcome.started == ["a", "b", "after"]


def test_a_moment_that_has_passed_ends_a_wait_at_once() -> None:
    outcome = scenario("tasks: [{id: a, wait: {until: 2020-01-01}}]")
    assert (ends(outcome), took(outcome, "a")) == ({"a": "success Completed"}, 0.0)
    assert outcome.view.tasks[0].detail == "2020-01-01 00:00:00 UTC had passed when it began to wait"


def test_a_file_ends_a_wait_when_it_is_there_and_does_not_change(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"

    def write(text: str) -> Callable[[Engine], None]:
        return lambda _: (file.write_text(text), None)[1]

    outcome = scenario(
        f"tasks: [{{id: a, wait: {{file: {file}, settle: 5}}}}]", at={3.2: write("1"), 6.2: write("12")}
    )
    assert ends(outcome) == {"a": "success Completed"}
    assert 11.2 <= took(outcome, "a") < 12.3


def test_a_wait_with_a_timeout_fails_and_may_be_retried(tmp_path: Path) -> None:
    outcome = scenario(
        f"""
        tasks:
          - {{id: a, wait: {{file: {tmp_path}/gone, timeout: 10}}, retries: 1}}
          - {{id: b, wait: {{signal: go}}, timeout: 10}}
          - {{id: c, wait: {{until: 2100-01-01, timeout: 10}}}}
        on_error: continue
        """
    )
    assert set(ends(outcome).values()) == {"timed_out TimedOut"}
    fails = [event for event in outcome.events() if isinstance(event, TaskFail)]
    assert {(event.error, event.error_type) for event in fails} == {("timed out after 10s", "Timeout")}
    assert [each.attempt for each in outcome.view.tasks] == [2, 1, 1]


def test_values_of_an_approval_and_of_a_signal_are_outputs() -> None:
    outcome = scenario(
        """
        tasks:
          - {id: gate, approval: {inputs: {ticket: {type: string}}}}
          - {id: deployed, wait: {signal: deployed}}
          - {id: after, run: x, depends_on: [gate, deployed]}
        outputs: {t: "${{ tasks.gate.outputs.ticket }}"}
        """,
        answers={"gate": {"ticket": "OPS-7"}, "deployed": {"version": 3}},
    )
    assert outcome.params["after"] == {"gate__ticket": "OPS-7", "deployed__version": 3}
    assert outcome.view.outputs == {"t": "OPS-7"}


def test_a_rejection_fails_the_task_and_is_not_retried() -> None:
    outcome = scenario(
        """
        tasks:
          - {id: gate, approval: {}, retries: 3}
          - {id: after, run: x, depends_on: [gate]}
          - {id: undo, run: x, depends_on: [gate], trigger: failure}
        """,
        answers={"gate": "not today"},
    )
    assert ends(outcome) == {
        "gate": "failed TaskFailed", "after": "skipped StopAll", "undo": "success Completed"
    }  # fmt: skip
    assert outcome.view.tasks[0].error == "rejected by somebody: not today"


def test_where_a_document_asks_for_it_a_rejected_task_asks_again() -> None:
    outcome = scenario(
        "tasks: [{id: gate, approval: {}, retries: 1, retry: {on_errors: [ApprovalRejected]}}]",
        answers={"gate": "no"},
    )
    assert [event.attempt for event in outcome.events("task_wait") if isinstance(event, TaskWait)] == [1, 2]


def test_a_failure_elsewhere_ends_what_waits() -> None:
    outcome = scenario(
        """
        tasks:
          - {id: gate, approval: {}}
          - {id: long, wait: {seconds: 90}}
          - {id: bad, run: x}
          - {id: ask, approval: {prompt: Undo?}, depends_on: [bad], trigger: failure}
        """,
        bodies={"bad": lambda _: 1 / 0}, answers={"ask": {}},
    )  # fmt: skip
    assert ends(outcome) == {
        "gate": "cancelled StopAll", "long": "cancelled StopAll", "bad": "failed TaskFailed", "ask": "success Completed"
    }  # fmt: skip


def test_a_cancel_and_the_timeout_of_the_run_end_what_waits() -> None:
    waits = "tasks: [{id: gate, approval: {}}, {id: long, wait: {seconds: 90}}]"
    outcome = scenario(waits, at={1.0: lambda engine: engine.cancel("me")})
    assert set(ends(outcome).values()) == {"cancelled Cancelled"}
    outcome = scenario(f"timeout: 9\n{waits}")
    assert (outcome.view.status, outcome.view.reason) == ("failed", "RunTimeout")
    assert set(ends(outcome).values()) == {"cancelled RunTimeout"}


def test_each_variant_waits_on_its_own_as_many_at_once_as_the_group_lets() -> None:
    outcome = scenario(
        "tasks: [{id: w, matrix: {x: [1, 2, 3]}, max_parallel: 2, wait: {seconds: 10}}]",
    )
    assert outcome.view.duration == 20.0
    outcome = scenario("tasks: [{id: g, for_each: [1, 2], approval: {}}]", answers={"g[0]": {}, "g[1]": "no"})
    assert outcome.statuses == {"g[0]": "success", "g[1]": "failed", "g": "failed"}


def test_only_approvals_and_signals_end_a_stretch() -> None:
    outcome = scenario(
        """
        tasks:
          - {id: gate, approval: {}}
          - {id: long, wait: {seconds: 90}}
          - {id: flaky, run: x, retries: 1, retry: {initial: 120}}
          - {id: after, run: x, depends_on: [gate]}
        """,
        bodies={"flaky": lambda _: 1 / 0},
        at={},
    )
    assert outcome.view.status == "failed", "the retry fails the run, and so ends the gate"
    outcome = scenario(
        "tasks: [{id: gate, approval: {}}, {id: long, wait: {seconds: 90}}, {id: go, wait: {signal: go}}]"
    )
    (pause,) = outcome.events("dag_pause")
    assert isinstance(pause, DagPause)
    assert (list(pause.waiting_for), pause.duration_seconds) == (["gate", "go"], 90.0)
    assert outcome.statuses == {"gate": "waiting", "long": "success", "go": "waiting"}


def test_a_signal_that_comes_early_counts_for_every_wait_of_its_name() -> None:
    def signal(engine: Engine) -> None:
        engine.request(Request("signal", "ci", {"signal": "go", "inputs": {"n": 1}}))

    outcome = scenario(
        """
        tasks:
          - {id: long, wait: {seconds: 90}}
          - {id: one, wait: {signal: go}}
          - {id: two, wait: {signal: go}, depends_on: [long]}
        """,
        at={5.0: signal},
    )
    assert set(outcome.statuses.values()) == {"success"}
    assert (took(outcome, "one"), took(outcome, "two")) == (5.0, 0.0)


def test_a_run_that_hangs_elsewhere_takes_an_answer() -> None:
    def approve(engine: Engine) -> None:
        engine.request(Request("approve", "ann", {"task": "gate"}))

    outcome = scenario(
        "tasks: [{id: gate, approval: {}}, {id: hangs, run: x, timeout: 30}]",
        bodies={"hangs": lambda _: HANG}, at={5.0: approve, 6.0: approve},
    )  # fmt: skip
    assert outcome.statuses == {"gate": "success", "hangs": "timed_out"}
    assert len(outcome.events("approval_granted")) == 1, "the second one is refused"


# --- a paused run ---


def gate(name: str = "gate", *needs: str, **more: Any) -> Task:
    return task(name, *needs, action=ApprovalAction("go on?", **more))


def test_a_pause_keeps_what_has_failed_and_a_stop() -> None:
    tasks = (
        task("bad", action=NoAction()), gate(), task("after", "gate"),
        Task(id="undo", action=ApprovalAction("undo?"), needs=(Dependency("bad"),), trigger=Trigger.FAILURE),
    )  # fmt: skip
    life = Life(
        Dag(name="d", tasks=(Task(id="bad", action=WaitAction(file="/gone", timeout=1.0)), *tasks[1:]))
    )
    assert life.begin().status is RunStatus.WAITING
    life.answer()
    assert "task_wait bad" not in life.names()[4:], "what has failed does not run again"
    state = life.folded()
    assert [str(each.status) for each in state.tasks] == ["timed_out", "cancelled", "skipped", "success"]


def test_the_timeout_of_the_run_stands_while_it_is_paused() -> None:
    dag = Dag(
        name="d",
        timeout=60.0,
        tasks=(
            Task(id="w", action=WaitAction(seconds=30.0)),
            gate(),
            task("x", "gate", action=WaitAction(seconds=29.0)),
        ),
    )
    life = Life(dag)
    assert life.begin().status is RunStatus.WAITING
    life.clock.advance(3600.0)
    ended = life.answer()
    assert ended is not None
    assert ended.status is RunStatus.SUCCESS
    longer = Life(Dag(name="d", timeout=58.0, tasks=dag.tasks))
    longer.begin()
    longer.clock.advance(3600.0)
    ended = longer.answer()
    assert ended is not None
    assert (ended.status, ended.state.reason) == (RunStatus.FAILED, "RunTimeout")


def test_a_wait_goes_on_after_a_crash_with_what_is_left_of_its_time() -> None:
    life = Life(Dag(name="d", tasks=(Task(id="w", action=WaitAction(seconds=100.0)), task("after", "w"))))
    life.begin()
    crashed = life.cut(2)  # dag_start, task_wait
    crashed.clock.advance(70.0)
    resumed = crashed.resume()
    assert resumed is not None
    assert resumed.view.tasks[0].duration == 100.0
    assert crashed.names()[2:4] == ["dag_resume", "task_ok w"]

    late = life.cut(2)
    late.clock.advance(500.0)
    resumed = late.resume()
    assert resumed is not None
    assert (resumed.status, resumed.view.duration) == (RunStatus.SUCCESS, 0.0)


def test_an_approval_that_nobody_gives_expires_when_the_run_continues() -> None:
    life = Life(Dag(name="d", tasks=(gate(expires=60.0), task("after", "gate"))))
    life.begin()
    life.clock.advance(61.0)
    view = life.service.status("r")
    assert (view.status, view.tasks[0].status, view.tasks[0].reason) == (
        "waiting",
        "waiting",
        "ApprovalExpired",
    )
    with pytest.raises(RefusedError, match="the approval of 'gate' expired at"):
        life.service.answers.approve("r", "gate", "ann", {})
    ended = life.resume()
    assert ended is not None
    assert (ended.status, ended.view.tasks[0].error) == (
        RunStatus.FAILED, f"nobody decided before {view.tasks[0].wait.wait.expires_at if view.tasks[0].wait else ''}",
    )  # fmt: skip
    assert "approval_expired gate" in life.names()


def test_who_decides_first_decides() -> None:
    life = Life(Dag(name="d", tasks=(gate(), task("after", "gate"))))
    life.begin()
    answered = life.service.answers.approve("r", "gate", "ann", {})
    assert not answered.live
    with pytest.raises(RefusedError, match="'gate' is already decided: it was approved by ann"):
        life.service.answers.approve("r", "gate", "bob", {})
    with pytest.raises(RefusedError, match="'gate' is already decided: it was approved by ann"):
        life.service.answers.reject("r", "gate", "bob", "no")
    view = life.service.status("r")
    assert (view.tasks[0].reason, view.tasks[0].detail) == ("Approved", "approved by ann")
    ended = life.resume()
    assert ended is not None
    assert ended.status is RunStatus.SUCCESS


def test_a_role_that_is_too_low_is_refused() -> None:
    life = Life(Dag(name="d", tasks=(gate(required_role="Admin"),)))
    life.begin()
    with pytest.raises(
        RefusedError, match="may be decided by the role Admin or a higher one, and yours is Operator"
    ):
        life.service.answers.approve("r", "gate", "ann", {})


def test_inputs_that_do_not_fit_are_refused_all_at_once() -> None:
    inputs = (
        param_of("ticket", {"type": "string", "required": True}),
        param_of("n", {"type": "integer", "default": 3}),
    )
    life = Life(Dag(name="d", tasks=(gate(inputs=inputs),)))
    life.begin()
    with pytest.raises(UsageError) as refused:
        life.service.answers.approve("r", "gate", "ann", ["n=many", "tiket=x", "oops"])
    assert refused.value.message.splitlines() == [
        "--set 'oops' does not have the form name=value",
        "approval 'gate' has no input 'tiket' (did you mean 'ticket'?)",
        "input 'ticket' is required: give it with --set ticket=...",
        "input 'n' must be of type integer, not string 'many'",
    ]
    answer = life.service.answers.approve("r", "gate", "ann", ["ticket=7"])
    assert answer.inputs == {"ticket": "7", "n": 3}


def test_values_that_are_too_large_are_refused() -> None:
    life = Life(Dag(name="d", tasks=(Task(id="go", action=WaitAction(signal_name="go")),)))
    life.begin()
    with pytest.raises(UsageError, match="the values take 65,546 bytes; at most 65,536 can be given"):
        life.service.answers.signal("r", "go", "ci", {"text": "x" * 65_534})


def test_a_group_is_decided_variant_by_variant() -> None:
    life = Life(Dag(name="d", tasks=(Task(id="g", action=ApprovalAction(), for_each=(1, 2)),)))
    life.begin()
    with pytest.raises(RefusedError, match="'g' has variants, each with an approval of its own") as refused:
        life.service.answers.approve("r", "g", "ann", {})
    assert refused.value.hint == "there is 'g[0]', 'g[1]'"


def test_a_paused_run_can_be_cancelled_and_then_not_be_approved() -> None:
    life = Life(Dag(name="d", tasks=(gate(), task("after", "gate"))))
    life.begin()
    life.cancel()
    assert [str(each.status) for each in life.folded().tasks] == ["cancelled", "cancelled"]
    with pytest.raises(RefusedError, match="the run has ended: cancelled"):
        life.service.answers.approve("r", "gate", "ann", {})


def test_an_answer_in_the_inbox_of_a_dead_process_counts() -> None:
    life = Life(Dag(name="d", tasks=(gate(), task("after", "gate"))))
    life.begin()
    life.run.pending_requests.append(Request("approve", "ann", {"task": "gate"}))
    ended = life.resume()
    assert ended is not None
    assert ended.status is RunStatus.SUCCESS


def test_open_approvals_are_listed_over_all_runs() -> None:
    life = Life(
        Dag(name="d", tenant="acme", tasks=(gate(), Task(id="go", action=WaitAction(signal_name="go"))))
    )
    life.begin()
    (found,) = life.service.open_approvals()
    assert (found.run_id, found.task_id, found.tenant, found.view.text[:6]) == ("r", "gate", "acme", "go on?")
    assert life.service.open_approvals("other") == []
    life.service.answers.approve("r", "gate", "ann", {})
    assert life.service.open_approvals() == []


def test_what_has_failed_beside_a_gate_does_not_run_again_when_it_is_approved() -> None:
    dag = Dag(
        name="d",
        on_error=OnError.CONTINUE,
        tasks=(task("bad", retry=Retry(retries=0)), gate(), task("after", "gate")),
    )
    life = Life(dag, lambda: {"bad": lambda _: 1 / 0})
    life.begin()
    ended = life.answer()
    assert ended is not None
    assert (ended.status, ended.view.tasks[0].attempt) == (RunStatus.PARTIAL, 1)
