"""The kind `container`: an image, and what is run in it."""

from __future__ import annotations

from dagrun.core.model import ContainerAction, ShellAction
from dagrun.core.work import Command, Container
from dagrun.kinds import KINDS, kind_of
from dagrun.registry import Registry
from tests.unit.harness import task


def test_its_commands_are_those_of_a_shell_task() -> None:
    action = ContainerAction(
        "alpine", ("echo ${{ params.x }}", "echo two"), mount=(".:/work",), pull="always"
    )
    each = task("a", action=action)
    body, variables = kind_of(each).body(action, Registry(), lambda _: 5)
    alike, _ = KINDS["shell"].body(ShellAction(action.commands), Registry(), lambda _: 5)
    assert isinstance(alike, Command)
    assert body == Container(image="alpine", command=alike, mount=(".:/work",), pull="always")
    assert alike.argv == ("sh", "-e", "-c")
    assert variables == {"DAGRUN_X1": "5"}


def test_without_commands_the_images_own_runs() -> None:
    action = ContainerAction("alpine")
    body, variables = kind_of(task("a", action=action)).body(action, Registry(), lambda value: value)
    assert body == Container(image="alpine", command=None, mount=(), pull="missing")
    assert variables == {}


def test_its_label_is_its_image() -> None:
    assert KINDS["container"].label(ContainerAction("python:3.12", ("true",))) == "container: python:3.12"
