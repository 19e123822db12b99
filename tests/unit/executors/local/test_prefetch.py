"""Who gets queued calls: workers whose bodies are over in no time, each as many as it has room for."""

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
from dagrun.executors.local.prefetch import TINY, TINY_BODIES, Dealer, Pace
from dagrun.executors.local.worker_handle import DEPTH, MOST_QUEUED, WarmWorker
from tests.contract.harness import attempt, paths, work

CALL = Call(ref="tiny", origin={"kind": "file", "target": "flows.py"})


class Crew:
    """Warm workers that run a tiny body each, and the other ends of what lies between them and dagrun."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self.dealer = Dealer(Pace())
        self.workers: list[WarmWorker] = []
        self._others: dict[int, Channel] = {}
        self.went(TINY_BODIES)

    def joined_by(self, count: int) -> list[WarmWorker]:
        for _ in range(count):
            ours, theirs = socket.socketpair()
            tickets, granting = os.pipe()
            os.set_blocking(tickets, False)
            worker = WarmWorker(len(self.workers), Channel(ours), tickets, granting, self.job("busy"))
            self._others[worker.pid] = Channel(theirs)
            self.workers.append(worker)
        return self.workers

    def went(self, times: int, seconds: float = TINY, **more: Any) -> None:
        """So many bodies took so long."""
        for _ in range(times):
            self.dealer.pace.note_end(self.work("t", **more), seconds)

    def work(self, task: str, **more: Any) -> Work:
        return work(self.where, CALL, task, **more)

    def job(self, task: str, **more: Any) -> RunningAttempt:
        return RunningAttempt(self.work(task, **more), paths(self.where, attempt(task)), lambda _: None, 0.0)

    def deal(self, *jobs: RunningAttempt) -> int:
        return self.dealer.deal([*enumerate(jobs, 1)], self.workers)

    def room(self) -> int:
        return self.dealer.room("tiny", self.workers)

    def told(self, worker: WarmWorker) -> list[Message]:
        """What the worker has been sent."""
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
    """One of them."""
    crew = Crew(tmp_path)
    yield crew
    crew.close()


def test_a_workflow_is_quick_when_enough_of_its_bodies_in_a_row_were(crew: Crew) -> None:
    pace = Pace()
    crew.dealer.pace = pace
    crew.went(TINY_BODIES - 1)
    assert not pace.is_quick("tiny")
    crew.went(1)
    assert pace.is_quick("tiny")
    crew.went(1, TINY * 1.01)
    assert not pace.is_quick("tiny")


def test_one_that_is_handed_secrets_never_is_for_its_worker_is_not_used_again(crew: Crew) -> None:
    crew.went(1, masks=("secret",))
    assert not crew.dealer.pace.is_quick("tiny")


def test_the_shortest_queue_is_dealt_to_first(crew: Crew) -> None:
    one, other = crew.joined_by(2)
    other.put(100, crew.job("early"), 1)
    assert crew.deal(*[crew.job(f"t{n}") for n in range(4)]) == 4
    assert [job.work.attempt.task_id for job in one.queue.values()] == ["t0", "t1", "t3"]
    assert [job.work.attempt.task_id for job in other.queue.values()] == ["early", "t2"]


def test_each_call_is_sent_with_a_ticket_and_can_be_taken_back(crew: Crew) -> None:
    (worker,) = crew.joined_by(1)
    jobs = [crew.job(f"t{n}") for n in range(3)]
    crew.deal(*jobs)
    assert [(call["op"], call["task"]) for call in crew.told(worker)] == [
        ("queue", f"t{n}") for n in range(3)
    ]
    assert worker.take_back(2) == jobs[:2]
    assert [*worker.queue.values()] == jobs[2:]
    assert worker.take_back(2) == jobs[2:]
    assert worker.take_back(2) == []


def _is_idle(worker: WarmWorker) -> None:
    worker.job = None


def _retires(worker: WarmWorker) -> None:
    worker.retire = True


def _is_late(worker: WarmWorker) -> None:
    worker.late = True


def _is_stopped(worker: WarmWorker) -> None:
    assert worker.job is not None
    worker.job.stop = signal.SIGTERM


@pytest.mark.parametrize("other", [_is_idle, _retires, _is_late, _is_stopped])
def test_a_worker_that_may_be_long_or_leaves_gets_nothing(
    crew: Crew, other: Callable[[WarmWorker], None]
) -> None:
    one, two = crew.joined_by(2)
    other(two)
    assert crew.deal(crew.job("a"), crew.job("b")) == 2
    assert (len(one.queue), len(two.queue)) == (2, 0)


def test_there_is_room_once_half_of_it_is_used_up(crew: Crew) -> None:
    crew.joined_by(2)
    assert crew.room() == 2 * DEPTH
    crew.deal(*[crew.job(f"t{n}") for n in range(2 * DEPTH)])
    assert crew.room() == 0
    for worker in crew.workers:
        worker.take_back(DEPTH // 2 - 1)
    assert crew.room() == 0
    crew.workers[0].take_back(2)
    assert crew.room() == DEPTH


def test_what_finds_no_room_is_not_dealt(crew: Crew) -> None:
    crew.joined_by(1)
    assert crew.deal(*[crew.job(f"t{n}") for n in range(DEPTH + 5)]) == DEPTH


def test_no_more_is_sent_than_a_socket_takes_that_nobody_reads(crew: Crew) -> None:
    """Else dagrun would wait for the body that runs now."""
    (worker,) = crew.joined_by(1)
    large = {"text": "x" * (MOST_QUEUED // 4)}
    assert crew.deal(*[crew.job(f"t{n}", params=large) for n in range(9)]) == 3
    assert worker.backlog <= MOST_QUEUED
    worker.has_read(2)
    assert worker.room(MOST_QUEUED // 4) == 2


def test_what_a_call_without_room_would_have_told_is_told_with_the_next(crew: Crew) -> None:
    (worker,) = crew.joined_by(1)
    outputs = {"text": "x" * MOST_QUEUED}
    assert crew.deal(crew.job("large", upstream={"a": outputs})) == 0
    assert crew.deal(crew.job("small")) == 1
    (call,) = crew.told(worker)
    assert call["in"]["run_id"] == "r"
    assert call["origin"] == CALL.origin
    assert "upstream" not in call


def test_what_calls_have_in_common_is_sent_once(crew: Crew) -> None:
    (worker,) = crew.joined_by(1)
    env, outputs = {"A": "1"}, {"items": [1, 2]}
    crew.deal(*[crew.job(f"t{n}", env=env, upstream={"a": outputs}) for n in range(3)])
    first, *others = crew.told(worker)
    assert {"in", "origin", "upstream"} <= first.keys()
    for call in others:
        assert not {"in", "origin", "upstream"} & call.keys()


def test_outputs_that_are_only_equal_are_sent_anew(crew: Crew) -> None:
    """1 and true are equal, and are not the same."""
    (worker,) = crew.joined_by(1)
    crew.deal(crew.job("a", upstream={"x": {"n": 1}}), crew.job("b", upstream={"x": {"n": True}}))
    assert [call["upstream"]["x"]["data"]["n"] for call in crew.told(worker)] == [1, True]
