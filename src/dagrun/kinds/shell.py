"""The kind `shell`: commands, in order, in one shell."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from functools import cache

from dagrun import expressions
from dagrun.kinds.base import Evaluate, Kind
from dagrun.model import ShellAction
from dagrun.registry import Registry
from dagrun.work import Command

# Between two commands: a command that failed ends the script, also where `set -e` looks away (`false && true`).
# The empty line before it is for a command that ends in a backslash.
_GUARD = "\n\ncase $? in 0) ;; *) exit ;; esac\n"


@cache
def argv(shell: str) -> tuple[str, ...]:
    """A shell's command line, to which the script is added. `shell: bash` and `shell: python3 -c` both work."""
    words = shlex.split(shell)
    if _is_known(shell):
        return (*words, "-e", "-c") if "-c" not in words else tuple(words)
    return tuple(words) if len(words) > 1 else (*words, "-c")


def script(action: ShellAction) -> str:
    """The whole script."""
    return _between(action).join(action.commands)


def starts(action: ShellAction) -> Iterator[int]:
    """Where each command begins in the whole script."""
    at = 0
    for command in action.commands:
        yield at
        at += len(command) + len(_between(action))


def _between(action: ShellAction) -> str:
    return _GUARD if _is_known(action.shell) else "\n"


@cache
def _is_known(shell: str) -> bool:
    from dagrun import scripts  # what reads shell, 5 ms that a run without scripts does not need

    return shlex.split(shell)[0].rpartition("/")[2] in scripts.SHELLS


def _label(action: ShellAction) -> str:
    first = next((line.strip() for line in action.commands[0].splitlines() if line.strip()), "")
    return f"shell: {first}"


def body(action: ShellAction, _: Registry, evaluate: Evaluate) -> tuple[Command, Mapping[str, str]]:
    """The whole script behind its shell, and the values that it reads."""
    from dagrun import scripts

    fitted = scripts.fit(script(action), action.shell)
    variables = {
        variable.name: expressions.as_text(evaluate(variable.expression)) for variable in fitted.variables
    }
    return Command(argv=argv(action.shell), script=fitted.script), variables


KIND = Kind(name="shell", label=_label, body=body)
