"""A large output on its way to the task that needs it."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure import Row, Spread, beyond, turns
from benchmarks.place import Place

MIB = 1024 * 1024
DOCUMENT = """
tasks:
  - id: make
    workflow_ref: make
    params: {{size: {size}}}
  - id: take
    workflow_ref: take
    depends_on: [make]
"""


def payload(place: Place) -> Iterator[Row]:
    """One text, from one task to its dependent; without what the same takes with an empty one."""
    size = place.sized(50) * MIB
    large = place.write("large.yaml", DOCUMENT.format(size=size))
    empty = place.write("empty.yaml", DOCUMENT.format(size=0))
    rounds = turns(
        place.runs,
        place.running(large, 2, proof=f'"length":{size}'),
        place.other("pipe", size, does=size),
        place.running(empty, 2, proof='"length":0'),
        place.other("pipe", 0, does=0),
    )
    yield Row(
        work=f"a text of {size // MIB} MiB to one dependent",
        goal=2,
        against="pickle over a pipe, acknowledged",
        measured=Spread.of(beyond(dagrun, none) / beyond(pipe, bare) for dagrun, pipe, none, bare in rounds),
    )
