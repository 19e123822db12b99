"""Words, and the comments between them."""

from __future__ import annotations

import pytest

from dagrun.language.scripts import SubstitutedScript, substitute
from tests.unit.language.scripts.helpers import not_followed, refused, substituted


def test_a_comment_keeps_its_text_and_needs_no_variable() -> None:
    script = "# don't ${{ tasks.gone.outputs.x }}\necho \"it's\" # ${{ not even\nsyntax }}\n"
    assert substitute(script, "sh") == SubstitutedScript(script.replace("even\nsyntax", "even syntax"), ())


@pytest.mark.parametrize("script", ["a[X]=1", "a[$(f X)]=1"])
def test_a_subscript_is_refused(script: str) -> None:
    assert refused(script) == "a subscript is arithmetic, which may execute parts of a value"


def test_an_array_contains_words() -> None:
    assert substituted('a=(b # c\nX "X")') == 'a=(b # c\n"${X}" "${X}")'
    assert substituted("a=( ) b=X")
    assert not_followed("cat <<E; a=(\n)\nX\nE") == "a list comes before the body of the heredoc 'E'"


def test_a_value_in_a_pattern_in_parentheses_is_refused() -> None:
    assert refused("ls @(a|X)") == "a pattern in parentheses is not understood"
    assert not_followed("ls @(a\nX)") == "the parenthesis on line 1 is not understood"


def test_a_missing_word_is_an_error() -> None:
    assert not_followed("echo >\nX") == "a word is missing on line 1"
