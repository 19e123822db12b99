"""Assignments that evaluate what they assign."""

from __future__ import annotations

import pytest

from tests.unit.language.scripts.helpers import fitted, refused


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("X=1", "this is the name of a variable"),
        ("PS4=X", "the shell evaluates the value of PS4"),
        ("export BASH_ENV=X", "the shell evaluates the value of BASH_ENV"),
        ("PROMPT_COMMAND+=X", "the shell evaluates the value of PROMPT_COMMAND"),
        ("for ENV in X; do :; done", "the shell evaluates the value of ENV"),
        ("env BASH_ENV=X bash s", "the shell evaluates the value of BASH_ENV"),
        ("RANDOM=X", "the shell takes the value of RANDOM for arithmetic"),
        ('GIT_SSH_COMMAND="ssh -i X" git fetch', "the value of GIT_SSH_COMMAND is run as a command"),
        (
            "declare -i n; n=X",
            "'n' is declared a number or a reference, which evaluates what is assigned to it",
        ),
        ("a=(1); local a=X", "'a' is an array, whose declaration reads the value as a list"),
        ("a[b[0]]=1 X", "it would be the name of a command"),
        ("A\\\n=1 X", "it would be the name of a command"),
    ],
)
def test_a_refusal_says_why(script: str, why: str) -> None:
    assert refused(script) == why


@pytest.mark.parametrize(
    "script",
    ["declare -i n; m=X", "a=(1); local b=X", "export A=X B=X", "declare -r A=X", "PROMPT=X", "UID=X"],
)
def test_an_assignment_that_only_stores_the_value_is_fitted(script: str) -> None:
    assert fitted(script) == script.replace("X", '"${X}"')


def test_arithmetic_makes_numbers_in_some_shells() -> None:
    assert fitted("((n = 1)); n=X", "bash")
    assert refused("((n = 1)); n=X", "ksh").startswith("'n' is declared a number")
    assert fitted("((n < 1)); n=X", "ksh")


def test_shells_evaluate_variables_of_their_own() -> None:
    assert refused("PROMPT=X", "zsh") == "the shell evaluates the value of PROMPT"
    assert refused("functions[f]=X", "zsh") == "the shell evaluates the value of functions"
