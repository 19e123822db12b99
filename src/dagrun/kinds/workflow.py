"""The kind `workflow`: a registered Python function."""

from __future__ import annotations

from collections.abc import Mapping

from dagrun.core.model import WorkflowAction
from dagrun.core.work import Call
from dagrun.kinds.kind import Evaluate, Kind
from dagrun.registry import Registry


def _body(action: WorkflowAction, registry: Registry, _: Evaluate) -> tuple[Call, Mapping[str, str]]:
    origin = registry.workflows[action.ref].origin
    return Call(ref=action.ref, origin={"kind": origin.kind, "target": origin.target}), {}


KIND = Kind(name="workflow", label=lambda action: f"workflow: {action.ref}", body=_body)
