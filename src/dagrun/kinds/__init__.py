"""What a task can do: one file per kind; this table is the whole list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagrun.core.model import Action, Task
from dagrun.kinds import approval, container, noop, notify, shell, subdag, wait, workflow
from dagrun.kinds.kind import Kind

#: By name. Where a task has keys of several kinds, it is of the last of these: an image with a script is a container.
KINDS: dict[str, Kind[Any]] = {
    kind.name: kind
    for kind in (
        workflow.KIND, shell.KIND, container.KIND, approval.KIND, wait.KIND, subdag.KIND, notify.KIND, noop.KIND,
    )
}  # fmt: skip


def kind_of(task: Task) -> Kind[Any]:
    """The kind of a task."""
    return KINDS[task.action.kind]


def workflow_of(task: Task) -> str | None:
    """The registered workflow that a task calls, if it calls one."""
    return kind_of(task).workflow(task.action)


def child_of(task: Task) -> str | None:
    """The DAG that a task runs as a child run, as it is written, if it runs one."""
    return kind_of(task).child(task.action)


def action_keys() -> tuple[str, ...]:
    """The keys of a task that say what it does."""
    return tuple(key for kind in KINDS.values() if kind.is_for_tasks for key in kind.keys)


def hook_keys() -> tuple[str, ...]:
    """The keys of a hook that say what it does."""
    return tuple(key for kind in KINDS.values() if kind.is_for_hooks for key in kind.keys)


def read_action(words: Mapping[str, Any]) -> Action:
    """The action that the keys of a task make, from their values by name; without any it does nothing."""
    for kind in reversed(KINDS.values()):
        for key in kind.keys:
            if words.get(key) is not None:
                action: Action = kind.read(words)
                return action
    return noop.NoAction()
