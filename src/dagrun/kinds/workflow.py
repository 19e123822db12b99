"""The kind `workflow`: a registered Python function."""

from __future__ import annotations

from typing import Literal

from dagrun.core.model import Action
from dagrun.kinds.kind import Kind, PreparedBody, StartContext
from dagrun.value import Value


class WorkflowAction(Value, Action):
    """Call the registered Python function `ref`."""

    ref: str
    kind: Literal["workflow"] = "workflow"


def _start(action: WorkflowAction, context: StartContext) -> PreparedBody:
    from dagrun.core.work import Call

    origin = context.registry.workflows[action.ref].origin
    return PreparedBody(Call(ref=action.ref, origin={"kind": origin.kind, "target": origin.target}))


KIND = Kind(
    name="workflow",
    action=WorkflowAction,
    keys=("workflow_ref",),
    read=lambda words: WorkflowAction(words["workflow_ref"]),
    label=lambda action: f"workflow: {action.ref}",
    start=_start,
    workflow=lambda action: action.ref,
)
