"""Which call a worker begins next: one that was sent, or a prefetched one whose ticket it has taken."""

from __future__ import annotations

import marshal
import os
import socket
from collections.abc import Iterator

import pytest

from dagrun.executors.local.call_queue import CallQueue
from dagrun.executors.local.channel import TICKET, Channel, Message


class Desk:
    """The calls of a worker, and dagrun's ends of its channel and pipe."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        tickets, self.ticket_writer = os.pipe()
        os.set_blocking(tickets, False)
        self.dagrun = Channel(ours)
        self.calls = CallQueue(Channel(theirs), tickets)

    def send(self, op: str, number: int, *, ticket: bool = False, more: Message | None = None) -> None:
        if ticket:
            os.write(self.ticket_writer, TICKET.pack(number))
        self.dagrun.send({"op": op, "n": number, **(more or {})})

    def next(self) -> Message | None:
        self.calls.receive()
        return self.calls.next()

    def close(self) -> None:
        self.dagrun.close()
        self.calls.channel.close()
        os.close(self.calls.tickets)
        os.close(self.ticket_writer)


def number(call: Message | None) -> int | None:
    """The number of a call."""
    return None if call is None else call["n"]


@pytest.fixture
def desk() -> Iterator[Desk]:
    """Without calls."""
    desk = Desk()
    yield desk
    desk.close()


def test_prefetched_calls_begin_in_order_if_they_have_tickets(desk: Desk) -> None:
    desk.send("prefetch", 1, ticket=True)
    desk.send("prefetch", 2)  # its ticket was taken back
    desk.send("prefetch", 3, ticket=True)
    assert number(desk.next()) == 1
    assert number(desk.calls.next()) == 3
    assert desk.calls.next() is None
    assert desk.calls.prefetched == {}


def test_a_sent_call_comes_first_and_the_prefetched_one_is_returned_at_once(desk: Desk) -> None:
    """The sent call may take long, and dagrun assumes that a call without a ticket has begun."""
    desk.send("prefetch", 1)
    assert desk.next() is None
    os.write(desk.ticket_writer, TICKET.pack(3))
    desk.send("call", 2)
    desk.send("prefetch", 3)
    assert number(desk.calls.next()) == 2
    assert desk.dagrun.receive() == [{"op": "not_begun", "n": 3}]
    assert desk.calls.next() is None


def test_shared_parts_that_came_with_a_call_that_was_taken_back_apply_to_later_calls(desk: Desk) -> None:
    desk.send("prefetch", 1, more={"run": {"cwd": "/"}, "upstream": {"a": {"data": {"x": 1}}}})
    desk.send("prefetch", 2, ticket=True)
    call = desk.next()
    assert call is not None
    assert (call["n"], call["run"]) == (2, {"cwd": "/"})
    assert marshal.loads(call["upstream"]) == {"a": {"data": {"x": 1}}}


def test_a_call_without_upstream_outputs_does_not_get_those_of_the_call_before(desk: Desk) -> None:
    desk.send("call", 1, more={"upstream": {"a": {"data": {"x": 1}}}})
    desk.send("call", 2, more={"upstream": {}})
    desk.next()
    call = desk.calls.next()
    assert call is not None
    assert marshal.loads(call["upstream"]) == {}
