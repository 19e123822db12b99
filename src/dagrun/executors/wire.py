"""Messages between dagrun, its keeper and its workers: JSON with a length before it, over a socket pair."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections import deque
from typing import Any

Message = dict[str, Any]

AT_ONCE = (
    64 * 1024
)  # bytes to ask for: for more than this, malloc asks the system for memory each time, six times as slow
LOOK_OUT = 0.0002  # seconds for which to look out for the answer to something quick
_LENGTH = struct.Struct(">I")
#: The number of a queued call, as it lies in the pipe from which whoever may begin it takes it.
TICKET = struct.Struct("=Q")
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def pack(message: Message) -> bytes:
    """A message as it travels."""
    body = _encode(message).encode("utf-8", "surrogatepass")
    return _LENGTH.pack(len(body)) + body


class Channel:
    """One end of a socket pair, for whole messages and the descriptors that come with them."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._buffer = bytearray()
        self._fds: deque[int] = deque()

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self.sock.fileno()

    def send(self, message: Message, *fds: int) -> None:
        """Send all of it; raises OSError when the other end is gone."""
        data = pack(message)
        if fds:
            sent = socket.send_fds(self.sock, [data], list(fds))
            data = data[sent:]
        if data:
            self.sock.sendall(data)

    def receive(self, patience: float = 0.0) -> list[Message] | None:
        """Read once and return the messages that are now complete; None when the other end is gone.

        With `patience`, look for so many seconds before going to sleep: to be woken takes longer than a quick answer.
        """
        if patience:
            self._look_out(patience)
        try:
            data, fds, _, _ = socket.recv_fds(self.sock, AT_ONCE, 16)
        except ConnectionError:
            return None
        self._fds.extend(fds)
        if not data:
            return None
        self._buffer += data
        messages = []
        start = 0
        while len(self._buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, start)
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

    def take_fd(self) -> int:
        """The next descriptor that came with a message."""
        return self._fds.popleft()

    def close(self) -> None:
        """Let go of this end."""
        self.sock.close()
        while self._fds:
            import os

            os.close(self._fds.popleft())
