"""What is known about the placeholders of a text."""

from __future__ import annotations

from dagrun.language.scripts.placeholders import Context, Placeholders, Quoting

UNKNOWN = Context(Quoting.REFUSED, "unknown")


def test_an_unknown_placeholder_is_refused() -> None:
    placeholders = Placeholders("a\0b\0")
    placeholders.quote(0, 2, Quoting.BARE)
    assert placeholders.contexts("unknown") == [Context(Quoting.BARE), UNKNOWN]


def test_the_first_statement_wins_and_a_refusal_wins_over_a_quoting() -> None:
    placeholders = Placeholders("\0\0")
    placeholders.quote(0, 2, Quoting.DOUBLE)
    placeholders.quote(0, 2, Quoting.BARE)
    placeholders.refuse(1, 2, "first")
    placeholders.refuse(1, 2, "second")
    assert placeholders.contexts("unknown") == [Context(Quoting.DOUBLE), Context(Quoting.REFUSED, "first")]


def test_the_end_of_a_part_is_exclusive() -> None:
    assert Placeholders("\0a\0").between(0, 2) == [0]
