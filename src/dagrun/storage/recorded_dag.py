"""`dag.json`: the DAG of a run as it was when the run began, whatever its document says now."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from dagrun.core.graph import Graph
from dagrun.core.model import Action, Dag
from dagrun.core.variants import base_id
from dagrun.process.gc_pause import resting


def to_json(dag: Dag) -> bytes:
    """A DAG as JSON."""
    return msgspec.json.encode(dag)


def from_json(data: bytes) -> Dag:
    """The inverse of `to_json`. Raises ValueError for anything else, and for a DAG that cannot be run."""
    try:
        with resting():
            dag = _decoder().decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ValueError(f"it is no longer a valid DAG: {error}") from None
    if why := _why_not_runnable(dag):
        raise ValueError(f"it is no longer a valid DAG: {why}")
    return dag


@cache
def _decoder() -> msgspec.json.Decoder[Dag]:
    return msgspec.json.Decoder(Dag, dec_hook=_action)


def _action(wanted: type, written: Any) -> Action:
    """The action of a task: a value of the class that its kind has."""
    from dagrun.kinds import KINDS

    assert wanted is Action
    name = written.get("kind") if isinstance(written, dict) else None
    if name not in KINDS:
        raise ValueError(f"a task is of the kind {name!r}, which does not exist")
    action: Action = msgspec.convert(written, KINDS[name].action)
    return action


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
