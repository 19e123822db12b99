"""Approvals: what a person is asked."""

from __future__ import annotations

from dagrun.core.model import Param
from dagrun.kinds import KINDS
from dagrun.kinds.approval import PROMPT, ApprovalAction, param_of
from dagrun.kinds.kind import Wait
from tests.unit.harness import read
from tests.unit.kinds.harness import start


def test_a_document_says_who_is_asked_what() -> None:
    dag = read("""
        tasks:
          - id: gate
            approval:
              prompt: Deploy?
              required_role: Admin
              expires: 2h
              inputs: {ticket: {type: string, required: true, description: Which one}, size: 3}
    """)
    assert dag.tasks[0].action == ApprovalAction(
        "Deploy?", "Admin",
        (Param(name="ticket", type="string", required=True, description="Which one"), Param(name="size", default=3)),
        7200.0,
    )  # fmt: skip


def test_without_a_prompt_the_description_is_the_question() -> None:
    dag = read("tasks: [{id: a, description: Deploy?, approval: {}}, {id: b, approval: {}}]")
    assert [each.action for each in dag.tasks] == [ApprovalAction("Deploy?"), ApprovalAction(PROMPT)]


def test_it_waits_for_a_person_for_three_days_unless_it_says_otherwise() -> None:
    assert start(ApprovalAction("Deploy?")) == Wait(
        prompt="Deploy?", required_role="Operator", timeout=72 * 3600.0
    )
    assert start(ApprovalAction("?", "Viewer", expires=5.0)) == Wait(
        prompt="?", required_role="Viewer", timeout=5.0
    )


def test_the_question_may_have_expressions() -> None:
    waits = start(ApprovalAction("Deploy ${{ params.v }}?"), lambda _: "1.4")
    assert isinstance(waits, Wait)
    assert waits.prompt == "Deploy 1.4?"


def test_a_dry_run_shows_the_question() -> None:
    assert KINDS["approval"].label(ApprovalAction("Deploy?")) == "approval: Deploy?"


def test_a_mapping_that_declares_nothing_is_a_default() -> None:
    assert param_of("x", {"a": 1}) == Param(name="x", default={"a": 1})
