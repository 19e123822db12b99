"""Time as an object: reading and formatting it, and a clock that tests control."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.clock import FakeClock, SteadyClock, from_rfc3339, to_rfc3339

MOMENTS = st.integers(0, 4_102_444_800_000).map(lambda millis: millis / 1000)


def test_a_moment_is_written_in_utc_with_milliseconds() -> None:
    assert to_rfc3339(1_759_485_600.123) == "2025-10-03T10:00:00.123Z"


def test_a_moment_is_rounded_not_cut() -> None:
    assert to_rfc3339(1_759_485_599.9996) == "2025-10-03T10:00:00.000Z"


@given(MOMENTS, MOMENTS)
def test_what_is_written_is_what_is_read(one: float, other: float) -> None:
    assert [from_rfc3339(to_rfc3339(moment)) for moment in (one, other, one)] == [one, other, one]


@given(MOMENTS, MOMENTS)
def test_texts_sort_as_their_moments_do(one: float, other: float) -> None:
    assert (to_rfc3339(one) < to_rfc3339(other)) == (one < other)


def test_other_zones_and_none_are_understood() -> None:
    assert from_rfc3339("2025-10-03T12:00:00+02:00") == from_rfc3339("2025-10-03T10:00:00") == 1_759_485_600


@pytest.mark.parametrize("text", ["", "now", "2025-13-01T00:00:00Z"])
def test_other_text_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError):
        from_rfc3339(text)


def test_the_steady_clock_agrees_with_the_systems_and_never_goes_back() -> None:
    before = time.time()
    clock = SteadyClock()
    readings = [clock.now() for _ in range(1000)]
    assert readings == sorted(readings)
    assert before - 1 < readings[0] <= readings[-1] < time.time() + 1


def test_the_steady_clock_returns_whole_milliseconds() -> None:
    now = SteadyClock().now()
    assert now == round(now, 3)


def test_the_steady_clock_waits_until_the_moment() -> None:
    clock = SteadyClock()
    begun = clock.now()
    asyncio.run(clock.wait(asyncio.Event(), begun + 0.02))
    assert 0.015 < clock.now() - begun < 60


def test_the_steady_clock_wakes_when_something_happens() -> None:
    async def story() -> float:
        clock, event = SteadyClock(), asyncio.Event()
        asyncio.get_running_loop().call_soon(event.set)
        await clock.wait(event, clock.now() + 600)
        await clock.wait(event, None)
        return clock.now()

    begun = SteadyClock().now()
    assert asyncio.run(story()) - begun < 60


def test_a_moment_that_has_passed_is_not_waited_for() -> None:
    async def waited() -> None:
        async with asyncio.timeout(60):  # the event is never set
            await SteadyClock().wait(asyncio.Event(), 0.0)

    asyncio.run(waited())


def test_the_fake_clock_stands_still() -> None:
    clock = FakeClock(start=100.0)
    assert (clock.now(), clock.now()) == (100.0, 100.0)


def test_the_fake_clock_is_moved_by_hand() -> None:
    clock = FakeClock(start=100.0)
    clock.advance(0.5)
    assert clock.now() == 100.5


def test_waiting_moves_the_fake_clock_to_the_end_of_the_wait_and_never_back() -> None:
    clock = FakeClock(start=100.0)
    asyncio.run(clock.wait(asyncio.Event(), 160.0))
    asyncio.run(clock.wait(asyncio.Event(), 130.0))
    assert clock.now() == 160.0


def test_work_in_the_same_process_comes_before_time_passes() -> None:
    async def story() -> float:
        clock, event = FakeClock(start=100.0), asyncio.Event()

        async def work() -> None:
            await asyncio.sleep(0)
            event.set()

        task = asyncio.create_task(work())
        await clock.wait(event, 160.0)
        await task
        return clock.now()

    assert asyncio.run(story()) == 100.0


def test_any_year_has_four_digits() -> None:
    text = "0001-01-01T00:00:00.000Z"
    assert to_rfc3339(from_rfc3339(text)) == text
