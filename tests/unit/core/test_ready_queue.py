"""The queue of the tasks that may start."""

from __future__ import annotations

from dagrun.core.graph import Graph
from dagrun.core.model import Dag, Matrix
from dagrun.core.ready_queue import ReadyQueue
from tests.unit.harness import graph, task

FOUR = Matrix(axes={"n": ("1", "2", "3", "4")})


def grouped(most: int | None) -> ReadyQueue:
    """The four variants of a group (0 to 3), and a task behind it (5), all ready."""
    dag = Dag(name="d", tasks=(task("m", matrix=FOUR, max_parallel=most), task("z")))
    queue = ReadyQueue(Graph.compile(dag).nodes, lambda _: True)
    for i in (0, 1, 2, 3, 5):
        queue.add(i)
    return queue


def test_the_first_in_the_file_starts_first() -> None:
    queue = ReadyQueue(graph("a; b; c").nodes, lambda _: True)
    for i in (2, 0, 1):
        queue.add(i)
    order = []
    while (first := queue.first()) is not None:
        order.append(first)
        queue.begin(first)
    assert order == [0, 1, 2]


def test_a_task_that_cannot_start_any_more_is_dropped() -> None:
    queue = ReadyQueue(graph("a; b").nodes, lambda i: i != 0)
    queue.add(0)
    queue.add(1)
    assert queue.first() == 1


def test_a_prefetched_task_is_not_started_again() -> None:
    queue = ReadyQueue(graph("a; b").nodes, lambda _: True)
    queue.add(0)
    queue.prefetched.add(0)
    assert queue.first() is None


def test_a_group_lets_only_so_many_variants_run() -> None:
    queue = grouped(2)
    queue.begin(0)
    queue.begin(1)
    assert queue.first() == 5
    queue.leave(1, 1)
    assert queue.first() == 2
    assert queue.last_room(2) == (1, 1)


def test_without_a_limit_a_group_is_no_reason_to_wait() -> None:
    queue = grouped(None)
    queue.begin(0)
    queue.leave(0, 1)
    assert (queue.first(), queue.last_room(1)) == (1, (0, None))


def test_only_what_needs_nothing_but_a_slot_may_be_prefetched() -> None:
    assert grouped(None).may_be_prefetched(0)
    assert not grouped(2).may_be_prefetched(0)
    assert grouped(2).may_be_prefetched(5)
