"""A large output that is passed to another task."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure import Row, Spread, beyond, turns
from benchmarks.workspace import Workspace

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


def payload(workspace: Workspace) -> Iterator[Row]:
    """One text, from a task to its dependent; minus the time of the same with an empty text."""
    size = workspace.sized(50) * MIB
    large = workspace.write("large.yaml", DOCUMENT.format(size=size))
    empty = workspace.write("empty.yaml", DOCUMENT.format(size=0))
    rounds = turns(
        workspace.runs,
        workspace.running(large, 2, proof=f'"length":{size}'),
        workspace.other("pipe", size, does=size),
        workspace.running(empty, 2, proof='"length":0'),
        workspace.other("pipe", 0, does=0),
    )
    yield Row(
        work=f"a text of {size // MIB} MiB to one dependent",
        goal=2,
        against="pickle over a pipe, acknowledged",
        measured=Spread.of(beyond(dagrun, none) / beyond(pipe, bare) for dagrun, pipe, none, bare in rounds),
    )
