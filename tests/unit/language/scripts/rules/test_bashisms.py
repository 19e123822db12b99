"""Builtins and options that only bash has."""

from __future__ import annotations

import pytest

from dagrun.language.scripts.parts import Word
from dagrun.language.scripts.rules.bashisms import note_builtin


def noted(command: str) -> list[str]:
    words = [Word(at, raw=text, lead=text, known=text) for at, text in enumerate(command.split())]
    found: list[str] = []
    note_builtin(words, lambda _, what: found.append(what))
    return found


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("A=1 source f", ["source"]),
        ("a+=b", ["+="]),
        ("a[0]=b ls", ["an array"]),
        ("set -o pipefail", ["pipefail"]),
        ("[ a == b ]", ["=="]),
        ("read -r -a x", ["read -a"]),
    ],
)
def test_a_command_of_bash_is_noted(command: str, expected: list[str]) -> None:
    assert noted(command) == expected


@pytest.mark.parametrize("command", ["A=1", "", "set -eu", "read -r x -a", "echo source"])
def test_a_command_of_every_sh_is_not_noted(command: str) -> None:
    assert noted(command) == []
