"""Tasks that do nothing: what one more of them costs, journal and logs included."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib.util import find_spec

from benchmarks.measure import Row, Spread, beyond, turns
from benchmarks.place import Place, chain, document, layers

ACTION = "workflow_ref: noop"


def wide(place: Place) -> Iterator[Row]:
    """Independent tasks."""
    tasks = place.sized(10_000)
    one = place.write("one.yaml", document(1, ACTION))
    many = place.write("wide.yaml", document(tasks, ACTION))
    rounds = turns(
        place.runs,
        place.running(many, tasks),
        place.other("pool_map", tasks, 2, does=tasks),
        place.running(one, 1),
        place.other("pool_map", 1, 2, does=1),
    )
    yield Row(
        work=f"one more of {tasks:,} independent tasks, 2 workers",
        goal=1,
        against="`ProcessPoolExecutor(2).map`",
        measured=Spread.of(beyond(dagrun, one) / beyond(pool, alone) for dagrun, pool, one, alone in rounds),
    )


def peers(place: Place) -> Iterator[Row]:
    """Whole commands, independent tasks; only those that are installed beside dagrun."""
    # luigi looks at every task for every task: 10,000 take it minutes.
    for peer, tasks in (
        ("doit", place.sized(10_000)),
        ("dask", place.sized(10_000)),
        ("luigi", place.sized(1_000)),
    ):
        if find_spec(peer) is None:
            continue
        many = place.write("peers.yaml", document(tasks, ACTION))
        rounds = turns(place.runs, place.running(many, tasks), place.other(peer, tasks, does=tasks))
        yield Row(
            work=f"the whole command, {tasks:,} independent tasks, 2 workers",
            goal=1 if peer == "doit" else None,
            against=peer,
            measured=Spread.of(dagrun / other for dagrun, other in rounds),
        )


def chained(place: Place) -> Iterator[Row]:
    """Each task after the one before it."""
    tasks = place.sized(1_000)
    yield _shaped(place, f"one more of {tasks:,} chained tasks", tasks, chain)


def layered(place: Place) -> Iterator[Row]:
    """20 layers of 50, 3 dependencies each."""
    width = place.sized(50, least=3)
    work = f"one more of {20 * width:,} tasks in 20 layers, 3 dependencies each"
    yield _shaped(place, work, 20 * width, lambda tasks: layers(tasks, width))


def _shaped(place: Place, work: str, tasks: int, shape: Callable[[int], list[list[int]]]) -> Row:
    floor = 5 * tasks  # as its tasks are short: of a fifth, its own start-up would hide what one more takes
    one = place.write("one.yaml", document(1, ACTION))
    many = place.write("shaped.yaml", document(tasks, ACTION, shape(tasks)))
    place.write("one.json", "[[]]")
    place.write("shaped.json", json.dumps(shape(floor)))
    rounds = turns(
        place.runs,
        place.running(many, tasks),
        place.other("pool_graph", "shaped.json", 2, does=floor),
        place.running(one, 1),
        place.other("pool_graph", "one.json", 2, does=1),
    )
    return Row(
        work=work,
        goal=1.2,
        against="a `ProcessPoolExecutor(2)` submit loop",
        measured=Spread.of(
            (beyond(dagrun, one) / (tasks - 1)) / (beyond(pool, alone) / (floor - 1))
            for dagrun, pool, one, alone in rounds
        ),
    )
