"""What SIGINT and SIGTERM do before and between runs. A run that is under way has handlers of its own (`running.py`).

Imports next to nothing: the command line calls it before anything else.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # `signal` imports enum, during which Ctrl-C would be a traceback
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, Self

_ENDING = (_signal.SIGINT, _signal.SIGTERM)
_CANCELLING = (*_ENDING, _signal.SIGHUP)


def leave_quietly() -> None:
    """From now on SIGINT and SIGTERM end the process at once, with exit code 130 or 143 and without a word.

    An exception would be a traceback wherever Python cannot pass it on: in an import, a callback, a destructor.
    A keeper that has been forked notices, and ends what it owns.
    """
    for signum in _ENDING:
        if (
            _signal.getsignal(signum) != _signal.SIG_IGN
        ):  # as nohup and scripts set it for background commands
            _signal.signal(signum, _leave)


def _leave(signum: int, _frame: FrameType | None) -> None:
    os._exit(128 + signum)


class held:
    """Within the block, signals that cancel a run are kept until that run can take them.

    Blocks may be nested: the outermost one keeps them. Signals that nobody took are delivered after it.
    Outside the main thread it does nothing, since no signals arrive there.
    """

    def __init__(self) -> None:
        self._arrived: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for signum in _CANCELLING:
            before = _signal.getsignal(signum)
            outer = getattr(before, "__self__", None)
            if isinstance(outer, held):
                return outer  # type: ignore[return-value]
            if before in (_signal.SIG_IGN, None):
                continue
            try:
                self._before[signum] = _signal.signal(signum, self._keep)
            except ValueError:  # not the main thread
                break
        return self

    def __exit__(self, *_: object) -> None:
        for signum, handler in self._before.items():
            _signal.signal(signum, handler)
        for signum in self.take():
            _signal.raise_signal(signum)

    def take(self) -> list[int]:
        """The signals that have arrived so far; from now on they are the caller's."""
        taken, self._arrived = self._arrived, []
        return taken

    def _keep(self, signum: int, _frame: FrameType | None) -> None:
        self._arrived.append(signum)
