"""When a cron expression matches in a time zone, by the rules of Debian's cron where clocks are put forward or back.

* A job with fixed times (neither its minute nor its hour field starts with `*`) runs once for each of its times: a time that
  the clock skips runs at the first minute after the gap, a time that the clock shows twice runs the first time.
* Any other job runs whenever the local clock shows one of its times: not at all in a gap, twice in a repeated hour.

Minutes are whole numbers, counted from the epoch in UTC.
"""

from __future__ import annotations

from dagrun.scheduling.cron import Cron
from dagrun.scheduling.timezones import OffsetPeriod, Zone
from dagrun.value import Value


class Timetable(Value):
    """A cron expression in its zone. Pure; costs at most one look-up for each day and year in between."""

    cron: Cron
    zone: Zone

    def next_after(self, moment: float) -> float | None:
        """The first match after `moment`, both in seconds since the epoch (UTC); None: never again."""
        found = self.first(int(moment // 60) + 1)
        return None if found is None else found * 60.0

    def first(self, minute: int) -> int | None:
        """The first fire at or after `minute`."""
        for period in self.zone.periods(minute):
            local = self.cron.first(self._from(period, minute))
            if local is None:
                return None
            # A fixed time that the clock skipped is before the first minute of the period.
            found = max(local - period.offset, period.start)
            if found < period.end:
                return found
        return None

    def last(self, before: int) -> int | None:
        """The last fire before `before`."""
        for period in self.zone.periods_back(before - 1):
            local = self.cron.last(min(before, period.end) + period.offset)
            if local is None:
                return None
            if local >= self._from(period, period.start):
                return max(local - period.offset, period.start)
        return None

    def count(self, first: int, before: int) -> int:
        """How many fires there are from `first` on and before `before`. Costs at most one step for each day and year."""
        total = 0
        for period in self.zone.periods(first):
            if period.start >= before:
                break
            start, own = self._from(period, first), max(first, period.start) + period.offset
            total += self.cron.count(max(start, own), min(before, period.end) + period.offset)
            # All times that the clock skipped are one fire, at the first minute after the gap.
            if self.cron.count(start, own) and not self.cron.count(own, own + 1):
                total += 1
        return total

    def _from(self, period: OffsetPeriod, minute: int) -> int:
        """The first local minute of the job that belongs to the period, not before `minute`."""
        if not self.cron.fixed:
            return max(minute, period.start) + period.offset
        # Times that the clock shows twice belong to the period before; times that it skips, to this one.
        begin = period.start + period.before
        return begin if minute <= period.start else max(minute + period.offset, begin)
