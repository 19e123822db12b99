"""Which tasks may start, in file order, with the limit that a group has for its variants."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence

import msgspec

from dagrun.core.graph import Node
from dagrun.value import field


class _Lane(msgspec.Struct):
    """The variants of one group that may start. At most `most` of them run at once.

    In the queue of all tasks the group represents the first of them, as long as one can start.
    """

    most: int | None
    ready: list[int] = field(default_factory=list)
    running: int = 0
    is_queued: bool = False
    #: The last variant that ended while as many ran as may, and the number of that end.
    last_room: tuple[int, int | None] = (0, None)

    @property
    def is_open(self) -> bool:
        """Whether the limit of the group allows another variant to start, and there is one."""
        return bool(self.ready) and (self.most is None or self.running < self.most)


class ReadyQueue:
    """A priority queue of the tasks that may start. Every change costs O(log tasks).

    `can_start` returns whether a task is still to be started; if not, it is dropped when its turn comes.
    """

    def __init__(self, nodes: Sequence[Node], can_start: Callable[[int], bool]) -> None:
        self._nodes = nodes
        self._can_start = can_start
        self._heap: list[int] = []  # tasks, and groups with a variant that may start
        self._lanes: dict[int, _Lane] = {}
        self.prefetched: set[int] = set()  # passed to a worker, and not begun

    def add(self, i: int) -> None:
        """The task may start."""
        variant = self._nodes[i].variant
        if variant is None:
            heapq.heappush(self._heap, i)
        else:
            lane = self._lane(variant.group)
            heapq.heappush(lane.ready, i)
            self._enqueue(variant.group, lane)

    def first(self) -> int | None:
        """The task to start next."""
        while self._heap:
            first: int | None = self._heap[0]
            if self._nodes[self._heap[0]].members is not None:
                first = self._first_variant(self._heap[0])
            if first is not None and self._is_waiting(first):
                return first
            heapq.heappop(self._heap)
        return None

    def may_be_prefetched(self, i: int) -> bool:
        """Whether the task needs nothing but a free slot: a variant of a group with a limit may have to wait for that too."""
        variant = self._nodes[i].variant
        return variant is None or self._lane(variant.group).most is None

    def begin(self, i: int) -> None:
        """The task runs now."""
        self.prefetched.discard(i)
        variant = self._nodes[i].variant
        heap = self._heap
        if variant is not None:
            lane = self._lane(variant.group)
            lane.running += 1
            heap = lane.ready
        if heap and heap[0] == i:  # otherwise it would still be there when the task waits for a retry
            heapq.heappop(heap)

    def leave(self, i: int, number: int) -> None:
        """The attempt of the task has ended; `number` counts the ends of attempts."""
        variant = self._nodes[i].variant
        if variant is not None:
            lane = self._lane(variant.group)
            if lane.most is not None and lane.running >= lane.most:
                lane.last_room = number, i
            lane.running -= 1
            self._enqueue(variant.group, lane)

    def last_room(self, i: int) -> tuple[int, int | None]:
        """The end, by number and task, that last made room for another variant of the task's group; (0, None): none did."""
        variant = self._nodes[i].variant
        return (0, None) if variant is None else self._lane(variant.group).last_room

    def _is_waiting(self, i: int) -> bool:
        return i not in self.prefetched and self._can_start(i)

    def _lane(self, group: int) -> _Lane:
        lane = self._lanes.get(group)
        if lane is None:
            lane = self._lanes[group] = _Lane(self._nodes[group].task.max_parallel)
        return lane

    def _enqueue(self, group: int, lane: _Lane) -> None:
        if lane.is_open and not lane.is_queued:
            lane.is_queued = True
            heapq.heappush(self._heap, group)

    def _first_variant(self, group: int) -> int | None:
        """The variant that the group represents in the queue; None when none can start any more."""
        lane = self._lane(group)
        while lane.is_open:
            if self._is_waiting(lane.ready[0]):
                return lane.ready[0]
            heapq.heappop(lane.ready)
        lane.is_queued = False
        return None
