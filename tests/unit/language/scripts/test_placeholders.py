"""What is known of the holes of a text."""

from __future__ import annotations

from dagrun.language.scripts.placeholders import Fit, Holes, Place

UNKNOWN = Place(Fit.REFUSED, "unknown")


def test_a_hole_of_which_nothing_is_known_is_refused() -> None:
    holes = Holes("a\0b\0")
    holes.fit(0, 2, Fit.BARE)
    assert holes.places("unknown") == [Place(Fit.BARE), UNKNOWN]


def test_what_was_said_first_stays_and_a_refusal_counts_more() -> None:
    holes = Holes("\0\0")
    holes.fit(0, 2, Fit.DOUBLE)
    holes.fit(0, 2, Fit.BARE)
    holes.refuse(1, 2, "first")
    holes.refuse(1, 2, "second")
    assert holes.places("unknown") == [Place(Fit.DOUBLE), Place(Fit.REFUSED, "first")]


def test_the_end_of_a_part_is_not_in_it() -> None:
    assert Holes("\0a\0").within(0, 2) == [0]
