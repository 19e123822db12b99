"""Tasks that do nothing: the cost of one more, journal and logs included."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib.util import find_spec

from benchmarks.measure import Row, Spread, beyond, turns
from benchmarks.workspace import Workspace, chain, document, layers

ACTION = "workflow_ref: noop"


def wide(workspace: Workspace) -> Iterator[Row]:
    """Independent tasks."""
    tasks = workspace.sized(10_000)
    one = workspace.write("one.yaml", document(1, ACTION))
    many = workspace.write("wide.yaml", document(tasks, ACTION))
    rounds = turns(
        workspace.runs,
        workspace.running(many, tasks),
        workspace.other("pool_map", tasks, 2, does=tasks),
        workspace.running(one, 1),
        workspace.other("pool_map", 1, 2, does=1),
    )
    yield Row(
        work=f"one more of {tasks:,} independent tasks, 2 workers",
        goal=1,
        against="`ProcessPoolExecutor(2).map`",
        measured=Spread.of(beyond(dagrun, one) / beyond(pool, alone) for dagrun, pool, one, alone in rounds),
    )
    yield Row(
        work=f"the whole command, {tasks:,} independent tasks, 2 workers",
        goal=1,
        against="`ProcessPoolExecutor(2).map`",
        measured=Spread.of(dagrun / pool for dagrun, pool, _, _ in rounds),
    )


def python_peers(workspace: Workspace) -> Iterator[Row]:
    """Whole commands with independent no-ops, compared with the Python peers that are installed in the same environment."""
    # luigi checks every task for every task: 10,000 would take minutes.
    for peer, tasks in (
        ("doit", workspace.sized(10_000)),
        ("dask", workspace.sized(10_000)),
        ("luigi", workspace.sized(1_000)),
    ):
        if find_spec(peer) is None:
            continue
        many = workspace.write("peers.yaml", document(tasks, ACTION))
        rounds = turns(
            workspace.runs, workspace.running(many, tasks), workspace.other(peer, tasks, does=tasks)
        )
        yield Row(
            work=f"the whole command, {tasks:,} independent tasks, 2 workers",
            goal=1 if peer == "doit" else None,
            against=peer,
            measured=Spread.of(dagrun / other for dagrun, other in rounds),
        )


def chained(workspace: Workspace) -> Iterator[Row]:
    """Each task depends on the one before it."""
    tasks = workspace.sized(1_000)
    yield from _shaped(workspace, f"{tasks:,} chained tasks", tasks, chain, 1.3)


def layered(workspace: Workspace) -> Iterator[Row]:
    """20 layers of 50, 3 dependencies each."""
    width = workspace.sized(50, least=3)
    work = f"{20 * width:,} tasks in 20 layers, 3 dependencies each"
    yield from _shaped(workspace, work, 20 * width, lambda tasks: layers(tasks, width), 1.5)


def _shaped(
    workspace: Workspace, work: str, tasks: int, shape: Callable[[int], list[list[int]]], whole: float
) -> Iterator[Row]:
    floor = 5 * tasks  # its tasks are short: with fewer, its start-up would hide the cost of one more
    one = workspace.write("one.yaml", document(1, ACTION))
    many = workspace.write("shaped.yaml", document(tasks, ACTION, shape(tasks)))
    workspace.write("one.json", "[[]]")
    workspace.write("shaped.json", json.dumps(shape(floor)))
    workspace.write("same.json", json.dumps(shape(tasks)))
    rounds = turns(
        workspace.runs,
        workspace.running(many, tasks),
        workspace.other("pool_graph", "shaped.json", 2, does=floor),
        workspace.running(one, 1),
        workspace.other("pool_graph", "one.json", 2, does=1),
        workspace.other("pool_graph", "same.json", 2, does=tasks),
    )
    yield Row(
        work=f"one more of {work}",
        goal=1.2,
        against="a `ProcessPoolExecutor(2)` submit loop",
        measured=Spread.of(
            (beyond(dagrun, one) / (tasks - 1)) / (beyond(pool, alone) / (floor - 1))
            for dagrun, pool, one, alone, _ in rounds
        ),
    )
    yield Row(
        work=f"the whole command, {work}",
        goal=whole,
        against="a `ProcessPoolExecutor(2)` submit loop",
        measured=Spread.of(took[0] / took[-1] for took in rounds),
    )
