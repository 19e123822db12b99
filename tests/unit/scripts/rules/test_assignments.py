"""Assignments that evaluate what they assign."""

from __future__ import annotations

import pytest

from tests.unit.scripts.helpers import fitted, refused


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("X=1", "this is the name of a variable"),
        ("PS4=X", "the value of PS4 is run or calculated with"),
        ('GIT_SSH_COMMAND="ssh -i X" git fetch', "the value of GIT_SSH_COMMAND is run or calculated with"),
        (
            "declare -i n; n=X",
            "the script declares variables of a type, which evaluate what is assigned to them",
        ),
        (
            "a=(1); local b=X",
            "the script has arrays and declarations, which together evaluate what is assigned",
        ),
    ],
)
def test_a_refusal_says_why(script: str, why: str) -> None:
    assert refused(script) == why


def test_arithmetic_makes_numbers_in_some_shells() -> None:
    assert fitted("((n = 1)); n=X", "bash")
    assert "arithmetic makes variables numbers" in refused("((n = 1)); n=X", "ksh")
