"""The kind `workflow`: a call, and where a worker finds the function."""

from __future__ import annotations

from dagrun.core.model import WorkflowAction
from dagrun.core.work import Call
from dagrun.kinds import kind_of
from tests.unit.harness import registry, task, workflow


def test_the_body_of_a_workflow_task_is_a_call() -> None:
    each = task("a", action=WorkflowAction("sweep"))
    body, variables = kind_of(each).body(each.action, registry(workflow("sweep")), lambda value: value)
    assert body == Call(ref="sweep", origin={"kind": "module", "target": "flows"})
    assert variables == {}
