"""The hooks of a DAG: their names, and which of them run after which outcome."""

from __future__ import annotations

from collections.abc import Mapping

from dagrun.core.graph import Node
from dagrun.core.model import Dag, Hook
from dagrun.core.outcomes import RunStatus

#: The key of `hooks` for each outcome. `on_exit` is for all of them.
OUTCOMES: Mapping[RunStatus, str] = {
    RunStatus.SUCCESS: "on_success",
    RunStatus.FAILED: "on_failure",
    RunStatus.PARTIAL: "on_failure",
    RunStatus.CANCELLED: "on_cancel",
}
ON_EXIT = "on_exit"
#: For a run that is late, while it goes on.
ON_LATE = "on_late"
#: The keys of `hooks`.
KEYS = (*dict.fromkeys(OUTCOMES.values()), ON_EXIT, ON_LATE)
#: For events that have no run: only the project has these hooks, and a scheduler runs them.
ON_INTERRUPTED = "on_interrupted"
ON_SCHEDULE_ERROR = "on_schedule_error"
SCHEDULER_KEYS = (ON_INTERRUPTED, ON_SCHEDULE_ERROR)
_PREFIX = "hook:"


def id_of(name: str) -> str:
    """The id of the task of a hook: executors and logs know hooks by it."""
    return f"{_PREFIX}{name}"


def name_of_id(task_id: str) -> str:
    """The inverse of `id_of`."""
    return task_id.removeprefix(_PREFIX)


def name_of(hook: Hook) -> str:
    """The name of a hook: its key; with a number if there are several; for those of the project after `project.`."""
    return name_of_id(hook.task.id)


def is_hook(task_id: str) -> bool:
    """Whether this is the id of a hook, and not of a task."""
    return task_id.startswith(_PREFIX)


def due(dag: Dag, status: RunStatus) -> list[str]:
    """The names of the hooks that run after this outcome, in order: the document's, then those of the project."""
    return _names(dag, OUTCOMES[status], ON_EXIT)


def due_late(dag: Dag) -> list[str]:
    """The names of the hooks that run when the run is late."""
    return _names(dag, ON_LATE)


def _names(dag: Dag, *keys: str) -> list[str]:
    ordered = [
        hook for project in (False, True) for key in keys for hook in dag.hooks
        if hook.on == key and hook.of_project is project
    ]  # fmt: skip
    return [name_of(hook) for hook in ordered]


def node_of(dag: Dag, name: str) -> Node:
    """A hook as a node outside of the graph: its index is negative. Raises LookupError."""
    for i, hook in enumerate(dag.hooks):
        if name_of(hook) == name:
            return Node(-1 - i, hook.task, (), ())
    raise LookupError(name)
