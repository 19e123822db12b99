"""Loading a large document: read, validate, link, order. Each time in a new process, as for a user."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure import Row, Spread
from benchmarks.workspace import Workspace

MB = 1_000_000


def load(workspace: Workspace) -> Iterator[Row]:
    """Seven lines of YAML per task, one parameter, three dependencies."""
    tasks = workspace.sized(10_000)
    workspace.write("small.yaml", _document(3))
    large = workspace.write("large.yaml", _document(tasks))

    def figures(name: str) -> tuple[float, float]:
        _, seconds, grown = workspace.contestant(name, large, does=tasks).out.split("\n")[-2].split()
        return float(seconds), float(grown)

    rounds = [tuple(figures(name) for name in ("loaded", "libyaml", "usual")) for _ in range(workspace.runs)]
    work = f"loading {tasks:,} tasks"
    yield Row(
        work=work,
        goal=3,
        against="libyaml's event stream",
        measured=Spread.of(dagrun[0] / stream[0] for dagrun, stream, _ in rounds),
    )
    yield Row(
        work=f"the same by CSafeLoader, pydantic and graphlib, {tasks:,} tasks",
        against="libyaml's event stream",
        measured=Spread.of(usual[0] / stream[0] for _, stream, usual in rounds),
    )
    yield Row(
        work=f"memory for loading {tasks:,} tasks",
        goal=60,
        unit=" MB",
        measured=Spread.of(dagrun[1] / MB for dagrun, _, _ in rounds),
    )


def _document(tasks: int) -> str:
    lines = ["tasks:"]
    for i in range(tasks):
        needs = [f"task_{i - back}" for back in (100, 101, 102) if i >= back]
        lines += [
            f"  - id: task_{i}",
            "    workflow_ref: noop",
            "    params:",
            f"      number: {i}",
            "    retries: 2",
            "    timeout: 10m",
            f"    depends_on: [{', '.join(needs)}]",
        ]
    return "\n".join(lines) + "\n"
