"""What is known of a word before the script runs."""

from __future__ import annotations

import pytest

from dagrun.language.scripts.parts import Word


def test_text_after_what_is_not_known_is_no_part_of_the_beginning() -> None:
    word = Word(0)
    word.add("--a=")
    word.fixed = False
    word.add("b")
    word.close()
    assert (word.value, word.lead, word.known) == (None, "--a=", "--a=b")


def test_a_word_that_is_known_has_a_value() -> None:
    word = Word(0)
    word.add("a")
    word.add("b")
    word.close()
    assert word.value == "ab"


def test_a_word_is_open_if_a_value_begins_it() -> None:
    assert Word(0, holes=1).is_open
    assert not Word(0, holes=1, lead="a").is_open
    assert not Word(0).is_open


@pytest.mark.parametrize("raw", ["$a", "$(f)", '"$@"', '"${a[@]}"'])
def test_an_expansion_may_come_to_no_word(raw: str) -> None:
    assert Word(0, raw=raw, fixed=False, plain=not raw.startswith('"')).may_vanish


@pytest.mark.parametrize(
    "word",
    [
        Word(0, raw="a", known="a"),
        Word(0, raw='"$a"', fixed=False, plain=False),
        Word(0, raw="a$b", known="a", fixed=False),
        Word(0, raw="\0", fixed=False, is_piece=True),
    ],
)
def test_a_word_with_a_text_or_in_quotes_remains(word: Word) -> None:
    assert not word.may_vanish
