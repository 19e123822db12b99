"""Tasks that are to run side by side (`parallel_with`): whether that agrees with what depends on what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dagrun.core.graph import cycles
from dagrun.core.variants import variant_ids
from dagrun.documents.dialects.dialect import ParsedDocument
from dagrun.documents.yaml import Finding
from dagrun.errors import did_you_mean


def check_parallel(written: ParsedDocument) -> Iterator[Finding]:
    """Every wish that cannot be met, in a DAG without cycles. Costs O(tasks + edges) where all can."""
    tasks, locations = written.dag.tasks, written.locations
    if locations is None or not any(task.parallel_with for task in tasks):
        return
    index = {task.id: i for i, task in enumerate(tasks)}
    known = index | variant_ids(tasks)
    above = [[known[need.task] for need in task.needs if need.task in known] for task in tasks]
    requests = [
        (i, index.get(other, -1), other) for i, task in enumerate(tasks) for other in task.parallel_with
    ]

    def finding(i: int, other: str, problem: str, suggestion: str = "") -> Finding:
        place = written.source.place(locations.parallel_with(i, other))
        return Finding(place, f"'{tasks[i].id}' {problem}", "not-parallel", suggestion)

    for i, j, other in requests:
        if j == i:
            yield finding(i, other, "is to run beside itself", "leave the entry out")
        elif j < 0:
            near = did_you_mean(other, index.keys() - {tasks[i].id})
            yield finding(i, other, f"is to run beside '{other}', which does not exist", near)
    requests = [(i, j, other) for i, j, other in requests if j not in (i, -1)]
    for inside in _circles(above, [(i, j) for i, j, _ in requests]):
        named = [(i, j, other) for i, j, other in requests if i in inside]
        help_ = "leave the entry out, or what makes one wait for the other"
        told = [finding(i, other, why, help_) for i, j, other in named if (why := _order(above, i, j, other))]
        if named and not told:
            i, _, other = named[0]
            told = [
                finding(i, other, f"cannot run beside '{other}' if every other 'parallel_with' is to hold")
            ]
        yield from told


def _order(above: Sequence[Sequence[int]], i: int, j: int, other: str) -> str:
    """Why two tasks cannot run at the same time; empty if they can."""
    if _reaches(above, i, j):
        return f"cannot run beside '{other}', which it waits for"
    return f"cannot run beside '{other}', which waits for it" if _reaches(above, j, i) else ""


def _reaches(above: Sequence[Sequence[int]], start: int, goal: int) -> bool:
    seen = {start}
    pile = [start]
    while pile:
        for i in above[pile.pop()]:
            if i not in seen:
                seen.add(i)
                pile.append(i)
    return goal in seen


def _circles(above: Sequence[Sequence[int]], pairs: Sequence[tuple[int, int]]) -> Iterator[set[int]]:
    """Tasks of groups that wait for each other, or of a group that waits for itself."""
    leader = list(range(len(above)))

    def of(i: int) -> int:
        while leader[i] != i:
            leader[i] = i = leader[leader[i]]
        return i

    for i, j in pairs:
        leader[of(j)] = of(i)
    needs: dict[str, list[str]] = {str(of(i)): [] for i in range(len(above))}
    for i, deps in enumerate(above):
        needs[str(of(i))] += [str(of(dep)) for dep in deps]
    for ring in cycles(needs):
        yield {i for i in range(len(above)) if str(of(i)) in ring}
