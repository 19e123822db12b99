"""The names of hooks, and which of them run after which outcome."""

from __future__ import annotations

import pytest

from dagrun.core.hooks import due, due_late, id_of, is_hook, name_of_id, node_of
from dagrun.core.model import Dag, Hook
from dagrun.core.outcomes import RunStatus
from tests.unit.harness import task


def dag(*names: str) -> Dag:
    """A DAG with these hooks; those of the project begin with `project.`."""
    hooks = tuple(
        Hook(on=name.removeprefix("project.").partition(".")[0], task=task(id_of(name)), of_project="project" in name)
        for name in names
    )  # fmt: skip
    return Dag(name="d", tasks=(task("a"),), hooks=hooks)


def test_the_documents_hooks_come_before_those_of_the_project_and_on_exit_after_the_outcome() -> None:
    many = dag("project.on_exit", "on_exit", "on_failure", "on_failure.2", "on_success", "project.on_failure")
    expected = ["on_failure", "on_failure.2", "on_exit", "project.on_failure", "project.on_exit"]
    assert due(many, RunStatus.FAILED) == due(many, RunStatus.PARTIAL) == expected
    assert due(many, RunStatus.SUCCESS) == ["on_success", "on_exit", "project.on_exit"]
    assert due(many, RunStatus.CANCELLED) == ["on_exit", "project.on_exit"]
    assert due_late(dag("on_late", "on_exit")) == ["on_late"]


def test_a_hook_is_a_node_outside_of_the_graph() -> None:
    node = node_of(dag("on_exit", "on_cancel"), "on_cancel")
    assert (node.index, node.needs, node.task.id) == (-2, (), "hook:on_cancel")
    assert (is_hook(node.task.id), is_hook("on_cancel"), name_of_id(node.task.id)) == (
        True,
        False,
        "on_cancel",
    )
    with pytest.raises(LookupError):
        node_of(dag(), "on_exit")
