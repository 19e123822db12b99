"""Finds dates and deadlines in English text, and resolves those that the words define."""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta

from dagrun.shipped_workflows.shared.pattern import Pattern

_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

# Short names and "May" need their capital letter: "sat", "mar" and "may" are words too.
_MONTH = (
    r"(?:january|february|march|april|june|july|august|september|october|november|december"
    r"|(?-i:May|JANUARY|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec)\.?)(?![^\W\d_])"
)
_WEEKDAY = (
    r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|(?-i:Mon|Tues|Tue|Wed|Thurs|Thu|Fri|Sat|Sun)\.?)"
    r"(?![^\W\d_])"
)
_YEAR = r"(?:,?\s+(?:19|20)\d\d\b)?"
_NUMBER = r"[0-3]?\d(?:st|nd|rd|th)?"
_CALENDAR_DAY = (
    rf"(?:(?:19|20)\d\d[-/]\d\d[-/]\d\d(?!\d)"
    rf"|(?:{_WEEKDAY},?\s+)?(?:the\s+)?{_NUMBER}\s+(?:of\s+)?{_MONTH}{_YEAR}"
    rf"|(?:{_WEEKDAY},?\s+)?{_MONTH}\s+(?:the\s+)?{_NUMBER}\b{_YEAR})"
)
_PART = r"(?:\s+(?:morning|noon|lunchtime|afternoon|evening|night|midnight))?"
_FUTURE = (
    rf"(?:today|tonight|tomorrow{_PART}|this\s+(?:morning|afternoon|evening|week|month|quarter)"
    rf"|next\s+(?:week|month|quarter|year|{_WEEKDAY})"
    rf"|(?:the\s+)?end\s+of\s+(?:the\s+|this\s+|next\s+)?"
    rf"(?:day|week|month|quarter|year|today|tomorrow|{_WEEKDAY}|{_MONTH})"
    r"|(?-i:EOD|EOW|COB|EOM)\b|close\s+of\s+business)"
)
_PLAIN_DAY = rf"(?:{_WEEKDAY}(?:\s+the\s+\d{{1,2}}(?:st|nd|rd|th))?{_PART}|the\s+\d{{1,2}}(?:st|nd|rd|th)\b)"
_ANY = rf"(?:{_CALENDAR_DAY}|{_FUTURE}|{_PLAIN_DAY}|(?:noon|lunch(?:time)?)\b)"
_CUE = (
    r"(?:(?:by|before|until|till|no\s+later\s+than|not\s+later\s+than|at\s+the\s+latest(?:\s+on|\s+by)?"
    r"|due(?:\s+date)?(?:\s+(?:on|by|is|was))?|deadline(?:\s+(?:is|on))?|expires?(?:\s+on)?"
    r"|runs\s+out(?:\s+on)?"
    r"|closes?\s+on|ends?\s+on|valid\s+until):?\s+(?:on\s+)?)"
)

# ASCII: otherwise IGNORECASE accepts a long s for s and a Kelvin sign for k.
_FLAGS = re.IGNORECASE | re.ASCII

_CUED = Pattern(rf"\b{_CUE}{_ANY}", _FLAGS)
# "before the audit starts tomorrow"
_BEFORE_EVENT = Pattern(rf"\bbefore\s+(?:[\w'’-]+\s+){{1,4}}?(?:on\s+)?{_ANY}", _FLAGS)
_COMING = Pattern(rf"\b{_FUTURE}", _FLAGS)
_NAMED = Pattern(
    rf"\b(?:on\s+)?(?:{_CALENDAR_DAY}|{_PLAIN_DAY})(?=\s*(?:[,.;!?)]|$|and\b|at\b|with\b))", _FLAGS
)
_PAST = Pattern(r"\b(?:was|were|had|did|happened|went|came|broke|since|last|ago|said|[a-z]{3,}ed)\b", _FLAGS)

_ISO = Pattern(r"(?<!\d)((?:19|20)\d\d)([-/.]?)(\d\d)\2(\d\d)(?!\d)")
_DAY_MONTH = Pattern(rf"(?<!\d)([0-3]?\d)(?:st|nd|rd|th)?\s+(?:of\s+)?({_MONTH}){_YEAR}", _FLAGS)
_MONTH_DAY = Pattern(rf"\b({_MONTH})\s+(?:the\s+)?([0-3]?\d)(?:st|nd|rd|th)?\b(?!:){_YEAR}", _FLAGS)
_DOTTED = Pattern(r"(?<![\d.])([0-3]?\d)\.([01]?\d)\.((?:19|20)\d\d)(?![\d.])")
_FULL_YEAR = Pattern(r"\b(?:19|20)\d\d\b")
_ANY_WEEKDAY = Pattern(rf"\b{_WEEKDAY}", _FLAGS)
_NTH = Pattern(r"\bthe\s+(\d{1,2})(?:st|nd|rd|th)\b", _FLAGS)


def full_date(text: str) -> date | None:
    """The first date that has a year and exists: ISO, `7 October 2025`, `Oct 7, 2025`, `7.10.2025`."""
    found = [(match.start(), day) for match, day in _calendar_days(text, None) if day is not None]
    return min(found)[1] if found else None


