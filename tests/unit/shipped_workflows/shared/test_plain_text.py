"""White space, length, counts and sentences of plain text."""

from __future__ import annotations

from dagrun.shipped_workflows.shared.plain_text import cell, count, shorten, split_sentences, squeeze


def test_white_space_is_squeezed() -> None:
    assert squeeze(" a\n\t b ") == "a b"


def test_a_long_text_is_shortened_between_words() -> None:
    assert shorten("one two three four", 12) == "one two..."
    assert shorten("short", 12) == "short"
    assert len(shorten("x" * 40, 12)) == 12


def test_a_count_has_the_right_plural() -> None:
    assert [count(1, "mail"), count(2, "mail"), count(0, "entry", "entries")] == [
        "1 mail",
        "2 mails",
        "0 entries",
    ]


def test_a_cell_escapes_the_bar() -> None:
    assert cell("a | b") == "a \\| b"


def test_an_abbreviation_does_not_end_a_sentence() -> None:
    text = "Ask Dr. Lee, e.g. today. Then call J. Doe! Done?"
    assert [sentence for _, sentence in split_sentences(text)] == [
        "Ask Dr. Lee, e.g. today.",
        "Then call J. Doe!",
        "Done?",
    ]


def test_a_sentence_has_its_offset() -> None:
    assert list(split_sentences("Hi.  You.")) == [(0, "Hi."), (5, "You.")]
