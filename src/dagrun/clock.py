"""Time as an object: the real clock, and one that tests control."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio  # 30 ms that `validate` does not need: the `wait` methods import it


_OLDEST = 60.0  # seconds: a command asks for its start earlier than this


class Clock(Protocol):
    """The time, as the engine uses it: seconds since the epoch, UTC, in whole milliseconds."""

    def now(self) -> float:
        """The present time; never goes backwards within one process."""
        ...

    async def wait(self, event: asyncio.Event, until: float | None) -> None:
        """Return when `event` is set, or at the time `until` if it is given."""
        ...


class SteadyClock:
    """The system's time, read once, then advanced by a monotonic clock.

    So durations are true, and the timestamps of a journal never go backwards when the system's clock is set.
    The monotonic clock includes the time that a laptop sleeps, if the system has such a clock.
    """

    _id = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

    def __init__(self) -> None:
        self._offset = time.time() - time.clock_gettime(self._id)

    def now(self) -> float:
        """The present time in whole milliseconds, so that a recorded time is the one that was used to decide."""
        return round(self._offset + time.clock_gettime(self._id), 3)

    async def wait(self, event: asyncio.Event, until: float | None) -> None:
        """Sleep until `event` is set, or until the time `until`."""
        import asyncio

        if until is None:
            await event.wait()
            return
        delay = until - self.now()
        if delay <= 0 or event.is_set():
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(delay):
                await event.wait()
        except TimeoutError:
            pass


def process_start() -> float:
    """When this process was started, if the system reports it; else the present time."""
    now = time.time()
    try:
        with open("/proc/self/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (AttributeError, OSError, ValueError, IndexError):
        return now
    return now - age if 0 <= age < _OLDEST else now


class FakeClock:
    """A clock for tests. Its time changes only in `wait`, which jumps to the end of the wait, and in `advance`.

    Before it jumps, everything that is ready to run on the loop runs.
    """

    def __init__(self, start: float = 1_759_485_600.0, patience: int = 25) -> None:
        self._now = start
        self._patience = patience

    def now(self) -> float:
        """The present time of the test."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the time forward."""
        self._now = round(self._now + seconds, 3)

    async def wait(self, event: asyncio.Event, until: float | None) -> None:
        """Let every ready coroutine run, then jump to `until` if none of them set `event`."""
        import asyncio

        for _ in range(self._patience):
            if event.is_set():
                return
            await asyncio.sleep(0)
        if until is None:
            await event.wait()
            return
        self._now = max(self._now, until)


_second = -1
_prefix = ""


def to_rfc3339(moment: float) -> str:
    """A time as RFC 3339 text in UTC with milliseconds, `2025-10-03T10:00:00.123Z`."""
    global _second, _prefix
    millis = round(moment * 1000)
    second, rest = divmod(millis, 1000)
    if second != _second:  # strftime is most of the cost, and many events share a second
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        _second, _prefix = second, text.rjust(19, "0")  # strftime pads no year before 1000
    return f"{_prefix}.{rest:03d}Z"


def from_rfc3339(text: str) -> float:
    """The time of RFC 3339 text. Raises ValueError for other text."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp(), 3)
