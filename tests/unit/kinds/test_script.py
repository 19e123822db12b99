"""The script of an action: where each command begins, and values in it."""

from __future__ import annotations

import pytest

from dagrun.core.model import ScriptText
from dagrun.kinds import script
from dagrun.kinds.shell import ShellAction
from dagrun.language.expressions import EvaluationError
from dagrun.language.scripts import ScriptProblems
from tests.unit.kinds.harness import start


def test_a_commands_offset_is_where_it_begins_in_the_joined_text() -> None:
    commands = ScriptText(("echo one", "echo two", "echo three"), "bash")
    text = script.joined(commands)
    assert [text[at:].partition("\n")[0] for at in script.offsets(commands)] == list(commands.parts)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"a": "x" * 32_769}, "the value of ${{ params.a }} has 32,769 bytes, and a variable of a script's"),
        ({"a": "a\0b"}, "a value with a NUL character cannot be put into a script's environment"),
        (
            {f"p{i}": "x" * 30_000 for i in range(9)},
            "the values of the script's ${{ }} have 270,171 bytes together, and its environment holds at most 256 KiB: pass",
        ),
    ],
)
def test_values_that_no_environment_holds_are_refused(values: dict[str, str], problem: str) -> None:
    action = ShellAction(tuple(f"echo ${{{{ params.{name} }}}}" for name in values))
    given = {f"params.{name}": value for name, value in values.items()}
    with pytest.raises(EvaluationError) as caught:
        start(action, lambda expression: given[expression.text.strip()])
    assert caught.value.message.startswith(f"script: {problem}")


@pytest.mark.parametrize("shell_", ["bash lib.sh", "env -i bash", "python3", "/usr/bin/env node"])
def test_no_value_is_fitted_into_what_is_no_plain_shell(shell_: str) -> None:
    for commands in (
        ScriptText(("echo ${{ params.x }}",), shell_),
        ScriptText((f"#!/usr/bin/env {shell_}\necho ${{{{ params.x }}}}",)),
    ):
        with pytest.raises(ScriptProblems, match=r"has no known way to read a value safely"):
            script.substituted(commands)


def test_a_value_is_fitted_into_the_language_that_the_first_line_names() -> None:
    commands = ScriptText(("#!/usr/bin/env bash\necho ${{ params.x }}",), "python3")
    assert script.substituted(commands).script == '#!/usr/bin/env bash\necho "${DAGRUN_X1}"'
