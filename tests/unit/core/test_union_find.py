"""Groups of indexes that belong together."""

from __future__ import annotations

from dagrun.core.union_find import united


def test_pairs_that_share_an_index_are_one_group() -> None:
    found = united(6, [(0, 1), (3, 4), (1, 2)])
    assert found[0] == found[1] == found[2]
    assert found[3] == found[4]
    assert len(set(found)) == 3


def test_without_pairs_every_index_is_alone() -> None:
    assert united(3, []) == [0, 1, 2]


def test_a_long_chain_of_pairs_is_one_group() -> None:
    assert len(set(united(50_000, [(i, i + 1) for i in range(49_999)]))) == 1
