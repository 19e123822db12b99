"""What the builtins of the shells evaluate."""

from __future__ import annotations

import pytest

from dagrun.language.scripts import ScriptProblems
from tests.unit.language.scripts.helpers import fitted, not_followed, refused


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
        ("$'\\x65val' X", "'eval' reads it as code"),
        ("$'\\cAval' X", "the name of the command cannot be told from its braces or escapes"),
        ("{eval,a} X", "the name of the command cannot be told from its braces or escapes"),
        (
            "printf {-v,a} X",
            "'printf' may get more or other words than are written, for some are in braces or escapes",
        ),
        ("ev\\\nal X", "'eval' reads it as code"),
        ("command -p eval X", "'eval' reads it as code"),
        ("${a:-eval} X", "'eval' reads it as code"),
        ("exec -a b eval X", "'eval' reads it as code"),
        ("time -p eval X", "'eval' reads it as code"),
        ('"$@" eval X', "'eval' reads it as code"),
        (
            "builtin X",
            "it would be the name of a command, or could be if what stands before it is empty: quote that",
        ),
        (
            "$CC X",
            "it would be the name of a command, or could be if what stands before it is empty: quote that",
        ),
        ("$(printf %s X) a", "it would be the name of a command"),
        ('"$(f X)"', "it would be the name of a command"),
        ("./X", "it would be the name of a command"),
        ("printf X", "'printf' could take it for an option; write printf '%s'"),
        ("printf %n X", "'%n' takes it for the name of a variable, which may hold code"),
        ("[ X X ]", "one of two values side by side could be an operator"),
        ("wait X", "'wait' could take the value for an option that holds code; write -- before it"),
        ("wait -p X", "'wait -p' takes it for the name of a variable, which may hold code"),
        ("set X", "'set' could take the value for an option that holds code; write -- before it"),
        ("mapfile -C X a", "'mapfile' takes it for the name of a variable, which may hold code"),
        ("hash -p X ls", "'hash' reads it as code"),
        ("jobs -x X", "'jobs' reads it as code"),
    ],
)
def test_a_refusal_says_why(script: str, why: str) -> None:
    assert refused(script) == why


@pytest.mark.parametrize(
    "script",
    [
        'read -p "X? " x', "read -rp X x", "read -t X x", "printf %s X X", 'printf "a X"', "printf -- X", "set -- X",
        "command -v X", "exec >X", '"$CC" X', "cd X", "kill X", "[ X = X ]", "[ -n X ]", "export A=X", "wait -- X",
        "unknown X", "echo {a,X}", "sh -c 'a' X",
    ],
)  # fmt: skip
def test_a_harmless_argument_is_fitted(script: str) -> None:
    assert "${X}" in fitted(script)


def test_a_format_is_no_place_for_a_value_beside_others() -> None:
    with pytest.raises(ScriptProblems, match="write printf '%s'"):
        fitted("printf aX X")


def test_what_follows_an_alias_is_not_read() -> None:
    assert fitted("echo X\nalias ll='ls -l'")
    assert not_followed("alias e=eval\ne X", "sh") == (
        "an alias changes how the rest is read; write a function; line 1"
    )


def test_options_of_zsh_may_change_what_a_quote_is() -> None:
    assert fitted("setopt err_exit; set -euo pipefail; echo X", "zsh")
    assert "'setopt rcquotes' may change" in not_followed("setopt rcquotes\necho X", "zsh")


def test_a_name_among_the_arguments_is_only_a_word() -> None:
    assert fitted("git add . X") == 'git add . "${X}"'


@pytest.mark.parametrize(
    "script", ["[ X -eq 1 ]", "[ -t X ]", "shift X", "printf %d X", "print -P X", "print -r X", "return X"]
)
def test_shells_differ_about_what_is_evaluated(script: str) -> None:
    assert fitted(script, "sh")
    assert refused(script, "ksh")


def test_print_takes_values_after_its_options() -> None:
    assert fitted("print -r -- X", "zsh") == 'print -r -- "${X}"'
