"""The keeper as dagrun sees it: how it is started, the channel to it, and how it is waited for."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, NoReturn

from dagrun.errors import EnvironmentFailure
from dagrun.executors.local import processes
from dagrun.executors.local.channel import Channel, Message
from dagrun.executors.local.keeper import Keeper

if TYPE_CHECKING:
    import asyncio  # imported at run time only where there is a loop: reading the registry needs none

#: The program of a keeper that is not forked. Its arguments: the descriptor of its socket, and the paths for imports.
_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[2:]; from dagrun.executors.local import keeper_handle; "
    "keeper_handle.serve(int(sys.argv[1]))"
)
#: Signals that are held back until the new keeper has handlers.
_BLOCKED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class KeeperHandle:
    """A keeper process. It exits, and ends everything that it owns, when the channel to it closes."""

    def __init__(self) -> None:
        """Start it. Raises EnvironmentFailure.

        A fork is fast, but unsafe when this process has other threads, as they may hold locks; then the keeper is a
        fresh interpreter.
        """
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self.pid = _fork(ours, theirs) if processes.thread_count() == 1 else _spawn(theirs)
        except OSError as error:
            ours.close()
            raise EnvironmentFailure(f"cannot start the keeper process: {error.strerror}") from error
        self.channel = Channel(ours)

    def send(self, message: Message) -> None:
        """Request something. A keeper that is dead is noticed as the end of its channel."""
        with contextlib.suppress(OSError):
            self.channel.send(message)

    def send_packed(self, data: bytes) -> None:
        """The same for the bytes of messages."""
        with contextlib.suppress(OSError):
            self.channel.send_packed(data)

    async def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let the keeper end everything, and wait for its exit without blocking the loop."""
        exited = loop.create_future()

        def receive() -> None:
            try:
                ended = self.channel.receive() is None
            except (ValueError, RecursionError):
                ended = False
            if ended and not exited.done():
                exited.set_result(None)

        with contextlib.suppress(OSError):
            self.channel.sock.shutdown(socket.SHUT_WR)
            os.kill(self.pid, signal.SIGCONT)  # a stopped keeper would never exit
            self.channel.attach(loop, receive)
            await exited
        self.wait()

    def wait(self) -> None:
        """Close the channel and wait until the keeper has ended everything and has exited."""
        self.channel.close()
        with contextlib.suppress(ChildProcessError, ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)  # a stopped keeper would never exit
            os.waitpid(self.pid, 0)


def _fork(ours: socket.socket, theirs: socket.socket) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    try:
        ours.close()
        Keeper(theirs).run()
    finally:
        os._exit(70)  # not reached: `run` exits


def _spawn(theirs: socket.socket) -> int:
    target = 3 if theirs.fileno() != 3 else 4  # a descriptor that is copied to itself may stay closed on exec
    return os.posix_spawn(
        sys.executable, [sys.executable, "-P", "-c", _PROGRAM, str(target), *map(str, sys.path)], os.environ,
        file_actions=((os.POSIX_SPAWN_DUP2, theirs.fileno(), target),), setsid=True, setsigmask=_BLOCKED,
    )  # fmt: skip


def serve(fd: int) -> NoReturn:
    """Be the keeper: the whole program of a fresh interpreter."""
    sock = socket.socket(fileno=fd)
    sock.set_inheritable(False)  # else every command would keep the channel open
    Keeper(sock).run()
