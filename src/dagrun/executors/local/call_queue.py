"""What a worker is to run next: the calls that were sent to it, and the queued ones whose ticket it can take."""

from __future__ import annotations

import marshal
import os
from collections import deque

from dagrun.executors.local.channel import TICKET, Channel, Message
from dagrun.registry import Origin


class CallQueue:
    """The worker's end of its queue.

    A queued call is begun by whoever reads its number from the pipe `tickets`: the worker, or dagrun, which so takes
    it back. Numbers are written before the calls are sent, so a call that has come and has no ticket was taken back.
    """

    def __init__(self, channel: Channel, tickets: int) -> None:
        self.channel = channel
        self.tickets = tickets
        self.sent: deque[Message] = deque()
        self.queued: dict[int, Message] = {}
        self.surroundings: Message = {}  # of the last call that came,
        self.upstream = marshal.dumps(
            {}
        )  # and what its task was handed: packed, for each body may change what it gets
        self.origins: dict[str, Origin] = {}  # where the workflows are found that were called so far

    def receive(self, patience: float = 0.0) -> bool:
        """Take in what has come; False when dagrun has closed the channel."""
        messages = self.channel.receive(patience)
        for message in messages or ():
            self._complete(message)
            if message["op"] == "call":
                self.sent.append(message)
            else:
                self.queued[message["n"]] = message
        return messages is not None

    def _complete(self, call: Message) -> None:
        """What many calls have in common came with the first of them, whether or not that was taken back."""
        self.surroundings = call.setdefault("in", self.surroundings)
        if "upstream" in call:
            self.upstream = marshal.dumps(call["upstream"])
        call["upstream"] = self.upstream
        if "origin" in call:
            self.origins[call["ref"]] = Origin(**call["origin"])

    def next(self) -> Message | None:
        """A call, or else the queued one that this worker may begin. Exits when dagrun is gone."""
        if self.sent:
            return self.sent.popleft()
        try:
            (number,) = TICKET.unpack(os.read(self.tickets, TICKET.size))
        except BlockingIOError:
            self.queued.clear()
            return None
        while number not in self.queued:  # it is on its way
            if not self.receive():
                os._exit(0)
        for older in [n for n in self.queued if n < number]:
            del self.queued[older]
        queued = self.queued.pop(number)
        if self.sent:  # it was sent before the ticket was written, and comes first; that may take long
            self.channel.send({"op": "unbegun", "n": number})
            return self.sent.popleft()
        return queued
