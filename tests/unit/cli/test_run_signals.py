"""The first signal cancels a run, the second one kills it; before and after, signals mean what they did."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from typing import cast

import pytest

from dagrun.cli.run_signals import SignalCancellation, drive, login
from dagrun.runtime.driver import RunDriver


class Driver:
    """Records what it is asked to do, until it was asked so often."""

    def __init__(self, expected: int) -> None:
        self.asked: list[str] = []
        self.expected = expected
        self.was_asked = asyncio.Event()

    def cancel(self, by: str, reason: str = "") -> None:
        self._note(f"cancel by {by}: {reason}")

    def kill(self) -> None:
        self._note("kill")

    def _note(self, text: str) -> None:
        self.asked.append(text)
        if len(self.asked) == self.expected:
            self.was_asked.set()


@pytest.fixture
def outside() -> Iterator[list[int]]:
    """The signals that reach the handlers from before the run."""
    received: list[int] = []
    before = {
        signum: signal.signal(signum, lambda number, _: received.append(number))
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    yield received
    for signum, handler in before.items():
        signal.signal(signum, handler)


async def interrupted(cancellation: SignalCancellation, *signals: int) -> list[str]:
    """What the driver of a run is asked for when these signals arrive before it is attached."""
    cancellation.commit()
    for signum in signals:
        signal.raise_signal(signum)
    driver = Driver(len(signals))
    cancellation.attach(cast("RunDriver", driver))
    await driver.was_asked.wait()
    return driver.asked


def test_the_first_signal_cancels_and_the_second_kills(outside: list[int]) -> None:
    asked, received = drive(lambda cancellation: interrupted(cancellation, signal.SIGTERM, signal.SIGINT))
    assert asked == [f"cancel by {login()}: SIGTERM", "kill"]
    assert received == signal.SIGTERM
    assert outside == []


def test_before_the_run_exists_a_signal_is_not_kept(outside: list[int]) -> None:
    async def main(cancellation: SignalCancellation) -> None:
        signal.raise_signal(signal.SIGTERM)
        cancellation.commit()

    assert drive(main) == (None, None)
    assert outside == [signal.SIGTERM]


def test_after_the_run_signals_mean_what_they_did_before(outside: list[int]) -> None:
    drive(lambda cancellation: interrupted(cancellation, signal.SIGHUP))
    signal.raise_signal(signal.SIGHUP)
    assert outside == [signal.SIGHUP]


def test_a_signal_that_is_ignored_stays_ignored(outside: list[int]) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    async def main(cancellation: SignalCancellation) -> None:
        cancellation.commit()
        signal.raise_signal(signal.SIGHUP)

    assert drive(main) == (None, None)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
