"""When a cron expression comes true in a zone, by the rules of Debian's cron where clocks are put forward or back.

* A job with fixed times (neither its minute nor its hour field starts with `*`) runs once for each of its times: one that
  the clock leaps over runs at the first instant after the leap, one that the clock shows twice runs the first time.
* Any other job runs whenever the clock on the wall shows one of its times: not at all in a leap, twice in a repeated hour.

Minutes are whole numbers, counted from the epoch in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass

from dagrun.scheduling.cron import Cron
from dagrun.scheduling.timezones import OffsetPeriod, Zone


@dataclass(frozen=True, slots=True)
class Timetable:
    """A cron expression in its zone. Pure; costs no more than a look-up for each day and year on the way."""

    cron: Cron
    zone: Zone

    def next_after(self, moment: float) -> float | None:
        """The first moment later than `moment` (seconds since the epoch, UTC) at which it is time; None: never again."""
        found = self.first(int(moment // 60) + 1)
        return None if found is None else found * 60.0

    def first(self, minute: int) -> int | None:
        """The first fire at or after `minute`."""
        for span in self.zone.spans(minute):
            local = self.cron.first(self._from(span, minute))
            if local is None:
                return None
            # A fixed time that the clock leapt over comes before the span's own first minute.
            found = max(local - span.offset, span.start)
            if found < span.end:
                return found
        return None

    def last(self, before: int) -> int | None:
        """The last fire before `before`."""
        for span in self.zone.spans_back(before - 1):
            local = self.cron.last(min(before, span.end) + span.offset)
            if local is None:
                return None
            if local >= self._from(span, span.start):
                return max(local - span.offset, span.start)
        return None

    def count(self, first: int, before: int) -> int:
        """How many fires there are from `first` on and before `before`. Costs a step for each day and year at most."""
        total = 0
        for span in self.zone.spans(first):
            if span.start >= before:
                break
            start, own = self._from(span, first), max(first, span.start) + span.offset
            total += self.cron.count(max(start, own), min(before, span.end) + span.offset)
            # All that the clock leapt over is one fire, at the instant after the leap.
            if self.cron.count(start, own) and not self.cron.count(own, own + 1):
                total += 1
        return total

    def _from(self, span: OffsetPeriod, minute: int) -> int:
        """The local minute from which on the span answers for the job, when asked from `minute` on."""
        if not self.cron.fixed:
            return max(minute, span.start) + span.offset
        # What the clock showed before it was put back belongs to the span before; what it leapt over, to this one.
        begin = span.start + span.before
        return begin if minute <= span.start else max(minute + span.offset, begin)
