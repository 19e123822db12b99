"""Texts that are found in another, compared with a search at every place."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from dagrun.masking.finding import Finder

TEXTS = st.lists(st.text(alphabet="ab", min_size=4, max_size=14), min_size=1, max_size=4)


def spans(texts: list[str], data: str, before: int) -> list[tuple[int, int]]:
    """What the texts cover that begin before `before`."""
    found: list[tuple[int, int]] = []
    for start in range(before):
        ends = [start + len(text) for text in texts if data.startswith(text, start)]
        if not ends:
            continue
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], *ends))
        else:
            found.append((start, max(ends)))
    return found


def unfinished(texts: list[str], data: str) -> int:
    """Where the first text begins that the end may have cut off."""
    starts = (
        at
        for at in range(len(data))
        if any(len(text) > len(data) - at and text.startswith(data[at:]) for text in texts)
    )
    return next(starts, len(data))


@given(TEXTS, st.text(alphabet="abc", max_size=60))
def test_all_that_the_texts_cover_is_found(texts: list[str], data: str) -> None:
    assert Finder(texts).spans(data) == spans(texts, data, len(data))


@given(TEXTS, st.text(alphabet="abc", max_size=40))
def test_bytes_are_found_as_text_is(texts: list[str], data: str) -> None:
    found = Finder([text.encode() for text in texts])
    assert found.spans(data.encode()) == spans(texts, data, len(data))
    assert found.unfinished(data.encode()) == unfinished(texts, data)


@given(TEXTS, st.text(alphabet="abc", max_size=60))
def test_the_beginning_of_a_text_at_the_end_is_found(texts: list[str], data: str) -> None:
    finder = Finder(texts)
    assert finder.unfinished(data) == unfinished(texts, data)
    for text in texts:
        for length in range(1, len(text)):
            assert finder.unfinished(data + text[:length]) == unfinished(texts, data + text[:length])


def test_a_long_text_that_repeats_itself_costs_little() -> None:
    begun = time.perf_counter()
    for text in ("a" * 40_000, "ab" * 20_000):
        data = text * 2
        assert Finder([text]).spans(data) == [(0, len(data))]
        assert Finder([text]).unfinished(data) < len(data)
    assert time.perf_counter() - begun < 60
