"""Statements, pipelines and commands."""

from __future__ import annotations

import pytest

from dagrun.language.scripts import ScriptProblems, fit
from tests.unit.language.scripts.helpers import fitted, not_followed, refused


@pytest.mark.parametrize(
    ("script", "becomes"),
    [
        ('f X "$@"', 'f "${X}" "$@"'),
        ("x=$(case X in a) echo X;; esac)", 'x=$(case "${X}" in a) echo "${X}";; esac)'),
    ],
)
def test_a_reference_is_fitted_to_its_place(script: str, becomes: str) -> None:
    assert fitted(script) == becomes


@pytest.mark.parametrize(
    "script",
    [
        "if f X; then f X; elif f X; then f X; else f X; fi", "while f X; do f X; done", "for x in X; do f X; done", "for x do f X; done",
        "for ((i = 0; i < 1; i++)); do f X; done", "for x in a; { f X; }", "{ f X; } >X", "(f X)", "f() { f X; }", "function f { f X; }",
        "[[ -n X && ( X == X ) ]]", "f X && f X || ! f X; f X & f X", "case X in (a|b) f X;; X) f X;& *) f X; esac",
    ],
)  # fmt: skip
def test_commands_may_hold_others(script: str) -> None:
    assert fitted(script) == script.replace("X", '"${X}"')


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("X", "it would be the name of a command"),
        ("if X; then X; fi", "it would be the name of a command"),
        ("! X && X | X & X", "it would be the name of a command"),
        ("A=1 >f X", "it would be the name of a command"),
        ("((X))", "arithmetic runs what it finds in a value"),
        ("[[ X -gt 1 ]]", "it is read as arithmetic, which runs what it finds in a value"),
        ("X() { :; }", "this is the name of a function"),
        ("for X in a; do :; done", "this is the name of a variable"),
        ("bash <<< X", "the command runs what it reads as code"),
        ("python - <<E\nX\nE", "the command runs what it reads as code"),
        ("cat <<E | bash\nX\nE", "the next command of this pipeline runs what it reads as code"),
        ("echo X | sudo sh", "the next command of this pipeline runs what it reads as code"),
        ("echo X | xargs -I{} sh -c {}", "the next command of this pipeline runs what it reads as code"),
    ],
)
def test_a_refusal_says_why(script: str, why: str) -> None:
    assert refused(script) == why


@pytest.mark.parametrize(
    ("script", "where"),
    [
        ("echo; )\nX", "')' on line 1 closes nothing"),
        ("\nfi; X", "unexpected 'fi' on line 2"),
        ("if a; f X", "'then' is expected on line 1"),
        ("(echo X", "the parenthesis on line 1 is not closed"),
        ("[[ a; X", "'[[' before line 1 is not closed"),
        ("case a in b) c\n) X", "the case before line 2 is not closed"),
        ("a b() X", "unexpected '(' on line 1"),
        ("| X", "a command is missing on line 1"),
    ],
)
def test_a_wrong_script_is_not_followed(script: str, where: str) -> None:
    assert not_followed(script) == where


def test_not_every_sh_has_double_parentheses() -> None:
    assert not_followed("((1)); f X", "sh") == "'((' on line 1 is not read alike by every sh"
    assert fitted("((1)); f X", "ksh")


def test_repeat_is_a_command_of_zsh() -> None:
    assert refused("repeat X do echo; done", "zsh") == "arithmetic runs what it finds in a value"
    assert fitted("repeat 2 { echo X; }", "zsh") == 'repeat 2 { echo "${X}"; }'


def test_what_was_finished_before_an_open_quote_is_not_blamed() -> None:
    text = 'echo ${{ params.a }}\necho "${{ params.b }}'
    with pytest.raises(ScriptProblems) as caught:
        fit(text, "sh")
    assert [error.offset for error in caught.value.errors] == [text.rindex("${{")]


@pytest.mark.parametrize(
    "script", ["(\\\n(x = X))", "{\\\n X; }", "i\\\nf X; then a; fi", "a[1 + 1]=1 eval X", "$\\\n{a} X"]
)
def test_words_over_two_lines_and_open_brackets_are_not_guessed_at(script: str) -> None:
    assert not_followed(script)
