"""The frame for one command line: it holds only what these words need, and nobody can tell."""

from __future__ import annotations

import pytest
from typer.main import get_command

from dagrun.cli.app import _frame, app


def options(frame: object) -> dict[str, int]:
    """Each command of a frame with the number of its arguments and options."""
    commands = get_command(frame).commands  # type: ignore[arg-type,attr-defined]
    return {name: len(command.params) for name, command in commands.items()}


def test_a_command_stands_alone_and_is_the_same() -> None:
    assert options(_frame(["validate", "dag.yaml"])) == {"validate": options(app)["validate"]}


def test_a_list_of_the_commands_reads_no_signature() -> None:
    listed = options(_frame(["--help"]))
    assert listed.keys() == options(app).keys()
    assert set(listed.values()) == {0}


@pytest.mark.parametrize("words", [[], ["validat"], ["--", "validate"], ["--version"]])
def test_other_words_find_all_commands(words: list[str]) -> None:
    assert options(_frame(words)) == options(app)


def test_the_list_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    for frame in (app, _frame(["--help"])):
        frame(["--help"], prog_name="dagrun", standalone_mode=False)
    text = capsys.readouterr().out
    assert text[: len(text) // 2] == text[len(text) // 2 :]
