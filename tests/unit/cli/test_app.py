"""The Typer app for a command line: it contains only what these words need, and prints the same."""

from __future__ import annotations

import pytest
from typer.main import get_command

from dagrun.cli.app import app_for, run
from dagrun.cli.command_table import COMMANDS

ALL = ["--"]


def options(words: list[str]) -> dict[str, int]:
    """Each command of an app with the number of its arguments and options."""
    commands = get_command(app_for(words)).commands  # type: ignore[attr-defined]
    return {name: len(command.params) for name, command in commands.items()}


def test_a_requested_command_is_the_only_one() -> None:
    assert options(["validate", "dag.yaml"]) == {"validate": options(ALL)["validate"]}


@pytest.mark.parametrize("words", [[], ["--help"], ["validat"]])
def test_a_list_of_commands_needs_no_options_of_commands(words: list[str]) -> None:
    listed = options(words)
    assert listed.keys() == options(ALL).keys()
    assert set(listed.values()) == {0}


@pytest.mark.parametrize("words", [["--", "validate"], ["--version"]])
def test_other_words_find_all_commands(words: list[str]) -> None:
    assert options(words) == options(ALL)


def test_the_list_is_the_same_without_the_options_of_commands(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--help"], ALL):
        app_for(words)(["--help"], prog_name="dagrun", standalone_mode=False)
    text = capsys.readouterr().out
    assert text[: len(text) // 2] == text[len(text) // 2 :]


@pytest.mark.parametrize("name", ["", *(entry.name for entry in COMMANDS if not entry.alias_of)])
def test_a_help_page_fits_into_80_columns_and_shows_how_to_use_the_command(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run([*name.split(), "--help"]) == 0
    page = capsys.readouterr().out
    assert [line for line in page.splitlines() if len(line) > 80] == []
    assert f"dagrun {name}".strip() in page.partition("Example")[2] or "How to use it" in page
    assert "Exit codes" in page or not name


def test_a_misspelt_command_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validat"]) == 2
    assert "validate" in capsys.readouterr().err
