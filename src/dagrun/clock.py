"""Time as an object: the real clock, and one that a test moves by hand."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio  # 30 ms that `validate` does not need: the two waits below import it


_OLDEST = 60.0  # seconds: a process of a command line is no older when it asks for its start


class Clock(Protocol):
    """What the engine may ask of time. All times are seconds since the epoch, UTC, whole milliseconds."""

    def now(self) -> float:
        """The present moment; never goes backwards within one process."""
        ...

    async def wait(self, event: asyncio.Event, until: float | None) -> None:
        """Return when `event` is set or, if `until` is given, when that moment has come."""
        ...


class SteadyClock:
    """The system's time, read once, then carried on by a clock that never jumps.

    So durations are true and a journal's timestamps never go backwards when somebody sets the system's clock.
    The carrying clock counts the time a laptop sleeps, where the system has such a clock.
    """

    _id = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

    def __init__(self) -> None:
        self._offset = time.time() - time.clock_gettime(self._id)

    def now(self) -> float:
        """The present moment, in whole milliseconds: what is recorded is what was decided upon."""
        return round(self._offset + time.clock_gettime(self._id), 3)

    async def wait(self, event: asyncio.Event, until: float | None) -> None:
        """Sleep until `event` is set or `until` has come."""
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
    """The moment at which this process was started, where the system tells it; else the present one."""
    now = time.time()
    try:
        with open("/proc/self/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (AttributeError, OSError, ValueError, IndexError):
        return now
    return now - age if 0 <= age < _OLDEST else now


class FakeClock:
    """A clock that stands still until somebody waits; then it jumps to the end of the wait.

    It lets the loop run everything that is ready first, so work done in the same process comes before time passes.
    """

    def __init__(self, start: float = 1_759_485_600.0, patience: int = 25) -> None:
        self._now = start
        self._patience = patience

    def now(self) -> float:
        """The moment the test has reached."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now = round(self._now + seconds, 3)

    async def wait(self, event: asyncio.Event, until: float | None) -> None:
        """Give every ready coroutine a turn, then jump to `until` if nothing set `event`."""
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
    """A moment as RFC 3339 text in UTC with milliseconds, `2025-10-03T10:00:00.123Z`."""
    global _second, _prefix
    millis = round(moment * 1000)
    second, rest = divmod(millis, 1000)
    if second != _second:  # strftime is most of the cost, and events come many to the second
        _second, _prefix = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
    return f"{_prefix}.{rest:03d}Z"


def from_rfc3339(text: str) -> float:
    """The moment that RFC 3339 text names; raises ValueError for other text."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp(), 3)
