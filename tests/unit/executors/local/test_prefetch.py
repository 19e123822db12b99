"""Which workers get calls in advance: those with very short bodies, each as many as it has room for."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dagrun.core.work import Call, Work
from dagrun.executors.local.attempts import RunningAttempt
from dagrun.executors.local.channel import Channel, Message
from dagrun.executors.local.prefetch import TINY, TINY_BODIES, BodyStatistics, Prefetcher
from dagrun.executors.local.worker_handle import MAX_PREFETCHED, MAX_UNREAD, WorkerHandle
from tests.contract.harness import attempt, paths, work

CALL = Call(ref="tiny", origin={"kind": "file", "target": "flows.py"})


class Crew:
    """Workers that run a tiny body each: handles, and the other ends of their channels."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self.prefetcher = Prefetcher(BodyStatistics())
        self.workers: list[WorkerHandle] = []
        self._others: dict[int, Channel] = {}
        self.bodies_took(TINY_BODIES)

    def add_workers(self, count: int) -> list[WorkerHandle]:
        for _ in range(count):
            ours, theirs = socket.socketpair()
            ticket_reader, ticket_writer = os.pipe()
            os.set_blocking(ticket_reader, False)
            worker = WorkerHandle(
                len(self.workers), Channel(ours), ticket_reader, ticket_writer, self.attempt("busy")
            )
            self._others[worker.pid] = Channel(theirs)
            self.workers.append(worker)
        return self.workers

    def bodies_took(self, times: int, seconds: float = TINY, **more: Any) -> None:
        """So many bodies have ended after so many seconds."""
        for _ in range(times):
            self.prefetcher.statistics.add_duration(self.work("t", **more), seconds)

    def work(self, task: str, **more: Any) -> Work:
        return work(self.where, CALL, task, **more)

    def attempt(self, task: str, **more: Any) -> RunningAttempt:
        return RunningAttempt(self.work(task, **more), paths(self.where, attempt(task)), lambda _: None, 0.0)

    def assign(self, *attempts: RunningAttempt) -> int:
        return self.prefetcher.assign([*enumerate(attempts, 1)], self.workers)

    def room(self) -> int:
        return self.prefetcher.room("tiny", self.workers)

    def sent(self, worker: WorkerHandle) -> list[Message]:
        """The messages that the worker has been sent."""
        self._others[worker.pid].sock.setblocking(False)
        try:
            return self._others[worker.pid].receive() or []
        except BlockingIOError:
            return []

    def close(self) -> None:
        for worker in self.workers:
            worker.close()
            self._others[worker.pid].close()


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    """No workers yet; the workflow is known to be quick."""
    crew = Crew(tmp_path)
    yield crew
    crew.close()


def test_a_workflow_is_quick_when_enough_of_its_bodies_in_a_row_were_tiny(crew: Crew) -> None:
    statistics = BodyStatistics()
    crew.prefetcher.statistics = statistics
    crew.bodies_took(TINY_BODIES - 1)
    assert not statistics.is_quick("tiny")
    crew.bodies_took(1)
    assert statistics.is_quick("tiny")
    crew.bodies_took(1, TINY * 1.01)
    assert not statistics.is_quick("tiny")


def test_a_workflow_with_secrets_is_never_quick_as_its_workers_are_not_reused(crew: Crew) -> None:
    crew.bodies_took(1, masks=("secret",))
    assert not crew.prefetcher.statistics.is_quick("tiny")


def test_the_worker_with_the_fewest_calls_comes_first(crew: Crew) -> None:
    one, other = crew.add_workers(2)
    other.add(100, crew.attempt("early"), 1)
    assert crew.assign(*[crew.attempt(f"t{n}") for n in range(4)]) == 4
    assert [each.work.attempt.task_id for each in one.prefetched.values()] == ["t0", "t1", "t3"]
    assert [each.work.attempt.task_id for each in other.prefetched.values()] == ["early", "t2"]


def test_each_call_has_a_ticket_and_can_be_taken_back(crew: Crew) -> None:
    (worker,) = crew.add_workers(1)
    attempts = [crew.attempt(f"t{n}") for n in range(3)]
    crew.assign(*attempts)
    assert [(call["op"], call["task"]) for call in crew.sent(worker)] == [
        ("prefetch", f"t{n}") for n in range(3)
    ]
    assert worker.take_back(2) == attempts[:2]
    assert [*worker.prefetched.values()] == attempts[2:]
    assert worker.take_back(2) == attempts[2:]
    assert worker.take_back(2) == []


def _is_idle(worker: WorkerHandle) -> None:
    worker.current = None


def _retires(worker: WorkerHandle) -> None:
    worker.retire = True


def _is_slow(worker: WorkerHandle) -> None:
    worker.is_slow = True


def _is_stopped(worker: WorkerHandle) -> None:
    assert worker.current is not None
    worker.current.stop_signal = signal.SIGTERM


@pytest.mark.parametrize("other", [_is_idle, _retires, _is_slow, _is_stopped])
def test_a_worker_that_is_slow_or_about_to_exit_gets_no_calls(
    crew: Crew, other: Callable[[WorkerHandle], None]
) -> None:
    one, two = crew.add_workers(2)
    other(two)
    assert crew.assign(crew.attempt("a"), crew.attempt("b")) == 2
    assert (len(one.prefetched), len(two.prefetched)) == (2, 0)


def test_there_is_room_once_half_of_it_is_free(crew: Crew) -> None:
    crew.add_workers(2)
    assert crew.room() == 2 * MAX_PREFETCHED
    crew.assign(*[crew.attempt(f"t{n}") for n in range(2 * MAX_PREFETCHED)])
    assert crew.room() == 0
    for worker in crew.workers:
        worker.take_back(MAX_PREFETCHED // 2 - 1)
    assert crew.room() == 0
    crew.workers[0].take_back(2)
    assert crew.room() == MAX_PREFETCHED


def test_a_call_without_room_is_not_assigned(crew: Crew) -> None:
    crew.add_workers(1)
    assert crew.assign(*[crew.attempt(f"t{n}") for n in range(MAX_PREFETCHED + 5)]) == MAX_PREFETCHED


def test_no_more_bytes_are_sent_than_fit_into_a_socket(crew: Crew) -> None:
    """Nobody reads it while the current body runs."""
    (worker,) = crew.add_workers(1)
    large = {"text": "x" * (MAX_UNREAD // 4)}
    assert crew.assign(*[crew.attempt(f"t{n}", params=large) for n in range(9)]) == 3
    assert worker.unread_bytes <= MAX_UNREAD
    worker.has_read(2)
    assert worker.room(MAX_UNREAD // 4) == 2
