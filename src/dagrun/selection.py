"""A part of a DAG as a DAG: what `--only`, `--from` and `--until` choose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dagrun.errors import NotFoundError, UsageError
from dagrun.model import Dag


@dataclass(frozen=True, slots=True)
class Selection:
    """Tasks by name: these alone; these and all below them; these and all above them. Several kinds must all agree."""

    only: Sequence[str] = ()
    start: Sequence[str] = ()
    until: Sequence[str] = ()


EVERYTHING = Selection()


def select(dag: Dag, selection: Selection) -> Dag:
    """The chosen tasks; dependencies on others are left out. Raises NotFoundError, UsageError when nothing is left."""
    above = {task.id: [need.task for need in task.needs] for task in dag.tasks}
    for name in (*selection.only, *selection.start, *selection.until):
        if name not in above:
            raise NotFoundError("task", name, above, hint=f"DAG '{dag.name}' has: {', '.join([*above][:10])}")
    chosen = set(above)
    if selection.only:
        chosen &= set(selection.only)
    if selection.start:
        chosen &= _reach(selection.start, _turned(above))
    if selection.until:
        chosen &= _reach(selection.until, above)
    if not chosen:
        raise UsageError("--only, --from and --until leave no task to run")
    if len(chosen) == len(dag.tasks):
        return dag
    tasks = tuple(
        replace(task, needs=tuple(need for need in task.needs if need.task in chosen))
        for task in dag.tasks
        if task.id in chosen
    )
    return replace(dag, tasks=tasks)


def _reach(starts: Iterable[str], edges: Mapping[str, Sequence[str]]) -> set[str]:
    found = set(starts)
    pile = list(found)
    while pile:
        for name in edges[pile.pop()]:
            if name not in found:
                found.add(name)
                pile.append(name)
    return found


def _turned(edges: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    turned: dict[str, list[str]] = {name: [] for name in edges}
    for name, targets in edges.items():
        for target in targets:
            turned[target].append(name)
    return turned
