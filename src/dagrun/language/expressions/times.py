"""Times in expressions: formatting a time or a day for a time zone, and shifting it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from dagrun.language.expressions.comparing import shown_text

#: Directives that every platform understands alike.
_DIRECTIVES: Final = "aAbBdfGHIjmMpSuVyYzZ%"
_DIRECTIVE: Final = re.compile("%(.?)", re.DOTALL)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SHIFT: Final = re.compile(
    r"([+-]?)(?=\d)(?:(\d+)w)?(?:(\d+)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?"
)


def format_time(time: str, pattern: str, zone: str = "UTC") -> str:
    """A time formatted for a time zone; a day without a time is the same in all zones. Raises ValueError."""
    if problem := pattern_problem(pattern):
        raise ValueError(problem)
    info = find_zone(zone)
    moment = _read(time)
    shown = moment if not isinstance(moment, datetime) else _moved(moment, info)
    # Platforms differ in the number of digits of a year below 1000.
    return _DIRECTIVE.sub(
        lambda part: f"{shown.year:04d}" if part[1] == "Y" else shown.strftime(part[0]), pattern
    )


def shift_time(time: str, by: str) -> str:
    """A later time, or with `-` an earlier one. The result for a day without a time is a day. Raises ValueError."""
    delta = read_shift(by)
    moment = _read(time)
    if not isinstance(moment, datetime) and delta % timedelta(days=1):
        raise ValueError(f"'{time}' is a day: shift it by whole days, such as '-1d'")
    try:
        shifted = moment + delta
    except OverflowError:
        raise ValueError(f"'{time}' shifted by '{by}' is outside the years 1 to 9999") from None
    if not isinstance(shifted, datetime):
        return shifted.isoformat()
    return shifted.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def pattern_problem(pattern: str) -> str:
    """Why a pattern is not valid; empty if it is."""
    for found in _DIRECTIVE.finditer(pattern):
        if not found[1] or found[1] not in _DIRECTIVES:
            return f"'{found[0]}' is not supported; write for example %Y-%m-%d %H:%M:%S, and %% for a percent sign"
    return ""


def find_zone(name: str) -> tzinfo:
    """The time zone with this name. Raises ValueError."""
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo  # rarely needed, and not free to import

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; a path; a directory
        raise ValueError(
            f"unknown time zone '{shown_text(name)}'; write for example 'Europe/Berlin'"
        ) from None


def read_shift(by: str) -> timedelta:
    """The difference that a text such as `-1d` or `2h30m` describes. Raises ValueError."""
    match = _SHIFT.fullmatch(by.strip())
    if match is None:
        raise ValueError(
            f"'{shown_text(by)}' is not a time difference; write for example '-1d', '2w', '12h' or '1h30m'"
        )
    weeks, days, hours, minutes, seconds = (float(part or 0) for part in match.groups()[1:])
    try:
        delta = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        raise ValueError(f"'{shown_text(by)}' is too large") from None
    return -delta if match[1] == "-" else delta


def _read(time: str) -> date:
    """The time, or the day, that a text describes."""
    try:
        if _DAY.fullmatch(time):
            return date.fromisoformat(time)
        moment = datetime.fromisoformat(time)
    except ValueError:
        raise ValueError(
            f"'{shown_text(time)}' is not a time; write for example 2026-01-31T09:00:00Z, or a day"
        ) from None
    if moment.tzinfo is None:
        raise ValueError(f"'{time}' has no time zone; write {time}Z, or an offset such as +02:00")
    return moment


def _moved(moment: datetime, zone: tzinfo) -> datetime:
    try:
        return moment.astimezone(zone)
    except OverflowError:
        raise ValueError(f"'{moment.isoformat()}' is outside the years 1 to 9999 in that time zone") from None