def deadline_words(text: str) -> str | None:
    """The first deadline as written, with its cue: `by Friday 10 October`, `no later than noon`."""
    match = _cued(text)
    return match.group() if match else None


def _cued(text: str) -> re.Match[str] | None:
    match = _CUED.search(text)
    if match is None and (event := _BEFORE_EVENT.search(text)) and not _PAST.search(event.group()):
        return event
    return match


def due_words(text: str) -> str | None:
    """The due date of a promise as written: a deadline with a cue, else `tomorrow` or `next week`, else `on
    Thursday`.

    A day without a cue counts only at the end of a clause that is not about the past.
    """
    match = _cued(text) or _COMING.search(text)
    if match:
        return match.group()
    for match in _NAMED.finditer(text):
        if not _PAST.search(text[: match.start()]):
            return match.group()
    return None


def literal_date(words: str, anchor: date | None) -> date | None:
    """The date whose day and month the words name; a missing year is taken from `anchor`, the date of the text.

    None when day or month is missing, when the year is unknown, or when a weekday in the words contradicts.
    """
    days = [day for _, day in _calendar_days(words, anchor)]
    if len(days) != 1 or days[0] is None:
        return None
    weekday = _ANY_WEEKDAY.search(words)
    return None if weekday and _weekday(weekday.group()) != days[0].weekday() else days[0]


def resolve(words: str, base: date) -> date | None:
    """The day that words written on `base` mean; `by Friday` is the next Friday, `base` included."""
    for _, day in _calendar_days(words, base):
        return day
    text = words.lower()
    if "tomorrow" in text:
        return base + timedelta(days=1)
    if found := _NTH.search(text):
        return _next_day_of_month(int(found.group(1)), base)
    if weekday := _ANY_WEEKDAY.search(words):
        return _next_weekday(_weekday(weekday.group()), base, skip_week="next" in text)
    return _end_of_period(text, base)


def _calendar_days(text: str, anchor: date | None) -> list[tuple[re.Match[str], date | None]]:
    """Every day-and-month in the text, in order; None where it does not exist or its year is unknown."""
    found = [(m, _make(m[1], m[3], m[4])) for m in _ISO.finditer(text)]
    found += [(m, _make(m[3], m[2], m[1])) for m in _DOTTED.finditer(text)]
    found += [(m, _with_year(m, m[1], m[2], anchor)) for m in _DAY_MONTH.finditer(text)]
    taken = [m.span() for m, _ in found]
    for m in _MONTH_DAY.finditer(text):
        if all(m.end() <= start or m.start() >= end for start, end in taken):
            found.append((m, _with_year(m, m[2], m[1], anchor)))
    return sorted(found, key=lambda pair: pair[0].start())


def _with_year(match: re.Match[str], day: str, month: str, anchor: date | None) -> date | None:
    number = next(i for i, name in enumerate(_MONTHS, 1) if name.startswith(month.lower()[:3]))
    if year := _FULL_YEAR.search(match.group()):
        return _make(year.group(), str(number), day)
    if anchor is None:
        return None
    near = [_make(str(anchor.year + step), str(number), day) for step in (-1, 0, 1)]
    # Deadlines are in the future; one up to three months ago counts as overdue.
    return next((d for d in near if d and (d - anchor).days > -92), None)


def _make(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def _weekday(name: str) -> int:
    return next(i for i, full in enumerate(_WEEKDAYS) if full.startswith(name.lower()[:3]))


def _next_weekday(weekday: int, base: date, *, skip_week: bool) -> date:
    ahead = (weekday - base.weekday()) % 7
    if skip_week and base.weekday() + ahead < 7:
        ahead += 7
    return base + timedelta(days=ahead)


def _next_day_of_month(day: int, base: date) -> date | None:
    here = _make(str(base.year), str(base.month), str(day))
    if here and here >= base:
        return here
    following = _month_end(base) + timedelta(days=1)
    return _make(str(following.year), str(following.month), str(day))


def _month_end(day: date) -> date:
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def _end_of_period(text: str, base: date) -> date | None:
    friday = base + timedelta(days=4 - base.weekday())
    following = "next" in text
    if "week" in text or "eow" in text:
        return friday + timedelta(days=7) if following else max(friday, base)
    for number, name in enumerate(_MONTHS, 1):
        if name in text:
            year = base.year + (number < base.month)
            return _month_end(date(year, number, 1))
    if "month" in text or "eom" in text:
        return _month_end(_month_end(base) + timedelta(days=1)) if following else _month_end(base)
    if "quarter" in text:
        return _quarter_end(base, 1 if following else 0)
    if "year" in text:
        return date(base.year + following, 12, 31)
    return base  # today, tonight, noon, end of day


def _quarter_end(base: date, ahead: int) -> date:
    months = (base.month - 1) // 3 + 1 + ahead
    return _month_end(date(base.year + (months - 1) // 4, ((months - 1) % 4) * 3 + 3, 1))
