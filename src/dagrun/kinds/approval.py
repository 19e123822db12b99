"""The kind `approval`: a person decides whether the run goes on, and may give values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Literal

from dagrun.core.model import DECLARING, Action, ActionText, Param, TemplateText
from dagrun.kinds.kind import Kind, StartContext, Wait, located
from dagrun.roles import Role
from dagrun.value import Value

#: The question of an approval that has none of its own.
PROMPT: Final = "May the run go on?"


class ApprovalAction(Value, Action):
    """Ask a person. The values of `inputs` become the outputs of the task; `expires` is in seconds."""

    prompt: str = PROMPT
    required_role: str = str(Role.OPERATOR)
    inputs: tuple[Param, ...] = ()
    expires: float | None = None
    kind: Literal["approval"] = "approval"
    holds_slot: ClassVar[bool] = False

    def texts(self) -> Sequence[ActionText]:
        return (TemplateText(("approval", "prompt"), self.prompt),)


def _read(words: Mapping[str, Any]) -> ApprovalAction:
    model = words["approval"]
    return ApprovalAction(
        model.prompt or words.get("description") or PROMPT, model.required_role,
        tuple(param_of(name, value) for name, value in model.inputs.items()), model.expires,
    )  # fmt: skip


def param_of(name: str, value: Any) -> Param:
    """An input that is declared, or that has only a default."""
    if not isinstance(value, Mapping) or value.keys().isdisjoint(DECLARING):
        return Param(name=name, default=value)
    return Param(
        name=name, type=value.get("type"), default=value.get("default"), enum=tuple(value.get("enum") or ()),
        required=bool(value.get("required")), description=value.get("description") or "",
    )  # fmt: skip


def _start(action: ApprovalAction, context: StartContext) -> Wait:
    with located("approval.prompt"):
        prompt = context.render(action.prompt)
    return Wait(
        prompt=prompt, required_role=action.required_role, timeout=action.expires or context.approval_expires
    )


KIND = Kind(
    name="approval",
    action=ApprovalAction,
    keys=("approval",),
    read=_read,
    label=lambda action: f"approval: {action.prompt}",
    start=_start,
    is_for_hooks=False,
)
