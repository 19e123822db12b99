"""Reads a team's activity as dated entries: a table, JSON lines, or plain lines that begin with a date."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from dagrun.shipped_workflows.shared.dates import full_date
from dagrun.shipped_workflows.shared.local_files import InputText
from dagrun.shipped_workflows.shared.pattern import Pattern
from dagrun.shipped_workflows.shared.plain_text import squeeze


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event of the week; `line` is the 1-based line of the input."""

    day: date
    time: str
    kind: str
    person: str
    item: str
    detail: str
    line: int

    @property
    def words(self) -> str:
        """Item and detail in one text: `HBR-405: Alarm mail has the wrong unit`."""
        return ": ".join(filter(None, (self.item, self.detail)))


@dataclass(frozen=True, slots=True)
class Activity:
    """All entries, and the numbers of the lines of plain text that have no date."""

    entries: tuple[Entry, ...]
    undated: tuple[int, ...]


_COLUMNS = {
    "day": ("date", "day", "timestamp", "datetime", "when", "at", "created", "created_at"),
    "time": ("time", "hour"),
    "kind": ("kind", "type", "category", "event", "action"),
    "person": ("person", "who", "author", "user", "by", "name", "assignee", "owner"),
    "item": ("item", "id", "key", "ticket", "ref", "object", "repo", "project"),
    "detail": (
        "detail",
        "details",
        "title",
        "text",
        "summary",
        "description",
        "message",
        "subject",
        "what",
        "note",
    ),
}
_CLOCK = Pattern(r"\b([0-2]?\d:[0-5]\d)(?::\d\d)?\b")
_PLAIN = Pattern(
    r"(?:[-*•]\s+)?[\[(]?(?P<day>(?:19|20)\d\d-\d\d-\d\d)[\])]?"
    r"(?:[T ]\s*[\[(]?(?P<time>[0-2]?\d:[0-5]\d)(?::\d\d)?[\])]?Z?)?\s*[-–—:|,]?\s*(?P<text>.*)$"
)
_NAME = r"[^\W\d_][\w.'’-]*(?:\s+[^\W\d_][\w.'’-]*){0,2}"
# `Ana: text`, `text (by Ana)`, `text by Ana`
_FRONT_NAME = Pattern(rf"(?P<person>{_NAME}):\s+(?P<text>.+)$")
_BACK_NAME = Pattern(
    rf"(?P<text>.+)\s(?:\((?:by\s+)?(?P<person>[^\W\d_][^()]{{1,38}})\)|by\s+(?P<by>{_NAME}))\W*$"
)
_TICKET = r"(?:#\d+|\b[A-Z]{2,}-\d+)"
_GUESSES = tuple(
    (kind, Pattern(pattern, re.IGNORECASE))
    for kind, pattern in (
        (
            "incident resolved",
            r"\b(?:incident|outage|INC-\d+)\b.*\b(?:resolved|closed|over|ended|mitigated)\b",
        ),
        ("incident resolved", r"\bresolved\b.*\b(?:incident|outage|INC-\d+)"),
        ("incident opened", r"\b(?:incident|outage|INC-\d+)\b"),
        ("deployment", r"\b(?:deploy\w*|released?|rolled (?:out|back)|rollback|shipped)\b"),
        (
            "ticket closed",
            rf"\b(?:closed?|resolved?|fixed|done)\b.*{_TICKET}|{_TICKET}.*\b(?:closed|resolved|fixed|done)\b",
        ),
        ("ticket opened", r"\b(?:opened|reported|created|filed|raised)\b"),
        ("review", r"\breview"),
        ("commit", r"\b(?:commit\w*|pushed|merged?)\b"),
    )
)


def read_activity(source: InputText) -> Activity:
    """The entries of a text in any of the three forms. Raises ValueError, with the line, for an unreadable date."""
    first = next((line.strip() for line in source.lines if line.strip() and not line.startswith("#")), "")
    if first.startswith("{"):
        return Activity(tuple(_json_lines(source)), ())
    if heading := _heading(first):
        return Activity(tuple(_table(source, heading)), ())
    return _plain_lines(source)


