"""SIGINT and SIGTERM before and between runs. While dagrun drives a run, `cli/run_signals` has its own handlers.

The command line calls it first, so it imports almost nothing.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # `signal` imports enum, during which Ctrl-C would be a traceback
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

_SIGNALS = (_signal.SIGINT, _signal.SIGTERM)


def exit_on_signals() -> None:
    """Make SIGINT and SIGTERM end the process at once, silently, with exit code 130 or 143.

    An exception would show a traceback where Python cannot pass it on: in an import, a callback, a destructor.
    A keeper that has been forked notices the end of this process, and ends its own processes.
    """
    for signum in _SIGNALS:
        if (
            _signal.getsignal(signum) != _signal.SIG_IGN
        ):  # as nohup and scripts set it for background commands
            _signal.signal(signum, _exit)


def _exit(signum: int, _frame: FrameType | None) -> None:
    os._exit(128 + signum)
