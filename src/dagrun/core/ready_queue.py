"""Which tasks may start, the first in the file first; of one group's variants no more at once than it allows."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dagrun.core.graph import Node


@dataclass(slots=True)
class _Lane:
    """The variants of one group that may start, and how many run: at most `most` at once.

    In the line of all tasks the group stands for the first of them, while one could start.
    """

    most: int | None
    ready: list[int] = field(default_factory=list)
    running: int = 0
    in_line: bool = False

    @property
    def is_open(self) -> bool:
        """Whether one more may start, as far as the group is concerned."""
        return bool(self.ready) and (self.most is None or self.running < self.most)


class ReadyQueue:
    """The line of the tasks that may start. Every change costs O(log tasks).

    `waits` says whether a task is still to be started: one that is not any more is dropped when its turn comes.
    """

    def __init__(self, nodes: Sequence[Node], waits: Callable[[int], bool]) -> None:
        self._nodes = nodes
        self._waits = waits
        self._line: list[int] = []  # tasks, and groups that have a variant which may start
        self._lanes: dict[int, _Lane] = {}
        self.queued: set[int] = set()  # handed to a worker, and not begun

    def add(self, i: int) -> None:
        """The task may start."""
        variant = self._nodes[i].variant
        if variant is None:
            heapq.heappush(self._line, i)
        else:
            lane = self._lane(variant.group)
            heapq.heappush(lane.ready, i)
            self._line_up(variant.group, lane)

    def first(self) -> int | None:
        """The task whose turn it is."""
        while self._line:
            first: int | None = self._line[0]
            if self._nodes[self._line[0]].members is not None:
                first = self._first_variant(self._line[0])
            if first is not None and self._is_waiting(first):
                return first
            heapq.heappop(self._line)
        return None

    def may_be_queued(self, i: int) -> bool:
        """Whether nothing but a free place keeps it from starting: not a variant whose group may, too."""
        variant = self._nodes[i].variant
        return variant is None or self._lane(variant.group).most is None

    def begin(self, i: int) -> None:
        """The task runs now."""
        self.queued.discard(i)
        variant = self._nodes[i].variant
        line = self._line
        if variant is not None:
            lane = self._lane(variant.group)
            lane.running += 1
            line = lane.ready
        if line and line[0] == i:  # else it would still lie there when the task waits for a retry
            heapq.heappop(line)

    def leave(self, i: int) -> None:
        """The task runs no more."""
        variant = self._nodes[i].variant
        if variant is not None:
            lane = self._lane(variant.group)
            lane.running -= 1
            self._line_up(variant.group, lane)

    def _is_waiting(self, i: int) -> bool:
        return i not in self.queued and self._waits(i)

    def _lane(self, group: int) -> _Lane:
        lane = self._lanes.get(group)
        if lane is None:
            lane = self._lanes[group] = _Lane(self._nodes[group].task.max_parallel)
        return lane

    def _line_up(self, group: int, lane: _Lane) -> None:
        if lane.is_open and not lane.in_line:
            lane.in_line = True
            heapq.heappush(self._line, group)

    def _first_variant(self, group: int) -> int | None:
        """The variant for which the group stands in line; None when there is none any more."""
        lane = self._lane(group)
        while lane.is_open:
            if self._is_waiting(lane.ready[0]):
                return lane.ready[0]
            heapq.heappop(lane.ready)
        lane.in_line = False
        return None