def _heading(line: str) -> str | None:
    """The delimiter, if the line is a heading with a date column."""
    for delimiter in (",", ";", "\t", "|"):
        names = [name.strip().lower() for name in line.strip("|").split(delimiter)]
        if len(names) > 1 and any(name in _COLUMNS["day"] for name in names):
            return delimiter
    return None


def _table(source: InputText, delimiter: str) -> Iterator[Entry]:
    rows = [(n, line) for n, line in enumerate(source.lines, 1) if line.strip() and not line.startswith("#")]
    cells = csv.reader(
        (line.strip().strip("|") if delimiter == "|" else line for _, line in rows), delimiter=delimiter
    )
    names: list[str] = []
    numbers = iter(n for n, _ in rows)
    read = 0
    for values in cells:
        number = next(numbers)
        for _ in range(cells.line_num - read - 1):  # a quoted cell spans more lines
            next(numbers, None)
        read = cells.line_num
        values = [value.strip() for value in values]
        if not names:
            names = [value.lower() for value in values]
        elif any(value.strip("-: ") for value in values):
            yield _entry(dict(zip(names, values, strict=False)), number, source)


def _json_lines(source: InputText) -> Iterator[Entry]:
    for number, line in enumerate(source.lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{source.name}, line {number}: not a JSON object: {error}") from None
        if not isinstance(record, dict):
            raise ValueError(f"{source.name}, line {number}: not a JSON object")  # noqa: TRY004 - a bad input
        yield _entry(
            {str(key).lower(): str(value) for key, value in record.items() if value is not None},
            number,
            source,
        )


def _entry(values: Mapping[str, str], line: int, source: InputText) -> Entry:
    found = {
        field: next((values[n] for n in names if values.get(n)), "") for field, names in _COLUMNS.items()
    }
    day = full_date(found["day"])
    if day is None:
        raise ValueError(f"{source.name}, line {line}: cannot read the date {found['day']!r}")
    clock = _CLOCK.search(found["time"]) or _CLOCK.search(found["day"].replace("T", " "))
    kind = squeeze(found["kind"]).lower() or _guess(f"{found['item']} {found['detail']}")
    return Entry(
        day=day,
        time=clock[1].zfill(5) if clock else "",
        kind=kind.replace("_", " "),
        person=squeeze(found["person"]),
        item=squeeze(found["item"]),
        detail=squeeze(found["detail"]),
        line=line,
    )


def _plain_lines(source: InputText) -> Activity:
    entries: list[Entry] = []
    undated: list[int] = []
    for number, raw in enumerate(source.lines, 1):
        text = raw.strip()
        if not text or text.startswith("#"):
            continue
        match = _PLAIN.match(text)
        if match is None:
            undated.append(number)
            continue
        entries.append(_plain_entry(match, number, source))
    return Activity(tuple(entries), tuple(undated))


def _plain_entry(match: re.Match[str], line: int, source: InputText) -> Entry:
    day = full_date(match["day"])
    if day is None:
        raise ValueError(f"{source.name}, line {line}: cannot read the date {match['day']!r}")
    fields = [field.strip() for field in re.split(r"[|\t]", match["text"]) if field.strip()]
    if len(fields) >= 3:
        kind, person, detail = fields[0].lower(), fields[1], " ".join(fields[2:])
    else:
        text = squeeze(match["text"])
        kind, (person, detail) = _guess(text), _person_and_text(text)
    time = match["time"].zfill(5) if match["time"] else ""
    return Entry(day=day, time=time, kind=kind, person=person, item="", detail=detail, line=line)


def _person_and_text(text: str) -> tuple[str, str]:
    """The person whom a plain line names at its start or end, and the rest of the line."""
    if front := _FRONT_NAME.match(text):
        return front["person"], front["text"]
    if back := _BACK_NAME.match(text):
        return back["person"] or back["by"], back["text"].strip()
    return "", text


def _guess(text: str) -> str:
    """The kind of a line that does not name one."""
    return next((kind for kind, pattern in _GUESSES if pattern.search(text)), "other")


def line_numbers(entries: Sequence[Entry]) -> str:
    """Line numbers for a report: `3, 5, 9`, at most five."""
    numbers = [str(entry.line) for entry in entries[:5]]
    return ", ".join(numbers) + (", ..." if len(entries) > 5 else "")
