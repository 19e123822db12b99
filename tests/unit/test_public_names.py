"""The names that users import from `dagrun`."""

from __future__ import annotations

import pytest

import dagrun


def test_the_public_names_are_these() -> None:
    assert sorted(dagrun.__all__) == ["Result", "TaskContext", "workflow"]
    for name in dagrun.__all__:
        assert getattr(dagrun, name) is getattr(dagrun, name)


def test_other_names_are_missing() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'x'"):
        _ = dagrun.x
