"""The kind `shell`: its command line, and commands that stop at the first failure."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest

from dagrun.core.model import ScriptText
from dagrun.core.work import Command
from dagrun.kinds import KINDS, read_action, script
from dagrun.kinds.kind import PreparedBody
from dagrun.kinds.shell import ShellAction
from tests.unit.kinds import harness
from tests.unit.kinds.harness import start


def ran(*commands: str, shell_: str = "sh") -> tuple[int, str]:
    """The exit code of a task and what it printed."""
    body = harness.body(ShellAction(commands, shell_)).body
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


def test_the_body_of_a_shell_task_is_a_command() -> None:
    commands = ("echo one", "echo two")
    assert start(ShellAction(commands, "bash")) == PreparedBody(
        Command(
            argv=("bash", "-e", "-c"), file_argv=("bash", "-e", "{0}"), script=script.joined(ScriptText(commands))
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "action"),
    [
        ({"run": "make"}, ShellAction(("make",))),
        ({"run": "make", "commands": None, "shell": "bash"}, ShellAction(("make",), "bash")),
        ({"commands": ["make", "make test"]}, ShellAction(("make", "make test"))),
    ],
)
def test_a_script_is_written_as_one_text_or_as_commands(
    words: dict[str, object], action: ShellAction
) -> None:
    assert read_action(words) == action


def test_the_table_knows_every_kind_by_its_name() -> None:
    assert {name: kind.name for name, kind in KINDS.items()} == {name: name for name in KINDS}
