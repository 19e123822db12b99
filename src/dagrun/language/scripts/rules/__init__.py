"""Arguments of commands that are parsed as code again, so that no value is allowed in them.

`assignments` and `builtins` are about the script's own shell and are meant to be complete. `programs` is a short table of
well-known programs; it finds the common mistake.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from typing import Final

from dagrun.language.scripts.parts import Word
from dagrun.language.scripts.rules.assignments import ScriptVariables, check_assignments, is_evaluated
from dagrun.language.scripts.rules.builtins import check_builtin, check_condition, command_positions
from dagrun.language.scripts.rules.command_check import COMMAND, CommandCheck
from dagrun.language.scripts.rules.programs import check_program

__all__ = ["CommandCheck", "ScriptVariables", "check_command", "check_condition", "is_evaluated"]

#: Words before the name of a command: more than anyone writes.
_MAX_BEFORE: Final = 20
#: Words inside `${..}`, after its sign.
_DEFAULT: Final = re.compile(r"(?<=[-=+ ])[\w.]+|(?<=[-=+ ])\[")


def check_command(words: Sequence[Word], shell: str, variables: ScriptVariables) -> CommandCheck:
    """Check one simple command."""
    check = CommandCheck()
    words = check_assignments(words, shell, check, variables)
    if not words:
        return check
    candidates = list(islice(command_positions(words), _MAX_BEFORE))
    for at in candidates:
        _check_command_name(words[at], words[at + 1 :], shell, check, variables, first=at == 0)
    if len(candidates) == _MAX_BEFORE:
        check.refuse(words, "there are too many words before the name of the command")
    check_program(words, candidates[-1], check)
    return check


def _check_command_name(
    head: Word,
    arguments: Sequence[Word],
    shell: str,
    check: CommandCheck,
    variables: ScriptVariables,
    *,
    first: bool,
) -> None:
    """Refuse what is not allowed if this word is the name of the command."""
    why = COMMAND if first else f"{COMMAND}, or could be if the word before it is empty: quote that word"
    check.refuse([head], why)
    if head.braces or head.escapes:
        check.refuse(arguments, "the name of the command is not certain: it has braces or escapes")
    # An unknown part may be empty: `${a}eval`; or its default applies: `${a:-eval}`.
    defaults = _DEFAULT.findall(head.raw) if "${" in head.raw else ()
    for name in (head.known, *defaults):
        check_builtin(name, arguments, shell, check, variables)
