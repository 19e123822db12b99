"""Signals that arrive before a run can take them are held for it."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from dagrun.signals import held


@pytest.fixture(autouse=True)
def received() -> Iterator[list[int]]:
    """The signals that the handlers outside the block have received."""
    received: list[int] = []
    before = {
        signum: signal.signal(signum, lambda number, _: received.append(number))
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    yield received
    for signum, handler in before.items():
        signal.signal(signum, handler)


def test_a_signal_is_held_until_it_is_taken(received: list[int]) -> None:
    with held() as signals:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGHUP)
        assert signals.take() == [signal.SIGINT, signal.SIGHUP]
    assert received == []


def test_a_signal_that_was_not_taken_is_delivered_after_the_block(received: list[int]) -> None:
    with held():
        signal.raise_signal(signal.SIGTERM)
        assert received == []
    assert received == [signal.SIGTERM]


def test_the_outermost_block_holds_the_signals(received: list[int]) -> None:
    with held():
        signal.raise_signal(signal.SIGINT)
        with held() as inner:
            signal.raise_signal(signal.SIGTERM)
            assert inner.take() == [signal.SIGINT, signal.SIGTERM]
        signal.raise_signal(signal.SIGTERM)
        assert received == []
    assert received == [signal.SIGTERM]


def test_a_signal_that_is_ignored_stays_ignored(received: list[int]) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with held() as signals:
        signal.raise_signal(signal.SIGHUP)
        assert signals.take() == []
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
