"""What SIGINT and SIGTERM do before and between runs. While a run is driven, `cli/run_signals` has its own handlers.

Imports next to nothing: the command line calls it before anything else.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # `signal` imports enum, during which Ctrl-C would be a traceback
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

_ENDING = (_signal.SIGINT, _signal.SIGTERM)


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
