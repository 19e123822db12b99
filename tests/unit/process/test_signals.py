"""Signals before and between runs end the process at once."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest


def ends_with(signum: int, before: str = "") -> tuple[int, str]:
    """The exit code and the output of a process that gets a signal after `exit_on_signals`."""
    program = f"import signal\n{before}\nfrom dagrun.process import signals\nsignals.exit_on_signals()\nsignal.raise_signal({signum})\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_process_without_a_traceback(signum: int) -> None:
    assert ends_with(signum) == (128 + signum, "")


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    assert ends_with(signal.SIGINT, "signal.signal(signal.SIGINT, signal.SIG_IGN)") == (0, "")
