"""Unquoted numbers whose text is lost."""

from __future__ import annotations

from dagrun.documents.yaml import Source, changed_numbers


def warnings(text: str) -> list[str]:
    source = Source.inline(text)
    return [f"{each.place.line} {each.message}" for each in changed_numbers(source, source.load(), ())]


def test_a_number_that_is_written_differently_is_reported() -> None:
    assert warnings("a: 3.10\nb: [0644, {c: 1e3}]\n") == [
        "1 3.10 becomes the number 3.1",
        "2 0644 becomes the number 644",
        "2 1e3 becomes the number 1000.0",
    ]


def test_other_values_are_not_reported() -> None:
    assert warnings("a: 3.1\nb: '3.10'\nc: true\nd: 7\n") == []
