"""Time zones as periods of constant UTC offset, which is all that a timetable needs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

from dagrun.errors import did_you_mean
from dagrun.value import Value

#: Timetables begin here: in the year 1, the day before may not exist in another zone.
FIRST_YEAR = 2
#: Timetables end here: far beyond any plan, well within the range of datetime.
LAST_YEAR = 9000
_EPOCH_YEAR = 1970
#: Two changes of a clock are never nearer to one another than this.
_STEP = 6 * 60


class ZoneError(ValueError):
    """There is no such zone."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown time zone '{name[:60]}'")
        self.suggestion = _suggestion(name)


class OffsetPeriod(Value):
    """A period of constant offset within one year. `start` and `end` are minutes since the epoch, UTC."""

    start: int
    #: The first minute after it.
    end: int
    #: Minutes to add to UTC for local time.
    offset: int
    #: The offset before `start`.
    before: int


class Zone:
    """A time zone. Two of one name are equal."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._info = _info(name)
        self._years: dict[int, tuple[OffsetPeriod, ...]] = {}

    def __repr__(self) -> str:
        return f"Zone({self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Zone) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def periods(self, minute: int) -> Iterator[OffsetPeriod]:
        """The period that contains `minute` and all later ones."""
        for year in range(_year(minute), LAST_YEAR):
            for period in self._in(year):
                if period.end > minute:
                    yield period

    def periods_back(self, minute: int) -> Iterator[OffsetPeriod]:
        """The period that contains `minute` and all earlier ones, back to the epoch."""
        for year in range(_year(minute), _EPOCH_YEAR - 1, -1):
            for period in reversed(self._in(year)):
                if period.start <= minute:
                    yield period

    def offset(self, minute: int) -> int:
        """Minutes to add to UTC for local time."""
        moment = datetime.fromtimestamp(minute * 60, UTC).astimezone(self._info)
        delta = moment.utcoffset()
        return 0 if delta is None else int(delta.total_seconds() // 60)

    def minute_of(self, local: datetime) -> int:
        """The minute at which the clock first shows a local time; the first one after the gap if the clock skips it."""
        wanted = int(local.replace(tzinfo=UTC).timestamp() // 60)
        return next(
            max(wanted - period.offset, period.start)
            for period in self.periods(wanted - 26 * 60)
            if wanted < period.end + period.offset
        )

    def _in(self, year: int) -> tuple[OffsetPeriod, ...]:
        """The periods of a year, computed once."""
        found = self._years.get(year)
        if found is None:
            found = self._years[year] = tuple(self._found(_first_minute(year), _first_minute(year + 1)))
        return found

    def _found(self, start: int, end: int) -> Iterator[OffsetPeriod]:
        before = self.offset(start - 1)
        offset = self.offset(start)
        for at in range(start, end, _STEP):
            until = min(at + _STEP, end - 1)
            later = self.offset(until)
            if later != offset:
                change = self._change(at, until)
                yield OffsetPeriod(start, change, offset, before)
                start, before, offset = change, offset, later
        yield OffsetPeriod(start, end, offset, before)

    def _change(self, low: int, high: int) -> int:
        """The first minute after `low` with the offset that `high` has."""
        old = self.offset(low)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.offset(middle) == old else (low, middle)
        return high


@lru_cache(maxsize=1024)
def zone(name: str) -> Zone:
    """The zone of that name, `Europe/Berlin`. Raises ZoneError."""
    return Zone(name)


def _info(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; a path; a directory
        raise ZoneError(name) from None


def _suggestion(name: str) -> str:
    known = available_timezones()
    exact = next((one for one in known if one.lower() == name.lower()), None)
    city = next((one for one in sorted(known) if one.rpartition("/")[2].lower() == name.lower()), None)
    match = exact or city
    return f"did you mean '{match}'?" if match else did_you_mean(name, known)


def _year(minute: int) -> int:
    return datetime.fromtimestamp(minute * 60, UTC).year


@cache
def _first_minute(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp() // 60)
