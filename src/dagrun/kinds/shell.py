"""The kind `shell`: commands, in order, in one shell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from dagrun.core.model import Action, ActionText, ScriptText
from dagrun.kinds.kind import Kind, PreparedBody, StartContext
from dagrun.value import Value


class ShellAction(Value, Action):
    """Run `commands` in order in one shell; the first that ends non-zero ends the task."""

    commands: tuple[str, ...]
    shell: str = "sh"
    kind: Literal["shell"] = "shell"

    def texts(self) -> Sequence[ActionText]:
        return (ScriptText(self.commands, self.shell),)


def words_of_script(words: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """The commands that a task's keys give, none of them perhaps, and what runs them."""
    run = words.get("run")
    return tuple(words.get("commands") or ()) if run is None else (run,), words.get("shell") or "sh"


def _label(action: ShellAction) -> str:
    lines = (line.strip() for line in action.commands[0].splitlines() if not line.startswith("#!"))
    return f"shell: {next(filter(None, lines), '')}"


def _start(action: ShellAction, context: StartContext) -> PreparedBody:
    from dagrun.kinds import script  # which documents that are only checked do not need

    return PreparedBody(*script.command(ScriptText(action.commands, action.shell), context))


KIND = Kind(
    name="shell",
    action=ShellAction,
    keys=("run", "commands"),
    read=lambda words: ShellAction(*words_of_script(words)),
    label=_label,
    start=_start,
    params_in_environment=True,
)
