"""Assignments that evaluate the assigned value."""

from __future__ import annotations

import pytest

from tests.unit.language.scripts.helpers import refused, substituted


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("X=1", "this is the name of a variable"),
        ("PS4=X", "the shell evaluates the value of PS4"),
        ("export BASH_ENV=X", "the shell evaluates the value of BASH_ENV"),
        ("PROMPT_COMMAND+=X", "the shell evaluates the value of PROMPT_COMMAND"),
        ("for ENV in X; do :; done", "the shell evaluates the value of ENV"),
        ("env BASH_ENV=X bash s", "the shell evaluates the value of BASH_ENV"),
        ("RANDOM=X", "the shell reads the value of RANDOM as arithmetic"),
        (
            "declare -i n; n=X",
            "'n' is declared as a number or a reference, which evaluates the assigned value",
        ),
        ("a=(1); local a=X", "'a' is an array, whose declaration reads the value as a list"),
        ("a[b[0]]=1 X", "it would be the name of a command"),
        ("A\\\n=1 X", "it would be the name of a command"),
    ],
)
def test_a_refused_assignment_says_why(script: str, why: str) -> None:
    assert refused(script) == why


@pytest.mark.parametrize(
    "script",
    [
        "declare -i n; m=X",
        "EDITOR=X git commit",
        "a=(1); local b=X",
        "export A=X B=X",
        "declare -r A=X",
        "PROMPT=X",
        "UID=X",
    ],
)
def test_a_value_that_is_only_stored_is_allowed(script: str) -> None:
    assert substituted(script) == script.replace("X", '"${X}"')


def test_arithmetic_makes_numbers_in_some_shells() -> None:
    assert substituted("((n = 1)); n=X", "bash")
    assert refused("((n = 1)); n=X", "ksh").startswith("'n' is declared as a number")
    assert substituted("((n < 1)); n=X", "ksh")


def test_shells_evaluate_variables_of_their_own() -> None:
    assert refused("PROMPT=X", "zsh") == "the shell evaluates the value of PROMPT"
    assert refused("functions[f]=X", "zsh") == "the shell evaluates the value of functions"
