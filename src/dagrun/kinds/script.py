"""The script of an action: its commands joined, its `${{ }}` replaced by variables, and the command that runs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from dagrun.core.model import ScriptText
from dagrun.core.payloads import MAX_ENVIRONMENT_BYTES, MAX_VARIABLE_BYTES, size_of
from dagrun.core.work import Command
from dagrun.kinds.interpreter import interpreter
from dagrun.kinds.kind import StartContext, located
from dagrun.language import expressions
from dagrun.language.expressions import EvaluationError

if TYPE_CHECKING:
    from dagrun.language import scripts

# Between two commands: a command that failed ends the script, also where `set -e` looks away (`false && true`).
# The empty line before it is for a command that ends in a backslash.
_GUARD = "\n\ncase $? in 0) ;; *) exit ;; esac\n"


def joined(script: ScriptText) -> str:
    """The commands as one text."""
    return _between(script).join(script.parts)


def offsets(script: ScriptText) -> Iterator[int]:
    """Where each command begins in the joined text."""
    at = 0
    for command in script.parts:
        yield at
        at += len(command) + len(_between(script))


def _between(script: ScriptText) -> str:
    return _GUARD if interpreter(script).shell else "\n"


def substituted(script: ScriptText) -> scripts.SubstitutedScript:
    """The joined text with every `${{ }}` replaced by a variable. Raises ScriptProblems."""
    from dagrun.language import scripts  # what reads shell, 5 ms that a run without scripts does not need

    return scripts.substitute(joined(script), interpreter(script).reader)


def command(script: ScriptText, context: StartContext) -> tuple[Command, Mapping[str, str]]:
    """The command that runs a script, and the variables that hold the values of its expressions."""
    runs = interpreter(script)
    text, variables = joined(script), dict[str, str]()
    if "${{" in text:
        with located("script"):
            its = substituted(script)
            text = its.script
            for variable in its.variables:
                value = expressions.as_text(context.evaluate(variable.expression))
                _check_value(variable.expression.text, value)
                variables[variable.name] = value
            _check_together(variables)
    return Command(argv=runs.argv, script=text, file_argv=runs.file_argv, suffix=runs.suffix), variables


_INSTEAD = (
    "pass it as a parameter, `params: {x: ${{ .. }}}`, and read the file that $DAGRUN_PARAM_X_FILE names"
)


def _check_value(expression: str, value: str) -> None:
    if (size := len(value.encode("utf-8", "surrogatepass"))) > MAX_VARIABLE_BYTES:
        raise EvaluationError(
            f"the value of ${{{{ {expression.strip()} }}}} has {size:,} bytes, and a variable of a script's environment holds "
            f"at most 32 KiB: {_INSTEAD}",
            0,
        )
    if "\0" in value:
        raise EvaluationError("a value with a NUL character cannot be put into a script's environment", 0)


def _check_together(variables: Mapping[str, str]) -> None:
    if (total := size_of(variables)) > MAX_ENVIRONMENT_BYTES:
        raise EvaluationError(
            f"the values of the script's ${{{{ }}}} have {total:,} bytes together, and its environment holds at most 256 KiB: "
            f"{_INSTEAD}",
            0,
        )
