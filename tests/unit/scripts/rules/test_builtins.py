"""What the builtins of the shells evaluate."""

from __future__ import annotations

import pytest

from dagrun.scripts import ScriptProblems
from tests.unit.scripts.helpers import fitted, refused


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("eval X", "'eval' reads it as code"),
        ('command eval "echo X"', "'eval' reads it as code"),
        ("'ev'al X", "'eval' reads it as code"),
        ("A=1 eval X", "'eval' reads it as code"),
        ("! eval X", "'eval' reads it as code"),
        ("$DRY eval X", "'eval' reads it as code"),
        ("${a}eval X", "'eval' reads it as code"),
        ("trap X EXIT", "'trap' reads it as code"),
        ("source <(f X)", "'source' reads it as code"),
        ("read X", "'read' takes it for the name of a variable, which may hold code"),
        ("printf -v X a", "'printf -v' takes it for the name of a variable, which may hold code"),
        ("[ -v X ]", "'test' takes it for the name of a variable, which may hold code"),
        ("[[ -v X ]]", "'[[' takes it for the name of a variable, which may hold code"),
        ("declare -i n=X", "'declare' with a type evaluates the value"),
        ("let X", "it is read as arithmetic, which runs what it finds in a value"),
        ("env X", "'env' could take the value for an option that holds code"),
    ],
)
def test_a_refusal_says_why(script: str, why: str) -> None:
    assert refused(script) == why


def test_a_format_is_no_place_for_a_value_beside_others() -> None:
    assert fitted("printf X a")
    assert fitted("printf %s X X")
    with pytest.raises(ScriptProblems, match="write printf '%s'"):
        fitted("printf X X")


def test_a_name_among_the_arguments_is_only_a_word() -> None:
    assert fitted("git add . X") == 'git add . "${X}"'


@pytest.mark.parametrize("script", ["[ X -eq 1 ]", "shift X", "printf %d X", "print -P X", "return X"])
def test_shells_differ_about_what_is_evaluated(script: str) -> None:
    assert fitted(script, "sh")
    assert refused(script, "ksh")
