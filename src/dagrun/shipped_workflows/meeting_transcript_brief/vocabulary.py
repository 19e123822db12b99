"""The content words of a sentence, and the overlap of two sentences."""

from __future__ import annotations

from functools import lru_cache

from dagrun.shipped_workflows.shared.pattern import Pattern

_WORD = Pattern(r"[^\W_]+(?:[-.][^\W_]+)*")
_COMMON_WORDS = """
    a about after again all also am an and any anyone are as at back be because been before but by can
    cannot could did do does doing done don each else even every everybody everyone for from further get
    gets getting go goes going good got had has have he her here him his how i if in into is it its just
    know let lets ll make makes me more most much my need needs next no nobody not now of off ok okay on
    once one only or other our out over own please put really right s said same say see she should so
    some somebody someone something still such sure t take than thank thanks that the their them then
    there these they thing this those though to today together tomorrow too under until up us ve very
    want was we well went were what when where whether which while who why will with would yes yet you
    your monday tuesday wednesday thursday friday saturday sunday week
"""
_COMMON = frozenset(_COMMON_WORDS.split())


@lru_cache(maxsize=20_000)
def content_words(text: str, without: frozenset[str] = frozenset()) -> frozenset[str]:
    """The words of the text that are not common ones, lower case and stemmed; a rough measure for overlaps.

    `without` are further lower-case words to leave out.
    """
    words = (match.group().lower() for match in _WORD.finditer(text.replace("'", " ").replace("’", " ")))
    left_out = _COMMON | without
    return frozenset(_stem(word) for word in words if len(word) > 1 and word not in left_out)


def _stem(word: str) -> str:
    """A rough stem: the same for rehearse, rehearsed and rehearsal; ids and numbers stay whole."""
    if any(char.isdigit() for char in word):
        return word
    for ending in ("ing", "ed", "s"):
        if len(word) > len(ending) + 2 and word.endswith(ending) and not word.endswith("ss"):
            word = word.removesuffix(ending)
            break
    return word[:6]


def overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """The share of the smaller set that is in the other set, 0 to 1."""
    return len(one & other) / min(len(one), len(other)) if one and other else 0.0
