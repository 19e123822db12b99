"""Groups of indexes that belong together."""

from __future__ import annotations

from collections.abc import Iterable


def united(size: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """For each index below `size` the one that represents its group. Both indexes of a pair are in the same group."""
    leaders = list(range(size))

    def leader(i: int) -> int:
        while leaders[i] != i:
            leaders[i] = i = leaders[leaders[i]]
        return i

    for one, other in pairs:
        leaders[leader(other)] = leader(one)
    return [leader(i) for i in range(size)]
