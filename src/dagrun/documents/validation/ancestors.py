"""Which tasks and variants are ancestors of a task, for the checks of expressions."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from dagrun.core.variants import variant_ids
from dagrun.documents.dialects.dialect import ParsedDocument

#: How many possible ancestors one pass over the document checks.
BLOCK: Final = 1024
#: How many bits the results of these passes may have together: 1 GiB.
_MAX_BITS: Final = 2**33


class AncestorIndex:
    """The dependencies of one document, indexed when they are needed."""

    def __init__(self, parsed: ParsedDocument) -> None:
        self.parsed = parsed
        self.tasks = parsed.dag.tasks
        self.variants = variant_ids(self.tasks)
        #: The index of a task, by its id and by the ids of its variants.
        self.index = {task.id: i for i, task in enumerate(self.tasks)} | self.variants
        self._blocks: dict[int, list[int]] = {}
        #: All ancestors of the task for which they were last needed.
        self._above: tuple[int, set[int]] = (-1, set())

    def is_above(self, name: str, i: int) -> bool:
        """Whether the task or variant `name` is an ancestor of task number `i`."""
        if any(need.task == name for need in self.tasks[i].needs):
            return True
        block, bit = divmod(self._numbers[name], BLOCK)
        if block not in self._blocks:
            if len(self._blocks) * BLOCK * len(self.tasks) > _MAX_BITS:
                del self._blocks[next(iter(self._blocks))]
            self._blocks[block] = self._ancestors_in(block)
        return bool(self._blocks[block][i] >> bit & 1)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        """A number for each task and each variant; variants of one task have consecutive numbers."""
        names = [task.id for task in self.tasks]
        return {name: number for number, name in enumerate((*names, *self.variants))}

    @cached_property
    def _ranges(self) -> dict[int, tuple[int, int]]:
        """For each task with variants the first of their numbers and the number after the last."""
        ranges: dict[int, tuple[int, int]] = {}
        for variant, i in self.variants.items():
            number = self._numbers[variant]
            ranges[i] = (ranges.get(i, (number,))[0], number + 1)
        return ranges

    def _ancestors_in(self, block: int) -> list[int]:
        """For every task its ancestors among the names of one block, as a set of bits.

        One pass for all of them: a walk for each name would make a document of n tasks cost n squared.
        """
        first = block * BLOCK
        found = [0] * len(self.tasks)
        for i in self._order:
            above = 0
            for need in self.tasks[i].needs:
                j = self.index.get(need.task)
                if j is not None:
                    above |= found[j] | _bits(self._numbers[need.task], self._numbers[need.task] + 1, first)
                    if need.task not in self.variants and j in self._ranges:
                        above |= _bits(*self._ranges[j], first)
            found[i] = above
        return found

    @cached_property
    def _order(self) -> list[int]:
        """The tasks, each after its dependencies, without those in or below a cycle, which is an error of its own."""
        needs = [
            {self.index[need.task] for need in task.needs if need.task in self.index} for task in self.tasks
        ]
        dependents: list[list[int]] = [[] for _ in needs]
        for i, above in enumerate(needs):
            for j in above:
                dependents[j].append(i)
        missing = [len(above) for above in needs]
        order = [i for i, count in enumerate(missing) if not count]
        for i in order:  # the list grows during the loop
            for j in dependents[i]:
                missing[j] -= 1
                if not missing[j]:
                    order.append(j)
        return order

    def waits_for(self, i: int, other: int) -> bool:
        """Whether task number `other` is an ancestor of task number `i`, found by a walk upwards."""
        if self._above[0] != i:
            above, pile = set[int](), [i]
            while pile:
                needs = self.tasks[pile.pop()].needs
                new = {self.index[need.task] for need in needs if need.task in self.index} - above
                above |= new
                pile += new
            self._above = (i, above)
        return other in self._above[1]

    def is_uncertain(self, i: int) -> bool:
        """Whether task number `i` may have more ancestors than are known: a dependency above it could not be read."""
        return i in self._uncertain

    @cached_property
    def _uncertain(self) -> set[int]:
        parsed = self.parsed
        found = {*range(len(self.tasks))}.difference(self._order)
        found |= {*parsed.broken, *(j for j, words in parsed.misspelt.items() if "needs" in words)}
        dependents: list[list[int]] = [[] for _ in self.tasks]
        for j, task in enumerate(self.tasks):
            for need in task.needs:
                if need.task in self.index:
                    dependents[self.index[need.task]].append(j)
                else:
                    found.add(j)
        pile = list(found)
        while pile:
            new = set(dependents[pile.pop()]) - found
            found |= new
            pile += new
        return found


def _bits(start: int, end: int, first: int) -> int:
    """A bit for each number from `start` up to `end` that belongs to the block beginning at `first`."""
    start, end = max(start - first, 0), min(end - first, BLOCK)
    return (1 << end) - (1 << start) if start < end else 0


@dataclass(frozen=True, slots=True)
class Ancestors(Collection[str]):
    """The ids of the ancestors of one task, searched only when needed."""

    index: AncestorIndex
    task: int

    def __contains__(self, name: object) -> bool:
        return (
            isinstance(name, str)
            and name in self.index.index
            and (self.index.is_above(name, self.task) or self.index.is_uncertain(self.task))
        )

    def late(self, name: str) -> str:
        """The advice for a task that is not an ancestor."""
        other = self.index.index[name]
        if other == self.task:
            return "it is this task itself"
        if self.index.waits_for(other, self.task):
            return f"'{name}' waits for this task"
        return f"add '{name}' to what this task depends on"

    def __iter__(self) -> Iterator[str]:
        return (name for name in self.index.index if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)
