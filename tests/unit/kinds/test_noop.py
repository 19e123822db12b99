"""The kind `noop`: nothing to run."""

from __future__ import annotations

from dagrun.core.work import Nothing
from dagrun.kinds import KINDS, read_action
from dagrun.kinds.kind import PreparedBody
from dagrun.kinds.noop import NoAction
from tests.unit.kinds.harness import start


def test_its_body_is_nothing() -> None:
    assert start(NoAction()) == PreparedBody(Nothing())


def test_a_task_without_a_key_of_a_kind_is_one() -> None:
    assert read_action({}) == read_action({"run": None, "shell": "bash"}) == NoAction()


def test_it_has_no_texts_and_cannot_fail_by_itself() -> None:
    assert not NoAction().texts()
    assert [name for name, kind in KINDS.items() if not kind.can_fail] == ["noop"]


def test_its_label_is_its_name() -> None:
    assert KINDS["noop"].label(NoAction()) == "noop"
