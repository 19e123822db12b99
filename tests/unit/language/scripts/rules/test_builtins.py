"""Arguments that builtins of shells evaluate."""

from __future__ import annotations

import pytest

from dagrun.language.scripts import ScriptProblems
from tests.unit.language.scripts.helpers import not_followed, refused, substituted


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("eval X", "'eval' executes it as code"),
        ('command eval "echo X"', "'eval' executes it as code"),
        ("'ev'al X", "'eval' executes it as code"),
        ("A=1 eval X", "'eval' executes it as code"),
        ("! eval X", "'eval' executes it as code"),
        ("$DRY eval X", "'eval' executes it as code"),
        ("${a}eval X", "'eval' executes it as code"),
        ("trap X EXIT", "'trap' executes it as code"),
        ("source <(f X)", "'source' executes it as code"),
        ("read X", "'read' reads it as the name of a variable, which may contain code"),
        ("printf -v X a", "'printf -v' reads it as the name of a variable, which may contain code"),
        ("[ -v X ]", "'test' reads it as the name of a variable, which may contain code"),
        ("[[ -v X ]]", "'[[' reads it as the name of a variable, which may contain code"),
        ("declare -i n=X", "'declare' with a type evaluates the value"),
        ("let X", "it is read as arithmetic, which may execute parts of a value"),
        ("$'\\x65val' X", "'eval' executes it as code"),
        ("$'\\cAval' X", "the name of the command is not certain: it has braces or escapes"),
        ("{eval,a} X", "the name of the command is not certain: it has braces or escapes"),
        (
            "printf {-v,a} X",
            "'printf' may receive other arguments than the script shows: some have braces or escapes",
        ),
        ("ev\\\nal X", "'eval' executes it as code"),
        ("command -p eval X", "'eval' executes it as code"),
        ("${a:-eval} X", "'eval' executes it as code"),
        ("exec -a b eval X", "'eval' executes it as code"),
        ("time -p eval X", "'eval' executes it as code"),
        ('"$@" eval X', "'eval' executes it as code"),
        (
            "builtin X",
            "it would be the name of a command, or could be if the word before it is empty: quote that word",
        ),
        (
            "$CC X",
            "it would be the name of a command, or could be if the word before it is empty: quote that word",
        ),
        ("$(printf %s X) a", "it would be the name of a command"),
        ('"$(f X)"', "it would be the name of a command"),
        ("./X", "it would be the name of a command"),
        ("printf X", "'printf' could read it as an option; write printf '%s'"),
        ("printf %n X", "'%n' reads it as the name of a variable, which may contain code"),
        ("[ X X ]", "one of two values next to each other could be read as an operator"),
        ("wait X", "'wait' could read the value as an option that takes code; write -- before it"),
        ("wait -p X", "'wait -p' reads it as the name of a variable, which may contain code"),
        ("set X", "'set' could read the value as an option that takes code; write -- before it"),
        ("mapfile -C X a", "'mapfile' reads it as the name of a variable, which may contain code"),
        ("hash -p X ls", "'hash' executes it as code"),
        ("jobs -x X", "'jobs' executes it as code"),
    ],
)
def test_a_refused_argument_says_why(script: str, why: str) -> None:
    assert refused(script) == why


@pytest.mark.parametrize(
    "script",
    [
        'read -p "X? " x', "read -rp X x", "read -t X x", "printf %s X X", 'printf "a X"', "printf -- X", "set -- X",
        "command -v X", "exec >X", '"$CC" X', "cd X", "kill X", "[ X = X ]", "[ -n X ]", "export A=X", "wait -- X",
        "unknown X", "echo {a,X}", "sh -c 'a' X",
    ],
)  # fmt: skip
def test_a_harmless_argument_is_allowed(script: str) -> None:
    assert "${X}" in substituted(script)


def test_a_format_and_its_arguments_cannot_both_be_values() -> None:
    with pytest.raises(ScriptProblems, match="write printf '%s'"):
        substituted("printf aX X")


def test_values_after_an_alias_are_refused() -> None:
    assert substituted("echo X\nalias ll='ls -l'")
    assert not_followed("alias e=eval\ne X", "sh") == (
        "an alias changes how the rest of the script is read; write a function; line 1"
    )


def test_values_after_an_option_of_zsh_that_changes_quotes_are_refused() -> None:
    assert substituted("setopt err_exit; set -euo pipefail; echo X", "zsh")
    assert "'setopt rcquotes' may change" in not_followed("setopt rcquotes\necho X", "zsh")


def test_the_name_of_a_builtin_as_an_argument_is_only_a_word() -> None:
    assert substituted("git add . X") == 'git add . "${X}"'


@pytest.mark.parametrize(
    "script",
    [
        "[ X -eq 1 ]",
        "[ -t X ]",
        "shift X",
        "printf %d X",
        "print -P X",
        "print -r X",
        "return X",
        "stat X",
        "functions X",
        "float X",
    ],
)
def test_ksh_evaluates_what_sh_does_not(script: str) -> None:
    assert substituted(script, "sh")
    assert refused(script, "ksh")


def test_print_takes_values_after_its_options() -> None:
    assert substituted("print -r -- X", "zsh") == 'print -r -- "${X}"'
