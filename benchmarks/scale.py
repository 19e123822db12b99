"""A hundred thousand tasks: time and memory per task must not grow."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure import Row, Spread, beyond
from benchmarks.workspace import Workspace, document

ACTION = "workflow_ref: noop"


def scale(workspace: Workspace) -> Iterator[Row]:
    """Time per task, compared with a tenth of the tasks; memory, compared with the loaded document alone."""
    tasks, tenth = workspace.sized(100_000), workspace.sized(10_000)
    one = workspace.write("one.yaml", document(1, ACTION))
    some = workspace.write("some.yaml", document(tenth, ACTION))
    many = workspace.write("many.yaml", document(tasks, ACTION))
    # Long, so the times vary little: one round for every five of the others.
    rounds = [
        (
            workspace.run(many, tasks),
            workspace.run(some, tenth),
            workspace.run(one, 1),
            workspace.dagrun("validate", many),
        )
        for _ in range(max(1, workspace.runs // 5))
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
