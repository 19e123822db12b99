"""The calls that a worker has received and not begun: those that were sent to it, and those that were prefetched."""

from __future__ import annotations

import marshal
import os
from collections import deque

from dagrun.executors.local.channel import TICKET, Channel, Message
from dagrun.registry import Origin


class CallQueue:
    """The worker's side of its calls.

    A prefetched call is begun by the process that reads its number from the pipe `tickets`: the worker, or dagrun, which
    so takes it back. Numbers are written before the calls are sent, so a call without a ticket was taken back.
    """

    def __init__(self, channel: Channel, tickets: int) -> None:
        self.channel = channel
        self.tickets = tickets
        self.sent: deque[Message] = deque()
        self.prefetched: dict[int, Message] = {}
        self.run_settings: Message = {}  # of the last call that came
        self.upstream = marshal.dumps({})  # of the last call; packed, because a body may change its copy
        self.origins: dict[str, Origin] = {}  # of every workflow that was called so far

    def receive(self, poll_time: float = 0.0) -> bool:
        """Receive calls; False when dagrun has closed the channel."""
        messages = self.channel.receive(poll_time)
        for message in messages or ():
            self._complete(message)
            if message["op"] == "call":
                self.sent.append(message)
            else:
                self.prefetched[message["n"]] = message
        return messages is not None

    def _complete(self, call: Message) -> None:
        """Add the parts that came with an earlier call, even if that one was taken back."""
        self.run_settings = call.setdefault("run", self.run_settings)
        if "upstream" in call:
            self.upstream = marshal.dumps(call["upstream"])
        call["upstream"] = self.upstream
        if "origin" in call:
            self.origins[call["ref"]] = Origin(**call["origin"])

    def next(self) -> Message | None:
        """A call that was sent, or else the prefetched one that this worker may begin. Exits when dagrun is dead."""
        if self.sent:
            return self.sent.popleft()
        try:
            (number,) = TICKET.unpack(os.read(self.tickets, TICKET.size))
        except BlockingIOError:
            self.prefetched.clear()
            return None
        while number not in self.prefetched:  # it is on its way
            if not self.receive():
                os._exit(0)
        for older in [n for n in self.prefetched if n < number]:
            del self.prefetched[older]
        call = self.prefetched.pop(number)
        if self.sent:  # it was sent before the ticket was written, so it comes first, and may take long
            self.channel.send({"op": "not_begun", "n": number})
            return self.sent.popleft()
        return call
