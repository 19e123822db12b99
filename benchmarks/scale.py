"""A hundred thousand tasks: nothing may cost more than its share."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure import Row, Spread, beyond
from benchmarks.place import Place, document

ACTION = "workflow_ref: noop"


def scale(place: Place) -> Iterator[Row]:
    """Time per task against a tenth as many; memory against the loaded document alone."""
    tasks, tenth = place.sized(100_000), place.sized(10_000)
    one = place.write("one.yaml", document(1, ACTION))
    some = place.write("some.yaml", document(tenth, ACTION))
    many = place.write("many.yaml", document(tasks, ACTION))
    # Long, so steady: one turn for every five of the rest.
    rounds = [
        (place.run(many, tasks), place.run(some, tenth), place.run(one, 1), place.dagrun("validate", many))
        for _ in range(max(1, place.runs // 5))
    ]
    yield Row(
        work=f"time per task, {tasks:,} tasks",
        goal=2,
        against=f"that of {tenth:,}",
        measured=Spread.of(
            (beyond(large.seconds, start.seconds) / tasks) / (beyond(small.seconds, start.seconds) / tenth)
            for large, small, start, _ in rounds
        ),
    )
    yield Row(
        work=f"memory per task of a run of {tasks:,}",
        goal=2,
        unit=" KB",
        against="above the loaded document",
        measured=Spread.of((large.peak - document.peak) / tasks / 1000 for large, _, _, document in rounds),
    )
