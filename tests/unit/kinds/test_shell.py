"""The kind `shell`: its command line, and commands that stop at the first failure."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest

from dagrun.core.model import ShellAction, WorkflowAction
from dagrun.core.work import Command
from dagrun.kinds import KINDS, kind_of, shell
from dagrun.language.expressions import EvaluationError
from dagrun.language.scripts import ScriptProblems
from dagrun.registry import Registry
from tests.unit.harness import task


def ran(*commands: str, shell_: str = "sh") -> tuple[int, str]:
    """The exit code of a task and what it printed."""
    action = ShellAction(commands, shell_)
    body, _ = KINDS["shell"].body(action, Registry(), lambda value: value)
    assert isinstance(body, Command)
    with tempfile.TemporaryDirectory() as where:
        script = Path(where, "script")
        script.write_text(body.script)
        by_file = [word.replace("{0}", str(script)) for word in body.file_argv or ()]
        done = subprocess.run(
            by_file if body.argv is None else [*body.argv, body.script], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
    return done.returncode, done.stdout


def test_a_script_is_its_commands_in_order() -> None:
    assert ran("echo one", "echo two") == (0, "one\ntwo\n")


@pytest.mark.parametrize(
    ("failing", "code"),
    [("exit 7", 7), ("false", 1), ("(exit 9)", 9), ("true && false", 1), ("! true", 1), ("false | false", 1)],
)
def test_the_first_command_that_fails_ends_the_task_with_its_code(failing: str, code: int) -> None:
    assert ran("echo before", failing, "echo after") == (code, "before\n")


@pytest.mark.parametrize("fine", ["false || true", "if false; then echo no; fi", "! false", "exit_code=3"])
def test_a_command_that_ends_well_lets_the_next_one_run(fine: str) -> None:
    assert ran(fine, "echo after") == (0, "after\n")


def test_within_one_command_the_first_line_that_fails_ends_it() -> None:
    assert ran("echo one\nfalse\necho two") == (1, "one\n")


def test_the_last_commands_code_is_the_tasks() -> None:
    assert ran("true", "sh -c 'exit 3'") == (3, "")


def test_commands_share_one_shell() -> None:
    assert ran("x=5", "cd /", 'echo "$x $PWD"') == (0, "5 /\n")


@pytest.mark.parametrize(
    "first", ["echo one # a comment", "cat <<END\none\nEND", "echo one \\", "echo one;", "{ echo one; }"]
)
def test_how_a_command_ends_does_not_reach_the_next(first: str) -> None:
    assert ran(first, "echo two") == (0, "one\ntwo\n")


def test_bash_may_be_asked_for() -> None:
    assert ran('a=(1 2); echo "${a[1]}"', "false", "echo no", shell_="bash") == (1, "2\n")


def test_pipefail_holds_where_it_was_asked_for() -> None:
    assert ran("false | true", "echo after", shell_="bash -o pipefail")[0] == 1


def test_for_another_interpreter_the_commands_are_lines() -> None:
    assert ran("x = 1", "print(x + 1)", shell_="python3") == (0, "2\n")


@pytest.mark.parametrize("shell_", ["bash -c", "bash -eu", "bash +e", "bash --norc -o pipefail", "env bash"])
def test_a_failing_line_ends_a_script_whatever_flags_its_shell_has(shell_: str) -> None:
    assert ran("echo one\nfalse\necho two", shell_=shell_) == (1, "one\n")


def test_a_script_is_run_by_what_its_first_line_names() -> None:
    assert ran("#!/usr/bin/env python3\nprint(6 * 7)", shell_="bash") == (0, "42\n")


def test_what_runs_a_script_with_a_first_line_of_its_own_has_the_flags_that_stand_there() -> None:
    assert ran("#!/bin/sh\nfalse\necho two") == (0, "two\n")
    assert ran("#!/bin/sh -e\nfalse\necho two") == (1, "")


def test_commands_end_at_the_first_that_fails_there_too() -> None:
    assert ran("#!/bin/sh\necho one", "false", "echo two") == (1, "one\n")


def label(*commands: str) -> str:
    return KINDS["shell"].label(ShellAction(commands))


def test_a_label_is_the_first_line_that_says_something() -> None:
    assert label("\n  make all\nmake test") == "shell: make all"
    assert label("echo a", "echo b") == "shell: echo a"
    assert label("#!/bin/sh\n\necho a") == "shell: echo a"
    assert label("\n") == "shell: "


def test_a_workflows_label_is_its_name() -> None:
    assert KINDS["workflow"].label(WorkflowAction("sweep")) == "workflow: sweep"


def test_the_body_of_a_shell_task_is_a_command() -> None:
    each = task("a", action=ShellAction(("echo one", "echo two"), "bash"))
    body, variables = kind_of(each).body(each.action, Registry(), lambda value: value)
    assert body == Command(
        argv=("bash", "-e", "-c"), file_argv=("bash", "-e", "{0}"),
        script=shell.script(ShellAction(("echo one", "echo two"))),
    )  # fmt: skip
    assert variables == {}


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
def test_values_that_no_environment_holds_are_told(values: dict[str, str], problem: str) -> None:
    action = ShellAction(tuple(f"echo ${{{{ params.{name} }}}}" for name in values))
    given = {f"params.{name}": value for name, value in values.items()}
    with pytest.raises(EvaluationError) as caught:
        KINDS["shell"].body(action, Registry(), lambda expression: given[expression.text.strip()])
    assert caught.value.message.startswith(problem)


@pytest.mark.parametrize("shell_", ["bash lib.sh", "env -i bash", "python3", "/usr/bin/env node"])
def test_no_value_is_fitted_into_what_is_no_plain_shell(shell_: str) -> None:
    for action in (
        ShellAction(("echo ${{ params.x }}",), shell_),
        ShellAction((f"#!/usr/bin/env {shell_}\necho ${{{{ params.x }}}}",)),
    ):
        with pytest.raises(ScriptProblems, match=r"has no known way to read a value safely"):
            shell.fitted(action)


def test_a_value_is_fitted_into_the_language_that_the_first_line_names() -> None:
    action = ShellAction(("#!/usr/bin/env bash\necho ${{ params.x }}",), "python3")
    assert shell.fitted(action).script == '#!/usr/bin/env bash\necho "${DAGRUN_X1}"'


def test_the_table_knows_every_kind_by_its_name() -> None:
    assert {name: kind.name for name, kind in KINDS.items()} == {name: name for name in KINDS}
