"""A worker as dagrun sees it: which calls it has, what it may not have read, and what a call has to contain."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dagrun.core.work import Blob, Call
from dagrun.executors.local.attempts import RunningAttempt
from dagrun.executors.local.channel import Channel, Message
from dagrun.executors.local.worker_handle import (
    MAX_PREFETCHED,
    MAX_UNREAD,
    WorkerHandle,
    call_message,
    packed_call,
)
from tests.contract.harness import attempt, paths, work

ORIGIN = {"kind": "file", "target": "flows.py"}


class Desk:
    """A handle, and the worker's end of its channel."""

    def __init__(self, where: Path) -> None:
        self.where = where
        ours, theirs = socket.socketpair()
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        self.worker = WorkerHandle(1, Channel(ours), reader, writer)
        self.other_end = Channel(theirs, blocking=False)

    def attempt(self, task: str = "t", **more: Any) -> RunningAttempt:
        its = work(self.where, Call(ref="w", origin=ORIGIN), task, **more)
        return RunningAttempt(its, paths(self.where, attempt(task)), lambda _: None, 0.0)

    def message(self, **more: Any) -> Message:
        """The next call for the worker."""
        return call_message(self.worker, "call", 1, self.attempt(**more), quick=False)

    def prefetch(self, *attempts: RunningAttempt, size: int = 1) -> None:
        for number, each in enumerate(attempts, start=1):
            self.worker.add(number, each, size)
        self.worker.send_prefetched([*range(1, len(attempts) + 1)], [b""] * len(attempts))

    def close(self) -> None:
        self.worker.close()
        self.other_end.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.close()


def test_calls_that_were_not_begun_are_taken_back_in_order(desk: Desk) -> None:
    attempts = [desk.attempt(name) for name in "abc"]
    desk.prefetch(*attempts)
    assert desk.worker.take_back(2) == attempts[:2]
    assert desk.worker.take_back(2) == attempts[2:]
    assert desk.worker.take_back(2) == []


def test_a_call_whose_ticket_the_worker_has_cannot_be_taken_back(desk: Desk) -> None:
    attempts = [desk.attempt(name) for name in "ab"]
    desk.prefetch(*attempts)
    os.read(desk.worker.ticket_reader, 8)  # as the worker does
    assert desk.worker.take_back(MAX_PREFETCHED) == attempts[1:]
    assert [*desk.worker.prefetched.values()] == attempts[:1]


def test_room_is_limited_by_the_number_of_calls_and_by_bytes(desk: Desk) -> None:
    assert desk.worker.room(1) == MAX_PREFETCHED
    desk.prefetch(desk.attempt("a"), desk.attempt("b"), size=MAX_UNREAD // 4)
    assert desk.worker.room(MAX_UNREAD // 4) == 2
    desk.worker.has_read(1)
    assert desk.worker.room(MAX_UNREAD // 4) == 3


def test_parts_that_calls_share_are_sent_once(desk: Desk) -> None:
    env, upstream = {"A": "1"}, {"a": {"items": [1, 2]}}
    first, second = (desk.message(env=env, upstream=upstream) for _ in range(2))
    assert {"run", "origin", "upstream"} <= first.keys()
    assert not {"run", "origin", "upstream"} & second.keys()
    assert first["run"]["env"] == env | {
        "DAGRUN_RUN_ID": "r", "DAGRUN_RUN_DIR": str(desk.where), "DAGRUN_ARTIFACTS": f"{desk.where}/artifacts",
        "DAGRUN_TASK_ID": "t", "DAGRUN_ATTEMPT": "1",
    }  # fmt: skip


def test_equal_outputs_of_another_object_are_sent_again(desk: Desk) -> None:
    """1 and true are equal, and still differ."""
    sent = [desk.message(upstream={"x": {"n": value}}) for value in (1, True)]
    assert [each["upstream"]["x"]["data"]["n"] for each in sent] == [1, True]


def test_outputs_in_a_file_are_sent_as_its_name_and_sum(desk: Desk) -> None:
    sent = desk.message(upstream={"x": Blob("x.1.json", 2, "sum")})
    assert sent["upstream"] == {"x": {"blob": {"file": "x.1.json", "size": 2, "sha256": "sum"}}}


def test_shared_parts_of_a_call_without_room_are_sent_with_the_next_call(desk: Desk) -> None:
    large = desk.attempt("large", upstream={"a": {"text": "x" * 1_000}})
    assert packed_call(desk.worker, "call", 1, large, quick=False, fits=lambda size: size < 1_000) == b""
    sent = desk.message()
    assert (sent["run"]["run_id"], sent["origin"]) == ("r", ORIGIN)
    assert "upstream" not in sent


def test_a_call_that_cannot_be_packed_counts_as_not_sent(desk: Desk) -> None:
    with pytest.raises(TypeError):
        packed_call(desk.worker, "call", 1, desk.attempt(params={"x": object()}), quick=False)
    assert "origin" in desk.message()
