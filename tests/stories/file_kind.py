"""A kind of task that dagrun does not have, and as a program: dagrun with that kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from dagrun.core.model import Action, ActionText, TemplateText
from dagrun.core.work import Command
from dagrun.kinds import KINDS
from dagrun.kinds.kind import Kind, PreparedBody, StartContext
from dagrun.value import Value


class FileAction(Value, Action):
    """Fail unless the file exists; its size is an output."""

    path: str
    kind: Literal["file"] = "file"

    def texts(self) -> Sequence[ActionText]:
        return (TemplateText(("needs_file", "path"), self.path),)


def fields() -> Mapping[str, Any]:
    """The key `needs_file: {path: ...}`."""
    from pydantic import BaseModel, ConfigDict, Field

    class NeedsFile(BaseModel):
        """A file that a task needs."""

        model_config = ConfigDict(extra="forbid", strict=True)

        path: str = Field(min_length=1, description="The file.")

    return {"needs_file": (NeedsFile | None, Field(None, description="Fail unless this file exists."))}


def start(action: FileAction, context: StartContext) -> PreparedBody:
    """A script for any executor."""
    script = 'test -e "$NEEDED" && echo "size=$(wc -c < "$NEEDED" | tr -d " ")" >> "$DAGRUN_OUTPUT"'
    return PreparedBody(
        Command(argv=("sh", "-e", "-c"), script=script), {"NEEDED": context.render(action.path)}
    )


KIND = Kind(
    name="file",
    action=FileAction,
    keys=("needs_file",),
    read=lambda words: FileAction(words["needs_file"].path),
    label=lambda action: f"file: {action.path}",
    start=start,
    fields=fields,
)

if __name__ == "__main__":
    from dagrun.__main__ import main

    KINDS[KIND.name] = KIND
    main()
