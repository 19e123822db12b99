"""The collector is paused while a document is built, and only then."""

from __future__ import annotations

import gc
import weakref

import pytest

from dagrun.process.gc_pause import PAUSES_PER_COLLECTION, resting


def test_it_runs_again_after_the_outermost_block() -> None:
    with resting():
        with resting():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_runs_again_after_an_error() -> None:
    with pytest.raises(KeyError), resting():
        raise KeyError
    assert gc.isenabled()


def test_objects_of_the_block_count_as_old() -> None:
    with resting():
        kept = [[] for _ in range(5000)]  # type: ignore[var-annotated]
    assert gc.get_count()[0] < 5000
    assert len(kept) == 5000


def test_garbage_in_cycles_does_not_stay_for_ever() -> None:
    class Node:
        own: Node

    node = Node()
    node.own = node
    left = weakref.ref(node)
    with resting():
        del node
    for _ in range(PAUSES_PER_COLLECTION):
        with resting():
            pass
    assert left() is None
