"""The tasks that will run, linked by index: variants, order, waves, cycles."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from dagrun.core.model import Dag, MatrixValue, Task, Trigger
from dagrun.core.union_find import united
from dagrun.core.variants import variant_id, variants
from dagrun.language import expressions
from dagrun.value import Value, field, replace


class Variant(Value):
    """The data of a variant: the node of its group, its key in the group, and the values of `matrix`."""

    group: int
    key: str
    values: Mapping[str, MatrixValue] = field(default_factory=dict)


class Node(Value):
    """A task with its edges, by index. Indices follow the order of the file; a group comes after its variants.

    `looks_back`: its condition is about the outcome of others, so it is evaluated before a failure skips the task.
    `survives`: the task may still start when a failure has stopped the run.
    """

    index: int
    task: Task
    needs: tuple[int, ...]
    dependents: tuple[int, ...]
    looks_back: bool = False
    survives: bool = False
    variant: Variant | None = None
    #: Of a group: its variants, which are also its needs. None: no group, or a for_each whose list is not known yet.
    members: range | None = None
    #: Of a for_each: the task of each variant. The task of the node has what is evaluated once for all of them.
    each: Task | None = None

    def expanded(self, numbers: Sequence[int], members: range) -> Iterator[Node]:
        """The variants of a for_each for the items with these numbers, once its list is known."""
        assert self.each is not None
        for number, index in zip(numbers, members, strict=True):
            variant = Variant(self.index, str(number))
            task = replace(self.each, id=variant_id(self.task.id, variant.key))
            yield Node(index, task, self.needs, (self.index,), self.looks_back, self.survives, variant)


class Graph(Value):
    """A DAG ready to run. Only a valid DAG has one."""

    dag: Dag
    nodes: tuple[Node, ...]
    index: dict[str, int]
    #: Whether a run may add nodes, because there is a for_each.
    grows: bool = False

    @classmethod
    def compile(cls, dag: Dag) -> Graph:
        """Expand and link the tasks of a checked DAG. Costs O(tasks + edges); raises KeyError for a dangling edge."""
        slots = _laid_out(dag)
        index = {slot[0].id: i for i, slot in enumerate(slots)}
        needs = [
            tuple(index[need.task] for need in task.needs) if members is None else tuple(members)
            for task, _, _, _, members, _ in slots
        ]
        dependents: list[list[int]] = [[] for _ in slots]
        for i, deps in enumerate(needs):
            for dep in deps:
                dependents[dep].append(i)
        nodes = tuple(
            Node(i, slot[0], needs[i], tuple(dependents[i]), *slot[1:]) for i, slot in enumerate(slots)
        )
        return cls(dag, nodes, index, any(task.for_each is not None for task in dag.tasks))

    @property
    def task_count(self) -> int:
        """The number of tasks to run, as far as it is known before the run: variants count, their group does not."""
        return sum(1 for node in self.nodes if node.members is None)

    def walk(self) -> Iterator[int]:
        """All nodes in the order in which one worker would end them: of those that are ready, the first in the file."""
        missing = [len(node.needs) for node in self.nodes]
        ready = [node.index for node in self.nodes if not node.needs]  # ascending, so already a heap
        while ready:
            ended = [heapq.heappop(ready)]
            for i in ended:  # grows while it is read: a group ends with its last variant
                yield i
                for dependent in self.nodes[i].dependents:
                    missing[dependent] -= 1
                    if not missing[dependent] and self.nodes[dependent].members is None:
                        heapq.heappush(ready, dependent)
                    elif not missing[dependent]:
                        ended.append(dependent)

    def of(self, dag: Dag) -> Graph:
        """The graph of another DAG. It shares the nodes if the tasks are the same."""
        return replace(self, dag=dag) if dag.tasks is self.dag.tasks else Graph.compile(dag)

    def order(self) -> list[int]:
        """The order in which one worker would run the tasks."""
        return [i for i in self.walk() if self.nodes[i].members is None]

    def waves(self) -> list[list[int]]:
        """The tasks that can run in parallel: each is in the wave after its last dependency, together with `parallel_with`.

        If `parallel_with` contradicts the dependencies anywhere, all of it is ignored.
        """
        levels = self._levels(self._units(parallel=True)) or self._levels(self._units(parallel=False)) or []
        waves: list[list[int]] = [[] for _ in range(max(levels, default=-1) + 1)]
        for node, level in zip(self.nodes, levels, strict=True):
            if node.members is None:
                waves[level].append(node.index)
        return waves

    def _units(self, *, parallel: bool) -> list[int]:
        """For each node the unit that stands in one wave: a group with its variants, tasks that run side by side."""
        pairs = [(node.index, member) for node in self.nodes for member in node.members or ()]
        if parallel:
            pairs += [
                (node.index, self.index[name]) for node in self.nodes for name in node.task.parallel_with
            ]
        return united(len(self.nodes), pairs)

    def _levels(self, unit: Sequence[int]) -> list[int] | None:
        """The depth of the unit of each node; None when units depend on each other in a cycle."""
        inside: dict[int, list[int]] = {}
        missing = [0] * len(unit)
        for node in self.nodes:
            inside.setdefault(unit[node.index], []).append(node.index)
            missing[unit[node.index]] += sum(1 for need in node.needs if unit[need] != unit[node.index])
        levels = [0] * len(unit)
        ready = [each for each in inside if not missing[each]]
        for each in ready:  # grows while it is read
            for dependent in (i for member in inside[each] for i in self.nodes[member].dependents):
                other = unit[dependent]
                if other != each:
                    levels[other] = max(levels[other], levels[each] + 1)
                    missing[other] -= 1
                    if not missing[other]:
                        ready.append(other)
        return [levels[each] for each in unit] if len(ready) == len(inside) else None


_Slot = tuple[Task, bool, bool, Variant | None, range | None, Task | None]


def _laid_out(dag: Dag) -> list[_Slot]:
    """The future nodes in order: for each its task and the fields after the edges."""
    slots: list[_Slot] = []
    for task in dag.tasks:
        traits = looks_back_and_survives(task)
        if task.matrix is not None:
            found = variants(task.matrix)
            members = range(len(slots), len(slots) + len(found))
            for key, values in found.items():
                variant = Variant(members.stop, key, values)
                alone = replace(task, id=variant_id(task.id, variant.key), matrix=None, max_parallel=None)
                slots.append((alone, *traits, variant, None, None))
            slots.append((task, *traits, None, members, None))
        elif task.for_each is not None:
            once, each = _once_and_each(task)
            slots.append((once, *traits, None, None, each))
        else:
            slots.append((task, *traits, None, None, None))
    return slots


def _once_and_each(task: Task) -> tuple[Task, Task]:
    """The task of a for_each before its list is known, and the task of each variant.

    A condition is evaluated once, before the list is; one that reads `item` is evaluated for each variant.
    """
    each = replace(task, for_each=None, only_items=None, max_parallel=None)
    env = {name: text for name, text in task.env.items() if not _reads_item(text)}
    by_item = task.env.keys() - env.keys()
    if any(
        reference.root == "item"
        or (reference.root == "env" and (not reference.path or reference.path[0] in by_item))
        for text in (task.condition, task.unless)
        if text is not None
        for reference in expressions.condition(text).references
    ):
        return replace(task, env=env, condition=None, unless=None, only_if_changed=False), each
    return replace(task, env=env), replace(each, condition=None, unless=None)


def _reads_item(text: str) -> bool:
    placeholders = expressions.template(text).placeholders if "${{" in text else ()
    return any(reference.root == "item" for each in placeholders for reference in each.expression.references)


_OUTCOMES = frozenset({"failure", "always", "cancelled"})
_SURVIVING = frozenset({Trigger.FAILURE, Trigger.ALWAYS})


def looks_back_and_survives(task: Task) -> tuple[bool, bool]:
    """Whether the condition of a task looks back, and whether the task survives a stop.

    A task with an edge `failure` handles failures. An edge `always` only sets the order: it makes a task survive only if
    all its edges are `always` or `failure`.
    """
    edges = [need.trigger for need in task.needs]
    survives = (
        task.trigger in _SURVIVING
        or Trigger.FAILURE in edges
        or (bool(edges) and all(trigger in _SURVIVING for trigger in edges))
    )
    looks_back = False
    for text in (task.condition, task.unless):
        if text is not None:
            expression = expressions.condition(text)
            reads_outcomes = any(call.name in _OUTCOMES for call in expression.calls)
            survives = survives or reads_outcomes
            looks_back = (
                looks_back or reads_outcomes or any(_reads_status(ref) for ref in expression.references)
            )
    return looks_back, survives


def _reads_status(reference: expressions.Reference) -> bool:
    return reference.root in ("tasks", "jobs", "steps") and reference.path[1:2] == ("status",)


def cycles(needs: Mapping[str, Sequence[str]], limit: int = 10) -> Iterator[list[str]]:
    """Cycles as lists of ids, each depending on the next, from the first in the file back to it.

    At most one cycle through any task is returned, and at most `limit` in all: fixing one often fixes others.
    """
    left = {task: list(deps) for task, deps in needs.items()}
    place = {task: i for i, task in enumerate(needs)}
    for _ in range(limit):
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            ring = list(reversed(error.args[1][1:]))  # graphlib: each *precedes* the next; first == last
            first = min(range(len(ring)), key=lambda i: place[ring[i]])
            ring = ring[first:] + ring[:first]
            yield [*ring, ring[0]]
            for task in ring:
                left[task] = []
        else:
            return
