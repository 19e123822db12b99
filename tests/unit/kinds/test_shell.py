"""The kind `shell`: its command line, and commands that stop at the first failure."""

from __future__ import annotations

import subprocess

import pytest

from dagrun.kinds import KINDS, kind_of, shell
from dagrun.model import ShellAction, WorkflowAction
from dagrun.registry import Registry
from dagrun.work import Command
from tests.unit.harness import task


def ran(*commands: str, shell_: str = "sh") -> tuple[int, str]:
    """The exit code of a task and what it printed."""
    action = ShellAction(commands, shell_)
    done = subprocess.run(
        [*shell.argv(shell_), shell.script(action)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("written", "argv"),
    [
        ("sh", ("sh", "-e", "-c")),
        ("bash", ("bash", "-e", "-c")),
        ("/bin/bash", ("/bin/bash", "-e", "-c")),
        ("bash -o pipefail", ("bash", "-o", "pipefail", "-e", "-c")),
        ("bash -c", ("bash", "-c")),
        ("python3", ("python3", "-c")),
        ("python3 -c", ("python3", "-c")),
        ("perl -e", ("perl", "-e")),
        ("'/my tools/sh' -x", ("/my tools/sh", "-x", "-e", "-c")),
    ],
)
def test_a_shells_command_line(written: str, argv: tuple[str, ...]) -> None:
    assert shell.argv(written) == argv


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


def label(*commands: str) -> str:
    return KINDS["shell"].label(ShellAction(commands))


def test_a_label_is_the_first_line_that_says_something() -> None:
    assert label("\n  make all\nmake test") == "shell: make all"
    assert label("echo a", "echo b") == "shell: echo a"
    assert label("\n") == "shell: "


def test_a_workflows_label_is_its_name() -> None:
    assert KINDS["workflow"].label(WorkflowAction("sweep")) == "workflow: sweep"


def test_the_body_of_a_shell_task_is_a_command() -> None:
    each = task("a", action=ShellAction(("echo one", "echo two"), "bash"))
    body, variables = kind_of(each).body(each.action, Registry(), lambda value: value)
    assert body == Command(
        argv=("bash", "-e", "-c"), script=shell.script(ShellAction(("echo one", "echo two")))
    )
    assert variables == {}


def test_the_table_knows_every_kind_by_its_name() -> None:
    assert {name: kind.name for name, kind in KINDS.items()} == {name: name for name in KINDS}
