"""Which call a worker begins next: one that was sent, or a queued one whose ticket it has taken."""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Iterator

import pytest

from dagrun.executors.wire import TICKET, Channel, Message
from dagrun.executors.worker import Worker


class Desk:
    """A worker that runs nothing, and dagrun's ends of what lies between them."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        tickets, self.granting = os.pipe()
        os.set_blocking(tickets, False)
        self.dagrun = Channel(ours)
        self.worker = Worker.__new__(Worker)  # as it is made, it changes what signals do in this process
        self.worker.channel, self.worker.tickets = Channel(theirs), tickets
        self.worker.calls, self.worker.queued, self.worker.surroundings = deque(), {}, {}

    def send(self, op: str, number: int, *, ticket: bool = False, more: Message | None = None) -> None:
        if ticket:
            os.write(self.granting, TICKET.pack(number))
        self.dagrun.send({"op": op, "n": number, **(more or {})})

    def next(self) -> Message | None:
        self.worker._receive()
        return self.worker._next()

    def close(self) -> None:
        self.dagrun.close()
        self.worker.channel.close()
        os.close(self.worker.tickets)
        os.close(self.granting)


@pytest.fixture
def desk() -> Iterator[Desk]:
    """One of them."""
    desk = Desk()
    yield desk
    desk.close()


def test_queued_calls_begin_in_order_while_their_tickets_are_there(desk: Desk) -> None:
    desk.send("queue", 1, ticket=True)
    desk.send("queue", 2)  # its ticket was taken back
    desk.send("queue", 3, ticket=True)
    assert desk.next() == {"op": "queue", "n": 1, "in": {}}
    assert desk.worker._next() == {"op": "queue", "n": 3, "in": {}}
    assert desk.worker._next() is None
    assert desk.worker.queued == {}


def test_a_call_that_comes_with_a_queued_one_is_first_and_the_other_is_given_back_at_once(desk: Desk) -> None:
    """Who waits behind it may wait for long, and dagrun takes whatever it cannot take back for begun."""
    desk.send("queue", 1)
    assert desk.next() is None
    os.write(desk.granting, TICKET.pack(3))
    desk.send("call", 2)
    desk.send("queue", 3)
    assert desk.worker._next() == {"op": "call", "n": 2, "in": {}}
    assert desk.dagrun.receive() == [{"op": "unbegun", "n": 3}]
    assert desk.worker._next() is None


def test_what_changes_with_a_call_that_is_taken_back_has_changed_for_those_after_it(desk: Desk) -> None:
    desk.send("queue", 1, more={"in": {"cwd": "/"}})
    desk.send("queue", 2, ticket=True)
    assert desk.next() == {"op": "queue", "n": 2, "in": {"cwd": "/"}}
