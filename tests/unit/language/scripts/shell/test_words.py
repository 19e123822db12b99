"""Words, and the comments between them."""

from __future__ import annotations

import pytest

from dagrun.language.scripts import Fitted, fit
from tests.unit.language.scripts.helpers import fitted, not_followed, refused


def test_a_comment_keeps_its_text_and_asks_for_no_variable() -> None:
    script = "# don't ${{ tasks.gone.outputs.x }}\necho \"it's\" # ${{ not even\nsyntax }}\n"
    assert fit(script, "sh") == Fitted(script.replace("even\nsyntax", "even syntax"), ())


@pytest.mark.parametrize("script", ["a[X]=1", "a[$(f X)]=1"])
def test_a_subscript_is_refused(script: str) -> None:
    assert refused(script) == "a subscript is arithmetic, which runs what it finds in a value"


def test_an_array_holds_words() -> None:
    assert fitted('a=(b # c\nX "X")') == 'a=(b # c\n"${X}" "${X}")'
    assert fitted("a=( ) b=X")
    assert not_followed("cat <<E; a=(\n)\nX\nE") == "a list stands before the heredoc 'E'"


def test_a_pattern_in_parentheses_is_not_read() -> None:
    assert refused("ls @(a|X)") == "a pattern in parentheses is not understood"
    assert not_followed("ls @(a\nX)") == "the parenthesis on line 1 is not understood"


def test_a_word_may_be_missing() -> None:
    assert not_followed("echo >\nX") == "a word is missing on line 1"
