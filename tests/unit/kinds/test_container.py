"""The kind `container`: an image, and what is run in it."""

from __future__ import annotations

import pytest

from dagrun.core.model import ScriptText, TemplateText
from dagrun.core.work import Container
from dagrun.kinds import KINDS, read_action
from dagrun.kinds.container import ContainerAction
from dagrun.kinds.shell import ShellAction
from dagrun.language.expressions import EvaluationError
from tests.unit.kinds.harness import body, start


def test_its_commands_are_those_of_a_shell_task() -> None:
    commands = ("echo ${{ params.x }}", "echo two")
    action = ContainerAction("alpine", commands, mount=(".:/work",), pull="always")
    started, alike = body(action, lambda _: 5), body(ShellAction(commands), lambda _: 5)
    assert started.body == Container(image="alpine", command=alike.body, mount=(".:/work",), pull="always")  # type: ignore[arg-type]
    assert started.variables == alike.variables == {"DAGRUN_X1": "5"}


def test_without_commands_the_images_own_command_runs() -> None:
    started = body(ContainerAction("alpine"))
    assert started.body == Container(image="alpine", command=None, mount=(), pull="missing")
    assert started.variables == {}


def test_its_image_is_a_template() -> None:
    started = body(ContainerAction("python:${{ matrix.python }}"), lambda _: "3.12")
    assert started.body == Container(image="python:3.12", command=None, mount=(), pull="missing")


def test_an_image_without_a_value_is_reported_as_that() -> None:
    def fail(_: object) -> str:
        raise EvaluationError("there is no params.x", 0)

    with pytest.raises(EvaluationError) as caught:
        start(ContainerAction("${{ params.x }}"), fail)
    assert caught.value.message == "image: there is no params.x"


def test_its_texts_are_the_image_and_the_script() -> None:
    image = TemplateText(("image",), "alpine")
    assert list(ContainerAction("alpine").texts()) == [image]
    assert list(ContainerAction("alpine", ("true",), "bash").texts()) == [
        image, ScriptText(("true",), "bash"),
    ]  # fmt: skip


def test_an_image_makes_a_script_one_of_a_container() -> None:
    assert read_action({"image": "a", "run": "true", "shell": "bash", "mount": [".:/w"]}) == ContainerAction(
        "a", ("true",), "bash", (".:/w",)
    )
    assert read_action({"image": "a", "pull": "never"}) == ContainerAction("a", pull="never")


def test_its_label_is_its_image() -> None:
    assert KINDS["container"].label(ContainerAction("python:3.12", ("true",))) == "container: python:3.12"
