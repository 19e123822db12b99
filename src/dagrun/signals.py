"""What SIGINT and SIGTERM do before and between runs. A running run has its own handlers (`runtime/driver.py`).

Imports almost nothing, because the command line uses it before anything else.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # `signal` imports enum, during which Ctrl-C would be a traceback
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, Self

_EXIT_SIGNALS = (_signal.SIGINT, _signal.SIGTERM)
_CANCEL_SIGNALS = (*_EXIT_SIGNALS, _signal.SIGHUP)


def leave_quietly() -> None:
    """From now on SIGINT and SIGTERM end the process at once, without a message and with exit code 130 or 143.

    An exception would print a traceback wherever Python cannot propagate it: in an import, a callback, a destructor.
    A keeper that has been started notices, and ends what it owns.
    """
    for signum in _EXIT_SIGNALS:
        if _signal.getsignal(signum) != _signal.SIG_IGN:  # nohup and scripts do so for background commands
            _signal.signal(signum, _leave)


def _leave(signum: int, _frame: FrameType | None) -> None:
    os._exit(128 + signum)


class held:
    """Within the block, signals that cancel a run are held until the run can `take` them.

    Blocks may be nested: the outermost one holds the signals. Those that nobody has taken are delivered after it.
    Outside the main thread it does nothing, because no signals arrive there.
    """

    def __init__(self) -> None:
        self._arrived: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for signum in _CANCEL_SIGNALS:
            before = _signal.getsignal(signum)
            outer = getattr(before, "__self__", None)
            if isinstance(outer, held):
                return outer  # type: ignore[return-value]
            if before in (_signal.SIG_IGN, None):
                continue
            try:
                self._before[signum] = _signal.signal(signum, self._hold)
            except ValueError:  # not the main thread
                break
        return self

    def __exit__(self, *_: object) -> None:
        for signum, handler in self._before.items():
            _signal.signal(signum, handler)
        for signum in self.take():
            _signal.raise_signal(signum)

    def take(self) -> list[int]:
        """The signals that have arrived so far. They are not delivered again."""
        taken, self._arrived = self._arrived, []
        return taken

    def _hold(self, signum: int, _frame: FrameType | None) -> None:
        self._arrived.append(signum)
