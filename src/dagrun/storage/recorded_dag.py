"""The DAG of a run as a document, `dag.json`: what was run, whatever the file says by now."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from dagrun.core.graph import Graph
from dagrun.core.model import Action, Dag
from dagrun.core.variants import base_id
from dagrun.gc_pause import resting

if TYPE_CHECKING:
    from pydantic import RootModel, TypeAdapter

    from dagrun.kinds.kind import Kind


@cache
def _model() -> type[RootModel[Any]]:
    from pydantic import ConfigDict, RootModel  # 75 ms that listing runs and completing their ids do not need

    class Recorded(RootModel[Any]):
        # To pydantic an action is any value of that class: which kinds of actions there are is known to `dagrun.kinds`.
        model_config = ConfigDict(arbitrary_types_allowed=True)

        root: Dag

    return Recorded


@cache
def _action_adapter(kind: Kind[Any]) -> TypeAdapter[Action]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind.action)


def to_json(dag: Dag) -> bytes:
    """A DAG as JSON."""
    return _model().model_construct(dag).model_dump_json().encode()


def from_json(data: bytes) -> Dag:
    """The inverse of `to_json`; raises ValueError for anything else, and for a DAG that cannot be run."""
    from pydantic import ValidationError
    from pydantic_core import from_json

    try:
        with resting():
            written = from_json(data)
            for task in _tasks(written):
                task["action"] = _action(task.get("action"))
            dag: Dag = _model().model_validate(written).root
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"it is no DAG any more: {where}{': ' if where else ''}{first['msg']}") from None
    except ValueError as error:
        raise ValueError(f"it is no DAG any more: {error}") from None
    if why := _why_not_runnable(dag):
        raise ValueError(f"it is no DAG any more: {why}")
    return dag


def _tasks(written: Any) -> Iterator[dict[str, Any]]:
    """The tasks of a DAG as plain data, as far as they have the shape of some."""
    tasks = written.get("tasks") if isinstance(written, dict) else None
    return (task for task in (tasks if isinstance(tasks, list) else ()) if isinstance(task, dict))


def _action(written: Any) -> Action:
    from dagrun.kinds import KINDS

    name = written.get("kind") if isinstance(written, dict) else None
    if name not in KINDS:
        raise ValueError(f"a task is of the kind {name!r}, which does not exist")
    return _action_adapter(KINDS[name]).validate_python(written)


def _why_not_runnable(dag: Dag) -> str:
    """What cannot be in a DAG that was checked when it was recorded; empty if nothing is."""
    ids = {task.id for task in dag.tasks}
    if not ids or len(ids) < len(dag.tasks):
        return "it has no tasks" if not ids else "two tasks have the same id"
    for task in dag.tasks:
        for other in (*(need.task for need in task.needs), *task.parallel_with):
            if other not in ids and base_id(other) not in ids:
                return f"'{task.id}' needs '{other}', which does not exist"
    try:
        graph = Graph.compile(dag)
    except KeyError as error:
        return f"a task needs {error}, which does not exist"
    except (ValueError, TypeError) as error:
        return str(error)
    if len(graph.index) < len(graph.nodes) or sum(1 for _ in graph.walk()) < len(graph.nodes):
        return "its tasks depend on one another in a circle"
    return ""
