"""What will run: tasks linked by index, in order; waves, critical path, cycles."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from dagrun import expressions
from dagrun.model import Dag, Task, Trigger


@dataclass(frozen=True, slots=True)
class Node:
    """A task with its edges, by index. Indices follow the order of the file.

    `looks_back`: its condition asks how others ended, so it is asked before a failure skips the task.
    `survives`: the task may still start when a failure has stopped the run.
    """

    index: int
    task: Task
    needs: tuple[int, ...]
    dependents: tuple[int, ...]
    looks_back: bool = False
    survives: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """A DAG made ready to run. Only a valid DAG has one."""

    dag: Dag
    nodes: tuple[Node, ...]
    index: Mapping[str, int]

    @classmethod
    def compile(cls, dag: Dag) -> Graph:
        """Link the tasks of a checked DAG. Costs O(tasks + edges); raises KeyError for a dangling edge."""
        index = {task.id: i for i, task in enumerate(dag.tasks)}
        needs = [tuple(index[need.task] for need in task.needs) for task in dag.tasks]
        dependents: list[list[int]] = [[] for _ in dag.tasks]
        for i, deps in enumerate(needs):
            for dep in deps:
                dependents[dep].append(i)
        nodes = tuple(
            Node(i, task, needs[i], tuple(dependents[i]), *_conditions(task))
            for i, task in enumerate(dag.tasks)
        )
        return cls(dag, nodes, index)

    def order(self) -> list[int]:
        """The order in which one worker would run the tasks: of the ready ones, the first in the file."""
        missing = [len(node.needs) for node in self.nodes]
        ready = [node.index for node in self.nodes if not node.needs]  # ascending, so already a heap
        order = []
        while ready:
            i = heapq.heappop(ready)
            order.append(i)
            for dependent in self.nodes[i].dependents:
                missing[dependent] -= 1
                if not missing[dependent]:
                    heapq.heappush(ready, dependent)
        return order

    def waves(self) -> list[list[int]]:
        """The parallel groups: a task stands in the wave after the last of its dependencies."""
        level = [0] * len(self.nodes)
        waves: list[list[int]] = []
        for i in self.order():
            level[i] = max((level[dep] + 1 for dep in self.nodes[i].needs), default=0)
            if level[i] == len(waves):
                waves.append([])
            waves[level[i]].append(i)
        return [sorted(wave) for wave in waves]


_OUTCOMES = frozenset({"failure", "always", "cancelled"})
_SURVIVING = frozenset({Trigger.FAILURE, Trigger.ALWAYS})


def _conditions(task: Task) -> tuple[bool, bool]:
    """Whether a task's condition looks back, and whether the task survives a stop."""
    survives = task.trigger in _SURVIVING or any(need.trigger in _SURVIVING for need in task.needs)
    looks_back = False
    for text in (task.condition, task.unless):
        if text is not None:
            expression = expressions.condition(text)
            asks = any(call.name in _OUTCOMES for call in expression.calls)
            survives = survives or asks
            looks_back = looks_back or asks or any(_reads_status(ref) for ref in expression.references)
    return looks_back, survives


def _reads_status(reference: expressions.Reference) -> bool:
    return reference.root in ("tasks", "jobs", "steps") and reference.path[1:2] == ("status",)


def cycles(needs: Mapping[str, Sequence[str]], limit: int = 10) -> Iterator[list[str]]:
    """Cycles as lists of ids, each depending on the next, from the one that stands first and back to it.

    At most one cycle through any task is told, and at most `limit` in all: mending one often mends others.
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
