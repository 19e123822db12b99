"""Signals that come before a run can take them are kept for it."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from dagrun.signals import held


@pytest.fixture(autouse=True)
def heard() -> Iterator[list[int]]:
    """What the handlers outside the block have heard."""
    heard: list[int] = []
    before = {
        signum: signal.signal(signum, lambda number, _: heard.append(number))
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    yield heard
    for signum, handler in before.items():
        signal.signal(signum, handler)


def test_a_signal_is_kept_for_whoever_takes_it(heard: list[int]) -> None:
    with held() as signals:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGHUP)
        assert signals.take() == [signal.SIGINT, signal.SIGHUP]
    assert heard == []


def test_a_signal_that_nobody_took_is_delivered_after_the_block(heard: list[int]) -> None:
    with held():
        signal.raise_signal(signal.SIGTERM)
        assert heard == []
    assert heard == [signal.SIGTERM]


def test_the_outermost_block_keeps_what_arrives(heard: list[int]) -> None:
    with held():
        signal.raise_signal(signal.SIGINT)
        with held() as inner:
            signal.raise_signal(signal.SIGTERM)
            assert inner.take() == [signal.SIGINT, signal.SIGTERM]
        signal.raise_signal(signal.SIGTERM)
        assert heard == []
    assert heard == [signal.SIGTERM]


def test_a_signal_that_is_ignored_stays_ignored(heard: list[int]) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with held() as signals:
        signal.raise_signal(signal.SIGHUP)
        assert signals.take() == []
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
