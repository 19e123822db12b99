"""Signals while the command line serves schedules: they wake the scheduler up."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable
from types import FrameType
from typing import Self


class SignalBell:
    """Wakes a scheduler up on SIGINT, SIGTERM, SIGHUP and whenever a child process ends. Main thread only.

    As process 1, which adopts every orphan, it calls `reap` whenever it wakes up.
    """

    def __init__(self, reap: Callable[[], None] = lambda: None) -> None:
        self.stops = 0
        self.reloads = 0
        self._reap = reap if os.getpid() == 1 and hasattr(os, "waitid") else lambda: None
        self._reader, self._writer = os.pipe()  # not inheritable
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)
        self._before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._handlers = {
            signum: signal.signal(signum, self._stop)
            for signum in (signal.SIGINT, signal.SIGTERM)
            if signal.getsignal(signum) is not signal.SIG_IGN  # started in the background of a script
        }
        self._handlers[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._reload)
        self._handlers[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)

    def wait(self, seconds: float) -> None:
        """Return after `seconds`, or as soon as a signal arrives."""
        readable, _, _ = select.select([self._reader], [], [], seconds)
        if readable:
            with contextlib.suppress(BlockingIOError):
                os.read(self._reader, 4096)
        with contextlib.suppress(ChildProcessError):  # there are no child processes
            self._reap()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Restore the signal handlers from before."""
        for signum, handler in self._handlers.items():
            signal.signal(signum, handler)
        signal.set_wakeup_fd(self._before)
        os.close(self._reader)
        os.close(self._writer)

    def _stop(self, _signum: int, _frame: FrameType | None) -> None:
        self.stops += 1

    def _reload(self, _signum: int, _frame: FrameType | None) -> None:
        self.reloads += 1
