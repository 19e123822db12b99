"""Messages between dagrun, its keeper and its workers: JSON with a length before it, over a socket pair.

A channel that is attached to a loop, or was made with `blocking=False`, never blocks: bytes that the socket does not
accept are buffered, and written when the other end has read. So two ends can never wait for each other.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from dagrun.fast_json import decode, encode

if TYPE_CHECKING:
    import asyncio

Message = dict[str, Any]

#: Bytes per read. For larger buffers malloc asks the system for memory each time, which is six times as slow.
CHUNK = 64 * 1024
#: Seconds of polling for the answer to something quick before going to sleep.
POLL_TIME = 0.0002
#: The number of a prefetched call, as it is in the pipe from which a worker, or dagrun, takes it.
TICKET = struct.Struct("=Q")
_LENGTH = struct.Struct(">I")
#: Errors that mean: no room now, for bytes or for descriptors that were sent and not received yet.
_NO_ROOM = (errno.ENOBUFS, errno.ETOOMANYREFS)


def pack(message: Message) -> bytes:
    """The bytes of a message. Raises TypeError, ValueError or RecursionError for a value that JSON cannot represent."""
    body = encode(message)
    if len(body) >= 1 << 32:
        raise ValueError(f"a message of {len(body)} bytes is too long")
    return _LENGTH.pack(len(body)) + body


class _Unsent(msgspec.Struct):
    """Bytes that the socket has not accepted yet, and the descriptors to send with the first of them."""

    data: bytearray
    fds: tuple[int, ...]


class Channel:
    """One end of a socket pair. Sends and receives whole messages, and descriptors that come with them.

    `longest` limits the messages that are accepted: a greater length was not written by the other end of a channel.
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

    def attach(self, loop: asyncio.AbstractEventLoop, callback: Callable[..., None], *args: Any) -> None:
        """Never block from now on, and call `callback` whenever there is something to receive."""
        self.sock.setblocking(False)
        self._loop = loop
        loop.add_reader(self.sock.fileno(), callback, *args)
        if self._unsent:
            loop.add_writer(self.sock.fileno(), self.flush)

    def detach(self) -> None:
        """Leave the loop."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self.sock.fileno())
            self._loop.remove_writer(self.sock.fileno())
        self._loop = None

    # --- sending -------------------------------------------------------------------------------------------

    def has_unsent(self) -> bool:
        """Whether there is something to `flush` once the socket is writable."""
        return bool(self._unsent)

    def send(self, message: Message, *fds: int) -> None:
        """Send a message. Raises OSError when the other end is closed.

        Takes over the descriptors: they are closed here once they have been sent.
        """
        self.send_packed(pack(message), *fds)

    def send_packed(self, data: bytes, *fds: int) -> None:
        """Send the bytes of one or more messages."""
        if self._unsent:
            self._add_unsent(data, fds)
            return
        sent = 0
        try:
            while sent < len(data):
                sent += self._write(data[sent:] if sent else data, () if sent else fds)
        except BlockingIOError:
            self._add_unsent(data[sent:], () if sent else fds)
            if self._loop is not None:
                self._loop.add_writer(self.sock.fileno(), self.flush)
            fds = fds if sent else ()
        finally:
            _close(fds)

    def flush(self) -> None:
        """Write as much of the buffered data as the socket accepts. Drop it when the other end is closed."""
        try:
            while self._unsent:
                first = self._unsent[0]
                with memoryview(first.data) as view, view[: 4 * CHUNK] as start:
                    sent = self._write(start, first.fds)
                _close(first.fds)
                first.fds = ()
                del first.data[:sent]
                if not first.data:
                    self._unsent.popleft()
        except BlockingIOError:
            return
        except OSError:  # the other end is closed; `receive` reports that
            self._drop_unsent()
        if self._loop is not None:
            self._loop.remove_writer(self.sock.fileno())

    def _write(self, data: bytes | memoryview, fds: tuple[int, ...]) -> int:
        try:
            return socket.send_fds(self.sock, [data], list(fds)) if fds else self.sock.send(data)
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise BlockingIOError(error.errno, error.strerror) from None
            raise

    def _add_unsent(self, data: bytes, fds: tuple[int, ...]) -> None:
        if fds or not self._unsent:  # descriptors are sent with the first byte of their own message
            self._unsent.append(_Unsent(bytearray(data), fds))
        else:
            self._unsent[-1].data += data

    def _drop_unsent(self) -> None:
        while self._unsent:
            _close(self._unsent.popleft().fds)

    # --- receiving -----------------------------------------------------------------------------------------

    def receive(self, poll_time: float = 0.0) -> list[Message] | None:
        """Read once and return the messages that are now complete, or None when the other end is closed.

        With `poll_time`, poll for so many seconds before going to sleep: waking up takes longer than a quick answer.
        Raises ValueError or RecursionError for data that is not a message.
        """
        if poll_time:
            self._poll(poll_time)
        try:
            data, fds, flags, _ = socket.recv_fds(self.sock, CHUNK, 16)
        except BlockingIOError:
            return []
        except ConnectionError:
            return None
        if fds or flags & socket.MSG_CTRUNC:  # truncated: this process cannot open more descriptors
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
            messages.append(decode(self._buffer[start + _LENGTH.size : end]))
            start = end
        del self._buffer[:start]
        return messages

    def _poll(self, seconds: float) -> None:
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            try:
                self.sock.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK)
            except BlockingIOError:
                continue
            except OSError:
                pass
            return

    def take_fds(self) -> list[int]:
        """The descriptors of the next message that has some: fewer than were sent if this process cannot open more."""
        return self._fds.popleft()

    def close(self) -> None:
        """Close this end, and every descriptor that was received and not taken."""
        self.detach()
        self.sock.close()
        self._drop_unsent()
        while self._fds:
            _close(self._fds.popleft())


def _close(fds: tuple[int, ...] | list[int]) -> None:
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)
