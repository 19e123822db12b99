"""Quotes, escapes, and what a dollar begins."""

from __future__ import annotations

import pytest

from tests.unit.language.scripts.helpers import fitted, not_followed, refused


@pytest.mark.parametrize(
    ("script", "becomes"),
    [
        ("echo X", 'echo "${X}"'),
        ('echo "a X"', 'echo "a ${X}"'),
        ("echo 'a X'", "echo 'a '\"${X}\"''"),
        ('echo "$(f X "X")"', 'echo "$(f "${X}" "${X}")"'),
    ],
)
def test_a_reference_is_fitted_to_its_quotes(script: str, becomes: str) -> None:
    assert fitted(script) == becomes


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo $((X))", "arithmetic runs what it finds in a value"),
        ("echo $[X]", "arithmetic runs what it finds in a value"),
        ("echo `X`", "backticks read their text twice; write $(..)"),
        ("echo $'X'", "$'..' cannot hold a reference"),
        ("echo ${a:-X}", "inside ${..} a value would be taken for a part of it"),
        ("\\X", "the backslash before it would take the quote"),
    ],
)
def test_a_refusal_says_why(script: str, why: str) -> None:
    assert refused(script) == why


@pytest.mark.parametrize(
    ("script", "where"),
    [
        ("echo don't X", "the quote ' on line 1 is never closed"),
        ("echo 'a X", "the quote ' on line 1 is never closed"),
        ('echo\necho "a X', 'the quote " on line 2 is never closed'),
        ("echo `a X", "the backtick on line 1 is never closed"),
        ("echo $'a X", "$'..' on line 1 is not read alike by every shell, or never closed"),
        ("echo $(f X", "the parenthesis on line 1 is not closed"),
        ("echo $((1; X", "the arithmetic on line 1 is not understood"),
        ("echo $((';X", "the arithmetic on line 1 is not understood"),
        ("echo $[$a] X", "the brackets on line 1 are not understood"),
        ("echo ${ X", "'${' on line 1 is not understood"),
        ("echo ${a X", "'${' on line 1 is never closed, or not understood"),
        ("echo \"${a'}'}\" X", "'${' on line 1 is never closed, or not understood"),
        ('echo "${a:-"}"}" X', "the quotes in '${' on line 1 are not understood"),
    ],
)
def test_after_what_is_not_understood_nothing_is_fitted(script: str, where: str) -> None:
    assert not_followed(script) == where


@pytest.mark.parametrize("word", ["'\n'", '"\n"', "`\n`", "$'\n'", "$(\n)", "${a:-\n}", "$((\n1))", "<(\n)"])
def test_a_line_does_not_break_in_a_word_before_a_heredoc(word: str) -> None:
    assert not_followed(f"cat <<E {word}\nX\nE") == "a line break in quotes stands before the heredoc 'E'"
    assert fitted("cat <<E \\\n a\nX\nE")


def test_escaped_ansi_quotes_are_not_in_every_shell() -> None:
    assert fitted("echo $'a\\'b' X")
    assert "not read alike" in not_followed("echo $'a\\'b' X", "sh")


def test_zsh_has_subscripts_without_braces() -> None:
    assert refused('echo "$a[X]"', "zsh") == "a subscript is arithmetic, which runs what it finds in a value"
    assert fitted('echo "$a[X]"', "bash")
