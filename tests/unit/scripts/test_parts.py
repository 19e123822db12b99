"""What is known of a word before the script runs."""

from __future__ import annotations

from dagrun.scripts.parts import Word


def test_text_after_what_is_not_known_is_no_part_of_the_beginning() -> None:
    word = Word(0)
    word.add("--a=")
    word.fixed = False
    word.add("b")
    assert (word.value, word.lead, word.known) == (None, "--a=", "--a=b")


def test_a_word_that_is_known_has_a_value() -> None:
    word = Word(0)
    word.add("a")
    word.add("b")
    assert word.value == "ab"


def test_a_word_is_open_if_a_value_begins_it() -> None:
    assert Word(0, holes=1).is_open
    assert not Word(0, holes=1, lead="a").is_open
    assert not Word(0).is_open
