"""The kind `workflow`: a call, and where a worker finds the function."""

from __future__ import annotations

from dagrun.core.work import Call
from dagrun.kinds import KINDS, read_action, workflow_of
from dagrun.kinds.kind import PreparedBody
from dagrun.kinds.shell import ShellAction
from dagrun.kinds.workflow import WorkflowAction
from tests.unit.harness import registry, task, workflow
from tests.unit.kinds.harness import start


def test_its_body_is_a_call() -> None:
    started = start(WorkflowAction("sweep"), registry=registry(workflow("sweep")))
    assert started == PreparedBody(Call(ref="sweep", origin={"kind": "module", "target": "flows"}))


def test_its_key_names_the_workflow() -> None:
    assert read_action({"workflow_ref": "sweep"}) == WorkflowAction("sweep")


def test_it_alone_calls_a_workflow() -> None:
    assert workflow_of(task("a", action=WorkflowAction("sweep"))) == "sweep"
    assert workflow_of(task("a", action=ShellAction(("sweep",)))) is None


def test_its_label_is_the_workflows_name() -> None:
    assert KINDS["workflow"].label(WorkflowAction("sweep")) == "workflow: sweep"
