"""What waiting tasks wait for, in words, and what to type."""

from __future__ import annotations

import pytest

from dagrun.core.events import ApprovalGranted, ApprovalRejected, SignalReceived, TaskWait
from dagrun.core.graph import Graph
from dagrun.core.model import Action, Dag
from dagrun.core.outcomes import Status
from dagrun.core.task_state import TaskState
from dagrun.kinds.approval import ApprovalAction, param_of
from dagrun.kinds.wait import WaitAction
from dagrun.testing import scenario
from dagrun.value import replace
from dagrun.views.report import report
from dagrun.views.waiting import WaitView, next_steps, wait_view
from tests.unit.harness import task

ASK = TaskWait(
    timestamp=0.0, task_id="gate", attempt=1, kind="approval", prompt="Deploy?", required_role="Operator",
    expires_at="2026-01-31T09:00:00.000Z",
)  # fmt: skip
SIGNAL = TaskWait(timestamp=0.0, task_id="go", attempt=1, kind="wait", signal="go")
INPUTS = (
    param_of("ticket", {"required": True, "type": "string"}), param_of("n", 3), param_of("why", {"type": "string"}),
    param_of("to", "the moon"),
)  # fmt: skip
LATE = 1_800_000_000.0


def seen(wait: TaskWait, answer: object = None, now: float = 0.0, action: Action | None = None) -> WaitView:
    """The view of a task that waits like this."""
    state = TaskState(status=Status.WAITING, attempt=1, wait=wait, answer=answer)  # type: ignore[arg-type]
    action = action or (ApprovalAction(inputs=INPUTS) if wait.is_approval else WaitAction(signal_name="go"))
    graph = Graph.compile(Dag(name="d", tasks=(task(wait.task_id, action=action),)))
    view = wait_view(graph.nodes[0], state, now)
    assert view is not None
    return view


@pytest.mark.parametrize(
    ("view", "reason", "text"),
    [
        (seen(ASK), "WaitingForApproval", "Deploy? (expires at 2026-01-31 09:00:00 UTC)"),
        (seen(ASK, now=LATE), "ApprovalExpired", "Deploy? (expired at 2026-01-31 09:00:00 UTC)"),
        (seen(ASK, ApprovalGranted(timestamp=1.0, task_id="gate", attempt=1, by="ann")), "Approved", "approved by ann"),
        (seen(ASK, ApprovalRejected(timestamp=1.0, task_id="gate", attempt=1, by="ann", reason="no")), "Rejected", "rejected by ann: no"),
        (seen(SIGNAL), "WaitingForSignal", "signal 'go'"),
        (seen(SIGNAL, SignalReceived(timestamp=1.0, signal="go", by="ci")), "Signalled", "signalled by ci"),
        (seen(replace(SIGNAL, expires_at="2026-01-31T09:00:00.000Z"), now=LATE), "TimedOut", "signal 'go' (expired at 2026-01-31 09:00:00 UTC)"),
        (seen(replace(SIGNAL, signal=None, until="2026-01-31T09:00:00.000Z")), "WaitingForTime", "until 2026-01-31 09:00:00 UTC"),
        (seen(replace(SIGNAL, signal=None, file="/in.csv")), "WaitingForFile", "file /in.csv"),
    ],
)  # fmt: skip
def test_a_wait_has_a_reason_and_a_sentence(view: WaitView, reason: str, text: str) -> None:
    assert (view.reason, view.text) == (reason, text)


def test_what_to_type_is_said_with_the_values_to_give() -> None:
    approved = seen(ASK, ApprovalGranted(timestamp=1.0, task_id="gate", attempt=1, by="ann"))
    assert list(next_steps("r", [("gate[x=1]", seen(ASK)), ("go", seen(SIGNAL)), ("other", approved)])) == [
        "gate[x=1] waits for an approval (Operator): Deploy?",
        "  dagrun approve r 'gate[x=1]' --set ticket=VALUE --set n=3 --set 'to=the moon'",
        "  dagrun reject r 'gate[x=1]'",
        "go waits for the signal 'go'",
        "  dagrun signal r go",
        "other: approved by ann",
        "  dagrun resume r",
    ]


def test_of_many_waits_the_first_are_explained() -> None:
    *_, last = next_steps("r", [(f"g{n}", seen(ASK)) for n in range(12)])
    assert last == "and 2 more tasks: `dagrun approvals` lists approvals"


def test_scripts_get_the_declared_inputs() -> None:
    shape = seen(ASK).to_json()
    assert (shape["prompt"], shape["required_role"], shape["expired"]) == ("Deploy?", "Operator", False)
    assert shape["inputs"]["ticket"] == {
        "type": "string", "default": None, "enum": [], "required": True, "description": "",
    }  # fmt: skip


def test_the_report_of_a_paused_run_says_how_to_go_on() -> None:
    outcome = scenario("tasks: [{id: gate, approval: {prompt: Deploy?}}]")
    head, _, steps = report(outcome.view).partition("\n\n")
    assert head.splitlines()[0] == "DAG EXECUTION WAITING"
    assert steps.splitlines()[0] == "gate waits for an approval (Operator): Deploy?"
    assert (outcome.view.reason, outcome.view.to_json()["tasks"][0]["wait"]["prompt"]) == (
        "WaitingForApproval: gate", "Deploy?",
    )  # fmt: skip
