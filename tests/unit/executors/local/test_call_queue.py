"""Which call a worker begins next: one that was sent, or a queued one whose ticket it has taken."""

from __future__ import annotations

import marshal
import os
import socket
from collections.abc import Iterator

import pytest

from dagrun.executors.local.call_queue import CallQueue
from dagrun.executors.local.channel import TICKET, Channel, Message


class Desk:
    """A worker's calls, and dagrun's ends of what lies between them."""

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
    """Which call it is."""
    return None if call is None else call["n"]


@pytest.fixture
def desk() -> Iterator[Desk]:
    """One of them."""
    desk = Desk()
    yield desk
    desk.close()


def test_queued_calls_begin_in_order_while_their_tickets_are_there(desk: Desk) -> None:
    desk.send("prefetch", 1, ticket=True)
    desk.send("prefetch", 2)  # its ticket was taken back
    desk.send("prefetch", 3, ticket=True)
    assert number(desk.next()) == 1
    assert number(desk.calls.next()) == 3
    assert desk.calls.next() is None
    assert desk.calls.prefetched == {}


def test_a_call_that_comes_with_a_queued_one_is_first_and_the_other_is_given_back_at_once(desk: Desk) -> None:
    """Who waits behind it may wait for long, and dagrun takes whatever it cannot take back for begun."""
    desk.send("prefetch", 1)
    assert desk.next() is None
    os.write(desk.ticket_writer, TICKET.pack(3))
    desk.send("call", 2)
    desk.send("prefetch", 3)
    assert number(desk.calls.next()) == 2
    assert desk.dagrun.receive() == [{"op": "not_begun", "n": 3}]
    assert desk.calls.next() is None


def test_what_changes_with_a_call_that_is_taken_back_has_changed_for_those_after_it(desk: Desk) -> None:
    desk.send("prefetch", 1, more={"run": {"cwd": "/"}, "upstream": {"a": {"data": {"x": 1}}}})
    desk.send("prefetch", 2, ticket=True)
    call = desk.next()
    assert call is not None
    assert (call["n"], call["run"]) == (2, {"cwd": "/"})
    assert marshal.loads(call["upstream"]) == {"a": {"data": {"x": 1}}}


def test_a_call_of_a_task_that_is_handed_nothing_says_so_after_one_that_was(desk: Desk) -> None:
    desk.send("call", 1, more={"upstream": {"a": {"data": {"x": 1}}}})
    desk.send("call", 2, more={"upstream": {}})
    desk.next()
    call = desk.calls.next()
    assert call is not None
    assert marshal.loads(call["upstream"]) == {}
