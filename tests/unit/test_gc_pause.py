"""The collector rests while a document is built, and only then."""

from __future__ import annotations

import gc

import pytest

from dagrun.gc_pause import paused


def test_it_works_again_after_the_outermost_block() -> None:
    with paused():
        with paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_works_again_after_an_error() -> None:
    with pytest.raises(KeyError), paused():
        raise KeyError
    assert gc.isenabled()


def test_what_was_built_is_old() -> None:
    with paused():
        kept = [[] for _ in range(5000)]  # type: ignore[var-annotated]
    assert gc.get_count()[0] < 5000
    assert len(kept) == 5000
