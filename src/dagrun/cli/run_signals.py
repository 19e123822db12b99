"""Signals while the command line drives a run: the first one cancels the run, the second one kills its processes."""

from __future__ import annotations

import contextlib
import getpass
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from dagrun.app.stretch import Cancellation

T = TypeVar("T")

CANCELLING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class SignalCancellation(Cancellation):
    """Cancels the run when a signal arrives. Until the run is about to exist, signals end the process as before."""

    def __init__(self) -> None:
        super().__init__()
        #: The first signal that arrived.
        self.received: int | None = None
        self._handlers: dict[int, Any] = {}

    def commit(self) -> None:
        """From here on a signal is recorded: its handler runs when control returns to the loop, after `attach`."""
        import asyncio

        loop = asyncio.get_running_loop()
        for signum in CANCELLING:
            handler = signal.getsignal(signum)
            if handler is not signal.SIG_IGN:  # ignored as by nohup, or in the background of a script
                self._handlers[signum] = handler
                loop.add_signal_handler(signum, self._on_signal, signum)

    def restore(self) -> None:
        """Give signals the meaning that they had before `commit`. On the loop: closing it would set the default handlers."""
        import asyncio

        loop = asyncio.get_running_loop()
        for signum, handler in self._handlers.items():
            loop.remove_signal_handler(signum)
            signal.signal(signum, handler)
        self._handlers.clear()

    def _on_signal(self, signum: int) -> None:
        if self.received is None:
            self.received = signum
            self.cancel(login(), signal.Signals(signum).name)
        else:
            self.kill()


def drive(start: Callable[[SignalCancellation], Coroutine[Any, Any, T]]) -> tuple[T, int | None]:
    """Run a coroutine that drives one run; its result, and the signal that cancelled the run. Main thread only."""
    import asyncio

    cancellation = SignalCancellation()

    async def main() -> T:
        try:
            return await start(cancellation)
        finally:
            cancellation.restore()

    return asyncio.run(main()), cancellation.received


def login() -> str:
    """The name of the user who runs this process; `unknown` when the user id has no name, as in containers."""
    with contextlib.suppress(KeyError, OSError):
        return getpass.getuser()
    return "unknown"
