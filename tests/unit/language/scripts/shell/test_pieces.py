"""Quotes, escapes and expansions."""

from __future__ import annotations

import pytest

from tests.unit.language.scripts.helpers import not_followed, refused, substituted


@pytest.mark.parametrize(
    ("script", "becomes"),
    [
        ("echo X", 'echo "${X}"'),
        ('echo "a X"', 'echo "a ${X}"'),
        ("echo 'a X'", "echo 'a '\"${X}\"''"),
        ('echo "$(f X "X")"', 'echo "$(f "${X}" "${X}")"'),
    ],
)
def test_a_reference_is_quoted_for_its_context(script: str, becomes: str) -> None:
    assert substituted(script) == becomes


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo $((X))", "arithmetic may execute parts of a value"),
        ("echo $[X]", "arithmetic may execute parts of a value"),
        ("echo `X`", "backticks parse their text twice; write $(..)"),
        ("echo $'X'", "$'..' cannot contain a reference to a variable"),
        ("echo ${a:-X}", "inside ${..} a value would become part of the expansion"),
        ("\\X", "the backslash before it would escape the quote"),
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
        ("echo $'a X", "$'..' on line 1 is never closed, or shells read it differently"),
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
def test_values_after_text_that_is_not_understood_are_refused(script: str, where: str) -> None:
    assert not_followed(script) == where


@pytest.mark.parametrize("word", ["'\n'", '"\n"', "`\n`", "$'\n'", "$(\n)", "${a:-\n}", "$((\n1))", "<(\n)"])
def test_a_line_break_inside_a_word_before_a_heredoc_is_refused(word: str) -> None:
    assert (
        not_followed(f"cat <<E {word}\nX\nE")
        == "a line break in quotes comes before the body of the heredoc 'E'"
    )
    assert substituted("cat <<E \\\n a\nX\nE")


def test_escaped_ansi_quotes_are_not_read_in_sh() -> None:
    assert substituted("echo $'a\\'b' X")
    assert "shells read it differently" in not_followed("echo $'a\\'b' X", "sh")


def test_zsh_has_subscripts_without_braces() -> None:
    assert refused('echo "$a[X]"', "zsh") == "a subscript is arithmetic, which may execute parts of a value"
    assert substituted('echo "$a[X]"', "bash")
