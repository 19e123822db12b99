"""The kind `dag`: another DAG as a child run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from dagrun.core.model import Action, ActionText, TemplateText
from dagrun.kinds.kind import ChildRun, Kind, StartContext, located
from dagrun.value import Value


class ChildDagAction(Value, Action):
    """Run the DAG `ref`, a path from the project root or a name, and wait for its end."""

    holds_slot: ClassVar[bool] = False
    has_own_run: ClassVar[bool] = True

    ref: str
    kind: Literal["dag"] = "dag"

    def texts(self) -> Sequence[ActionText]:
        return (TemplateText(("dag",), self.ref),)


def _fields() -> Mapping[str, Any]:
    from pydantic import Field

    description = "Run this DAG, given by path or name, as a child run; its outputs are those of the task."
    return {"dag": (str | None, Field(None, min_length=1, description=description))}


def _start(action: ChildDagAction, context: StartContext) -> ChildRun:
    with located("dag"):
        return ChildRun(context.render(action.ref).strip())


KIND = Kind(
    name="dag",
    action=ChildDagAction,
    keys=("dag",),
    read=lambda words: ChildDagAction(words["dag"].strip()),
    label=lambda action: f"dag: {action.ref}",
    start=_start,
    is_for_hooks=False,
    fields=_fields,
    child=lambda action: action.ref,
    meaningless=("env", "dotenv", "working_dir", "artifacts"),
)
