"""Times in expressions: how a moment or a day is written in some zone, and what lies before or after it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

#: Directives that every platform understands alike.
_DIRECTIVES: Final = "aAbBdfGHIjmMpSuVyYzZ%"
_DIRECTIVE: Final = re.compile("%(.?)", re.DOTALL)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SHIFT: Final = re.compile(
    r"([+-]?)(?=\d)(?:(\d+)w)?(?:(\d+)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?"
)


def format_time(time: str, pattern: str, zone: str = "UTC") -> str:
    """A time as `pattern` says, in a zone; a day without a time is the same in all of them. Raises ValueError."""
    if problem := pattern_problem(pattern):
        raise ValueError(problem)
    info = find_zone(zone)
    moment = _read(time)
    shown = moment if not isinstance(moment, datetime) else _moved(moment, info)
    # Platforms do not agree on how many digits a year below 1000 has.
    return _DIRECTIVE.sub(
        lambda part: f"{shown.year:04d}" if part[1] == "Y" else shown.strftime(part[0]), pattern
    )


def shift_time(time: str, by: str) -> str:
    """A time some while later, or earlier with `-`; of a day without a time a day again. Raises ValueError."""
    delta = read_shift(by)
    moment = _read(time)
    if not isinstance(moment, datetime) and delta % timedelta(days=1):
        raise ValueError(f"'{time}' is a day: shift it by whole days, such as '-1d'")
    try:
        shifted = moment + delta
    except OverflowError:
        raise ValueError(f"'{time}' shifted by '{by}' lies outside the years 1 to 9999") from None
    if not isinstance(shifted, datetime):
        return shifted.isoformat()
    return shifted.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def pattern_problem(pattern: str) -> str:
    """Why a pattern is none; empty if it is one."""
    for found in _DIRECTIVE.finditer(pattern):
        if not found[1] or found[1] not in _DIRECTIVES:
            return f"'{found[0]}' is not a part of a time; write %Y-%m-%d %H:%M:%S, and %% for a percent sign"
    return ""


def find_zone(name: str) -> tzinfo:
    """The zone of that name. Raises ValueError."""
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo  # seldom needed, and start-up is counted in milliseconds

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; a path; a directory
        raise ValueError(f"unknown time zone '{name}'; write one such as 'Europe/Berlin'") from None


def read_shift(by: str) -> timedelta:
    """How far a text such as `-1d` or `2h30m` shifts. Raises ValueError."""
    match = _SHIFT.fullmatch(by.strip())
    if match is None:
        raise ValueError(f"'{by}' is not a shift; write '-1d', '2w', '12h' or '1h30m'")
    weeks, days, hours, minutes, seconds = (float(part or 0) for part in match.groups()[1:])
    try:
        delta = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        raise ValueError(f"'{by}' is too far") from None
    return -delta if match[1] == "-" else delta


def _read(time: str) -> date:
    """The moment, or the day, that a text names."""
    try:
        if _DAY.fullmatch(time):
            return date.fromisoformat(time)
        moment = datetime.fromisoformat(time)
    except ValueError:
        raise ValueError(
            f"'{time}' is not a time; write one such as 2026-01-31T09:00:00Z, or a day"
        ) from None
    if moment.tzinfo is None:
        raise ValueError(f"'{time}' does not say in which zone; write {time}Z, or an offset such as +02:00")
    return moment


def _moved(moment: datetime, zone: tzinfo) -> datetime:
    try:
        return moment.astimezone(zone)
    except OverflowError:
        raise ValueError(f"'{moment.isoformat()}' lies outside the years 1 to 9999 there") from None
