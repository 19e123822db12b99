"""What is known about a word before the script runs."""

from __future__ import annotations

import pytest

from dagrun.language.scripts.parts import Word


def test_text_after_an_unknown_part_does_not_belong_to_the_start() -> None:
    word = Word(0)
    word.add("--a=")
    word.fixed = False
    word.add("b")
    word.close()
    assert (word.value, word.lead, word.known) == (None, "--a=", "--a=b")


def test_a_known_word_has_a_value() -> None:
    word = Word(0)
    word.add("a")
    word.add("b")
    word.close()
    assert word.value == "ab"


def test_a_word_may_start_with_a_placeholder() -> None:
    assert Word(0, placeholders=1).starts_with_placeholder
    assert not Word(0, placeholders=1, lead="a").starts_with_placeholder
    assert not Word(0).starts_with_placeholder


@pytest.mark.parametrize("raw", ["$a", "$(f)", '"$@"', '"${a[@]}"'])
def test_an_expansion_may_result_in_no_word(raw: str) -> None:
    assert Word(0, raw=raw, fixed=False, plain=not raw.startswith('"')).may_expand_to_nothing


@pytest.mark.parametrize(
    "word",
    [
        Word(0, raw="a", known="a"),
        Word(0, raw='"$a"', fixed=False, plain=False),
        Word(0, raw="a$b", known="a", fixed=False),
        Word(0, raw="\0", fixed=False, has_own_placeholder=True),
    ],
)
def test_a_word_with_text_or_quotes_never_expands_to_nothing(word: Word) -> None:
    assert not word.may_expand_to_nothing
