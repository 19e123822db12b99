"""Finds the texts of a fixed set in another text, including overlapping ones.

Each text is searched for separately: at several gigabytes per second that is faster than one pass in Python for all.
Memory is linear in the length of the texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import AnyStr, Generic

_HEAD = 8  # characters of a text that are compared first


class Finder(Generic[AnyStr]):
    """Finds texts, or bytes."""

    def __init__(self, texts: Iterable[AnyStr]) -> None:
        self._texts: list[AnyStr] = sorted(set(texts), key=len, reverse=True)
        self._starts: set[AnyStr] = {
            text[:length] for text in self._texts for length in range(1, min(_HEAD, len(text)))
        }

    def spans(self, data: AnyStr, before: int | None = None) -> list[tuple[int, int]]:
        """Starts and ends of the texts that begin before `before`. Overlapping texts are one span."""
        end = len(data) if before is None else before
        merged: list[tuple[int, int]] = []
        for each in sorted(span for text in self._texts for span in _occurrences(data, text, end)):
            if merged and each[0] < merged[-1][1]:
                merged[-1] = merged[-1][0], max(each[1], merged[-1][1])
            else:
                merged.append(each)
        return merged

    def unfinished(self, data: AnyStr) -> int:
        """Where the first text begins that may continue after the end of `data`; the length when there is none."""
        end = len(data)
        longest = min(_HEAD - 1, end)
        found = next(
            (end - left for left in range(longest, 0, -1) if data[end - left :] in self._starts), end
        )
        for text in self._texts:
            head, at = text[:_HEAD], max(0, end - len(text) + 1)
            while (at := data.find(head, at, min(end, found + _HEAD))) >= 0 and at < found:
                if text.startswith(data[at:]):
                    found = at
                at += 1
        return found


def _occurrences(data: AnyStr, text: AnyStr, before: int) -> Iterator[tuple[int, int]]:
    """Occurrences that begin before `before`; some within other occurrences are left out."""
    at, step = data.find(text), 1
    while 0 <= at < before:
        yield at, at + len(text)
        if data.startswith(
            text, at + step
        ):  # a text that repeats itself, where a search would start again each time
            at += step
        else:
            following = data.find(text, at + 1)
            step = following - at if at < following < at + len(text) else 1
            at = following
