"""The kind `shell`: commands, in order, in one shell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from dagrun.core.model import ShellAction
from dagrun.core.payloads import MOST_IN_ENVIRONMENT, MOST_TOGETHER, size_of
from dagrun.core.work import Command
from dagrun.kinds.interpreter import interpreter
from dagrun.kinds.kind import Evaluate, Kind
from dagrun.language import expressions
from dagrun.language.expressions import EvaluationError
from dagrun.registry import Registry

if TYPE_CHECKING:
    from dagrun.language import scripts

# Between two commands: a command that failed ends the script, also where `set -e` looks away (`false && true`).
# The empty line before it is for a command that ends in a backslash.
_GUARD = "\n\ncase $? in 0) ;; *) exit ;; esac\n"


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
    return _GUARD if interpreter(action).shell else "\n"


def fitted(action: ShellAction) -> scripts.SubstitutedScript:
    """The whole script with every `${{ }}` fitted. Raises ScriptProblems."""
    from dagrun.language import scripts  # what reads shell, 5 ms that a run without scripts does not need

    return scripts.substitute(script(action), interpreter(action).reader)


def _label(action: ShellAction) -> str:
    first = next(
        (
            line.strip()
            for line in action.commands[0].splitlines()
            if line.strip() and not line.startswith("#!")
        ),
        "",
    )
    return f"shell: {first}"


def body(action: ShellAction, _: Registry, evaluate: Evaluate) -> tuple[Command, Mapping[str, str]]:
    """The whole script behind its shell, and the values that it reads."""
    runs = interpreter(action)
    text, variables = script(action), dict[str, str]()
    if "${{" in text:
        its = fitted(action)
        text = its.script
        for variable in its.variables:
            value = expressions.as_text(evaluate(variable.expression))
            _check_value(variable.expression.text, value)
            variables[variable.name] = value
        _check_together(variables)
    command = Command(argv=runs.argv, script=text, file_argv=runs.file_argv, suffix=runs.suffix)
    return command, variables


_INSTEAD = (
    "pass it as a parameter, `params: {x: ${{ .. }}}`, and read the file that $DAGRUN_PARAM_X_FILE names"
)


def _check_value(expression: str, value: str) -> None:
    if (size := len(value.encode("utf-8", "surrogatepass"))) > MOST_IN_ENVIRONMENT:
        raise EvaluationError(
            f"the value of ${{{{ {expression.strip()} }}}} has {size:,} bytes, and a variable of a script's environment holds "
            f"at most 32 KiB: {_INSTEAD}",
            0,
        )
    if "\0" in value:
        raise EvaluationError("a value with a NUL character cannot be put into a script's environment", 0)


def _check_together(variables: Mapping[str, str]) -> None:
    if (total := size_of(variables)) > MOST_TOGETHER:
        raise EvaluationError(
            f"the values of the script's ${{{{ }}}} have {total:,} bytes together, and its environment holds at most 256 KiB: "
            f"{_INSTEAD}",
            0,
        )


KIND = Kind(name="shell", label=_label, body=body)
