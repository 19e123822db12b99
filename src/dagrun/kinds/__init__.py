"""What a task can do: one kind, one file; this table is the whole list."""

from __future__ import annotations

from collections.abc import Mapping

from dagrun.core.model import Task
from dagrun.kinds import container, noop, shell, workflow
from dagrun.kinds.kind import Kind

KINDS: Mapping[str, Kind] = {
    kind.name: kind for kind in (workflow.KIND, shell.KIND, container.KIND, noop.KIND)
}


def kind_of(task: Task) -> Kind:
    """The kind of a task."""
    return KINDS[task.kind]
