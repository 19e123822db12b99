"""Run ids: they sort by time, and are valid names."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.storage.run_store import is_run_id, new_run_id

MOMENTS = st.floats(0, 4e9)


def test_an_id_says_when() -> None:
    assert re.fullmatch(r"20251003-100000-800[0-9a-f]{3}", new_run_id(1_759_485_600.5))


@given(MOMENTS, MOMENTS)
def test_ids_sort_as_their_moments_do(one: float, other: float) -> None:
    early, late = sorted((one, other))
    if late - early > 0.001:
        assert new_run_id(early) < new_run_id(late)


@given(MOMENTS)
def test_an_id_is_always_one(moment: float) -> None:
    assert is_run_id(new_run_id(moment))
    assert len(new_run_id(moment)) == 22


def test_ids_of_one_moment_differ() -> None:
    assert len({new_run_id(0.0) for _ in range(20)}) > 15


@pytest.mark.parametrize("text", ["a", "Nightly-2_x.y", "0" * 128])
def test_what_may_name_a_run(text: str) -> None:
    assert is_run_id(text)


@pytest.mark.parametrize("text", ["", ".", "..", "../x", "a/b", "-a", "a b", "ä", "a\n", "0" * 129])
def test_what_may_not(text: str) -> None:
    assert not is_run_id(text)
