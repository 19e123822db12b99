"""The kind `noop`: nothing to run, and a word for it."""

from __future__ import annotations

from dagrun.core.model import NoAction
from dagrun.core.work import Nothing
from dagrun.kinds import KINDS, kind_of
from dagrun.registry import Registry
from tests.unit.harness import task


def test_the_body_of_a_noop_is_nothing() -> None:
    each = task("a", action=NoAction())
    assert kind_of(each).body(each.action, Registry(), lambda value: value) == (Nothing(), {})


def test_its_label_is_its_name() -> None:
    assert KINDS["noop"].label(NoAction()) == "noop"
