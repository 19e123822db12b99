"""`parallel_with`: whether it agrees with the dependencies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dagrun.core.graph import cycles
from dagrun.core.union_find import united
from dagrun.core.variants import variant_ids
from dagrun.documents.dialects.dialect import ParsedDocument
from dagrun.documents.yaml import Finding
from dagrun.documents.yaml.values import brief
from dagrun.errors import did_you_mean


def check_parallel(parsed: ParsedDocument) -> Iterator[Finding]:
    """An error for each entry that cannot be satisfied, in a DAG without cycles. Without errors it costs O(tasks + edges)."""
    tasks, locations = parsed.dag.tasks, parsed.locations
    if locations is None or not any(task.parallel_with for task in tasks):
        return
    index = {task.id: i for i, task in enumerate(tasks)}
    known = index | variant_ids(tasks)
    above = [[known[need.task] for need in task.needs if need.task in known] for task in tasks]
    entries = [
        (i, index.get(other, -1), other) for i, task in enumerate(tasks) for other in task.parallel_with
    ]

    def finding(i: int, other: str, problem: str, suggestion: str = "") -> Finding:
        place = parsed.source.place(locations.parallel_with(i, other))
        return Finding(place, f"'{tasks[i].id}' {problem}", "not-parallel", suggestion)

    for i, j, other in entries:
        if j == i:
            yield finding(i, other, "cannot run in parallel with itself", "remove the entry")
        elif j < 0:
            near = did_you_mean(other, index.keys() - {tasks[i].id})
            message = f"cannot run in parallel with '{brief(other, 150)}', which does not exist"
            yield finding(i, other, message, near)
    entries = [(i, j, other) for i, j, other in entries if j not in (i, -1)]
    for inside in _circles(above, [(i, j) for i, j, _ in entries]):
        named = [(i, j, other) for i, j, other in entries if i in inside]
        help_ = "remove the entry, or the dependency between the two"
        found = [
            finding(i, other, why, help_) for i, j, other in named if (why := _order(above, i, j, other))
        ]
        if named and not found:
            i, _, other = named[0]
            message = f"cannot run in parallel with '{other}' if all other entries of 'parallel_with' apply"
            found = [finding(i, other, message)]
        yield from found


def _order(above: Sequence[Sequence[int]], i: int, j: int, other: str) -> str:
    """Why two tasks cannot run at the same time; empty if they can."""
    if _reaches(above, i, j):
        return f"cannot run in parallel with '{other}', which it waits for"
    return f"cannot run in parallel with '{other}', which waits for it" if _reaches(above, j, i) else ""


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
    """The tasks of groups that wait for each other, or of a group that waits for itself."""
    group = united(len(above), pairs)
    needs: dict[str, list[str]] = {str(each): [] for each in group}
    for i, deps in enumerate(above):
        needs[str(group[i])] += [str(group[dep]) for dep in deps]
    for ring in cycles(needs):
        yield {i for i, each in enumerate(group) if str(each) in ring}
