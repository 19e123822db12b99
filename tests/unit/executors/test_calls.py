"""Which call a worker begins next: one that was sent, or a queued one whose ticket it has taken."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from dagrun.executors.calls import Calls
from dagrun.executors.wire import TICKET, Channel, Message


class Desk:
    """A worker's calls, and dagrun's ends of what lies between them."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        tickets, self.granting = os.pipe()
        os.set_blocking(tickets, False)
        self.dagrun = Channel(ours)
        self.calls = Calls(Channel(theirs), tickets)

    def send(self, op: str, number: int, *, ticket: bool = False, more: Message | None = None) -> None:
        if ticket:
            os.write(self.granting, TICKET.pack(number))
        self.dagrun.send({"op": op, "n": number, **(more or {})})

    def next(self) -> Message | None:
        self.calls.receive()
        return self.calls.next()

    def close(self) -> None:
        self.dagrun.close()
        self.calls.channel.close()
        os.close(self.calls.tickets)
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
    assert desk.calls.next() == {"op": "queue", "n": 3, "in": {}}
    assert desk.calls.next() is None
    assert desk.calls.queued == {}


def test_a_call_that_comes_with_a_queued_one_is_first_and_the_other_is_given_back_at_once(desk: Desk) -> None:
    """Who waits behind it may wait for long, and dagrun takes whatever it cannot take back for begun."""
    desk.send("queue", 1)
    assert desk.next() is None
    os.write(desk.granting, TICKET.pack(3))
    desk.send("call", 2)
    desk.send("queue", 3)
    assert desk.calls.next() == {"op": "call", "n": 2, "in": {}}
    assert desk.dagrun.receive() == [{"op": "unbegun", "n": 3}]
    assert desk.calls.next() is None


def test_what_changes_with_a_call_that_is_taken_back_has_changed_for_those_after_it(desk: Desk) -> None:
    desk.send("queue", 1, more={"in": {"cwd": "/"}})
    desk.send("queue", 2, ticket=True)
    assert desk.next() == {"op": "queue", "n": 2, "in": {"cwd": "/"}}
