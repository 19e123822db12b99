"""Statements, pipelines and commands."""

from __future__ import annotations

import pytest

from dagrun.language.scripts import ScriptProblems, substitute
from tests.unit.language.scripts.helpers import not_followed, refused, substituted


@pytest.mark.parametrize(
    ("script", "becomes"),
    [
        ('f X "$@"', 'f "${X}" "$@"'),
        ("x=$(case X in a) echo X;; esac)", 'x=$(case "${X}" in a) echo "${X}";; esac)'),
    ],
)
def test_a_reference_is_quoted_for_its_context(script: str, becomes: str) -> None:
    assert substituted(script) == becomes


@pytest.mark.parametrize(
    "script",
    [
        "if f X; then f X; elif f X; then f X; else f X; fi", "while f X; do f X; done", "for x in X; do f X; done", "for x do f X; done",
        "for ((i = 0; i < 1; i++)); do f X; done", "for x in a; { f X; }", "{ f X; } >X", "(f X)", "f() { f X; }", "function f { f X; }",
        "[[ -n X && ( X == X ) ]]", "f X && f X || ! f X; f X & f X", "case X in (a|b) f X;; X) f X;& *) f X; esac",
    ],
)  # fmt: skip
def test_commands_may_contain_others(script: str) -> None:
    assert substituted(script) == script.replace("X", '"${X}"')


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("X", "it would be the name of a command"),
        ("if X; then X; fi", "it would be the name of a command"),
        ("! X && X | X & X", "it would be the name of a command"),
        ("A=1 >f X", "it would be the name of a command"),
        ("((X))", "arithmetic may execute parts of a value"),
        ("[[ X -gt 1 ]]", "it is read as arithmetic, which may execute parts of a value"),
        ("X() { :; }", "this is the name of a function"),
        ("for X in a; do :; done", "this is the name of a variable"),
        ("bash <<< X", "the command executes its input as code"),
        ("python - <<E\nX\nE", "the command executes its input as code"),
        ("cat <<E | bash\nX\nE", "the next command of this pipeline executes its input as code"),
        ("echo X | sudo sh", "the next command of this pipeline executes its input as code"),
        ("echo X | xargs -I{} sh -c {}", "the next command of this pipeline executes its input as code"),
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
def test_the_scanner_gives_up_at_a_syntax_error(script: str, where: str) -> None:
    assert not_followed(script) == where


def test_double_parentheses_are_not_read_in_sh() -> None:
    assert not_followed("((1)); f X", "sh") == "shells called sh read '((' on line 1 differently"
    assert substituted("((1)); f X", "ksh")


def test_repeat_is_a_command_of_zsh() -> None:
    assert refused("repeat X do echo; done", "zsh") == "arithmetic may execute parts of a value"
    assert substituted("repeat 2 { echo X; }", "zsh") == 'repeat 2 { echo "${X}"; }'


def test_statements_before_an_open_quote_are_not_refused() -> None:
    text = 'echo ${{ params.a }}\necho "${{ params.b }}'
    with pytest.raises(ScriptProblems) as caught:
        substitute(text, "sh")
    assert [error.offset for error in caught.value.errors] == [text.rindex("${{")]


@pytest.mark.parametrize(
    "script", ["(\\\n(x = X))", "{\\\n X; }", "i\\\nf X; then a; fi", "a[1 + 1]=1 eval X", "$\\\n{a} X"]
)
def test_the_scanner_does_not_guess_about_split_words_and_open_brackets(script: str) -> None:
    assert not_followed(script)
