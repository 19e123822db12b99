"""`dag.json`: the DAG of a run as it was when the run began, whatever its document says now."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from dagrun.core.graph import Graph
from dagrun.core.model import Dag
from dagrun.core.variants import base_id

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@cache
def _adapter() -> TypeAdapter[Dag]:
    from pydantic import TypeAdapter  # imported here: 75 ms that listing runs does not need

    return TypeAdapter(Dag)


def to_json(dag: Dag) -> bytes:
    """A DAG as JSON."""
    return _adapter().dump_json(dag)


def from_json(data: bytes) -> Dag:
    """The inverse of `to_json`. Raises ValueError for anything else, and for a DAG that cannot be run."""
    from pydantic import ValidationError

    try:
        dag = _adapter().validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(
            f"it is no longer a valid DAG: {where}{': ' if where else ''}{first['msg']}"
        ) from None
    if why := _why_not_runnable(dag):
        raise ValueError(f"it is no longer a valid DAG: {why}")
    return dag


def _why_not_runnable(dag: Dag) -> str:
    """What is wrong with a DAG: it was valid when it was recorded, so the file was changed. Empty if nothing is."""
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
        return "its tasks depend on each other in a cycle"
    return ""
