"""Messages between dagrun, its keeper and its workers: JSON with a length before it, over a socket pair.

A channel that has been told to `listen`, or was made with `blocking=False`, never blocks: what the socket does not take
is kept, and written when the other end has read. So two ends can never wait for each other.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

Message = dict[str, Any]

AT_ONCE = (
    64 * 1024
)  # bytes to ask for: for more than this, malloc asks the system for memory each time, six times as slow
LOOK_OUT = 0.0002  # seconds for which to look out for the answer to something quick
_LENGTH = struct.Struct(">I")
#: The number of a queued call, as it lies in the pipe from which whoever may begin it takes it.
TICKET = struct.Struct("=Q")
#: The system has no room now: for bytes, or for descriptors that are on their way and nobody has received.
_NOT_NOW = (errno.ENOBUFS, errno.ETOOMANYREFS)
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def pack(message: Message) -> bytes:
    """A message as it travels. Raises ValueError or RecursionError for what JSON cannot hold."""
    body = _encode(message).encode("utf-8", "surrogatepass")
    if len(body) >= 1 << 32:
        raise ValueError(f"a message of {len(body)} bytes is too long")
    return _LENGTH.pack(len(body)) + body


@dataclass(slots=True)
class _Unsent:
    """Bytes that the socket has not taken yet, and the descriptors that travel with the first of them."""

    data: bytearray
    fds: tuple[int, ...]


class Channel:
    """One end of a socket pair, for whole messages and the descriptors that come with them.

    `longest` bounds the messages that are accepted: a length beyond it was not written by the other end of a channel.
    """

    def __init__(self, sock: socket.socket, *, blocking: bool = True, longest: int = 1 << 32) -> None:
        self.sock = sock
        self.longest = longest
        sock.setblocking(blocking)
        self._buffer = bytearray()
        self._fds: deque[list[int]] = deque()
        self._unsent: deque[_Unsent] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self.sock.fileno()

    # --- on a loop -----------------------------------------------------------------------------------------

    def listen(self, loop: asyncio.AbstractEventLoop, heard: Callable[..., None], *args: Any) -> None:
        """Never block from now on; call `heard` whenever there is something to receive."""
        self.sock.setblocking(False)
        self._loop = loop
        loop.add_reader(self.sock.fileno(), heard, *args)
        if self._unsent:
            loop.add_writer(self.sock.fileno(), self.flush)

    def ignore(self) -> None:
        """Leave the loop."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self.sock.fileno())
            self._loop.remove_writer(self.sock.fileno())
        self._loop = None

    # --- sending -------------------------------------------------------------------------------------------

    def is_full(self) -> bool:
        """Whether there is something to `flush` once the socket can be written to."""
        return bool(self._unsent)

    def send(self, message: Message, *fds: int) -> None:
        """Send a message; raises OSError when the other end is gone.

        The descriptors are the channel's from now on: they are closed here once they have been sent.
        """
        self.send_packed(pack(message), *fds)

    def send_packed(self, data: bytes, *fds: int) -> None:
        """Send one or more messages as they travel."""
        if self._unsent:
            self._keep(data, fds)
            return
        sent = 0
        try:
            while sent < len(data):
                sent += self._write(data[sent:] if sent else data, () if sent else fds)
        except BlockingIOError:
            self._keep(data[sent:], () if sent else fds)
            if self._loop is not None:
                self._loop.add_writer(self.sock.fileno(), self.flush)
            fds = fds if sent else ()
        finally:
            _close(fds)

    def flush(self) -> None:
        """Write what was kept, as far as the socket takes it. What nobody will ever read is dropped."""
        try:
            while self._unsent:
                first = self._unsent[0]
                with memoryview(first.data) as view, view[: 4 * AT_ONCE] as start:
                    sent = self._write(start, first.fds)
                _close(first.fds)
                first.fds = ()
                del first.data[:sent]
                if not first.data:
                    self._unsent.popleft()
        except BlockingIOError:
            return
        except OSError:  # the other end is gone, which whoever receives finds out
            self._drop()
        if self._loop is not None:
            self._loop.remove_writer(self.sock.fileno())

    def _write(self, data: bytes | memoryview, fds: tuple[int, ...]) -> int:
        try:
            return socket.send_fds(self.sock, [data], list(fds)) if fds else self.sock.send(data)
        except OSError as error:
            if error.errno in _NOT_NOW:
                raise BlockingIOError(error.errno, error.strerror) from None
            raise

    def _keep(self, data: bytes, fds: tuple[int, ...]) -> None:
        if fds or not self._unsent:  # descriptors travel with the first byte of their own message
            self._unsent.append(_Unsent(bytearray(data), fds))
        else:
            self._unsent[-1].data += data

    def _drop(self) -> None:
        while self._unsent:
            _close(self._unsent.popleft().fds)

    # --- receiving -----------------------------------------------------------------------------------------

    def receive(self, patience: float = 0.0) -> list[Message] | None:
        """Read once and return the messages that are now complete; None when the other end is gone.

        With `patience`, look for so many seconds before going to sleep: to be woken takes longer than a quick answer.
        Raises ValueError or RecursionError for what is no message.
        """
        if patience:
            self._look_out(patience)
        try:
            data, fds, flags, _ = socket.recv_fds(self.sock, AT_ONCE, 16)
        except BlockingIOError:
            return []
        except ConnectionError:
            return None
        if fds or flags & socket.MSG_CTRUNC:  # cut: this process may open no more of them
            self._fds.append(list(fds))
        if not data:
            return None
        self._buffer += data
        messages = []
        start = 0
        while len(self._buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, start)
            if length > self.longest:
                raise ValueError(f"a message of {length} bytes")
            end = start + _LENGTH.size + length
            if len(self._buffer) < end:
                break
            messages.append(
                json.loads(self._buffer[start + _LENGTH.size : end].decode("utf-8", "surrogatepass"))
            )
            start = end
        del self._buffer[:start]
        return messages

    def _look_out(self, patience: float) -> None:
        until = time.perf_counter() + patience
        while time.perf_counter() < until:
            try:
                self.sock.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK)
            except BlockingIOError:
                continue
            except OSError:
                pass
            return

    def take_fds(self) -> list[int]:
        """The descriptors of the next message that came with some: fewer than were sent, if no more could be opened."""
        return self._fds.popleft()

    def close(self) -> None:
        """Let go of this end, and of every descriptor that nobody took."""
        self.ignore()
        self.sock.close()
        self._drop()
        while self._fds:
            _close(self._fds.popleft())


def _close(fds: tuple[int, ...] | list[int]) -> None:
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)
