"""Signals wake a scheduler up."""

from __future__ import annotations

import signal
import time

from dagrun.cli.signal_bell import SignalBell


def test_signals_are_counted_and_end_the_wait() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with SignalBell() as bell:
        for signum in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.raise_signal(signum)
        start = time.monotonic()
        bell.wait(60)
        assert time.monotonic() - start < 30
        assert (bell.stops, bell.reloads) == (2, 1)
    assert signal.getsignal(signal.SIGTERM) is before


def test_without_a_signal_it_waits_as_long_as_asked() -> None:
    with SignalBell() as bell:
        start = time.monotonic()
        bell.wait(0.01)
        assert time.monotonic() - start >= 0.01
        assert (bell.stops, bell.reloads) == (0, 0)
