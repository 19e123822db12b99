"""The figures of a week: counts by kind, incidents and their duration, what is still open."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from dagrun.shipped_workflows.shared.pattern import Pattern
from dagrun.shipped_workflows.weekly_report_pack.activity import Activity, Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One incident, by its id: its first entry, and the entry that ends it, if that is within the range."""

    name: str
    first: Entry
    end: Entry | None

    @property
    def minutes(self) -> int | None:
        """Its duration, where both entries have a time."""
        if self.end is None or not self.end.time or not self.first.time:
            return None
        return (
            (self.end.day - self.first.day).days * 1440 + _minutes(self.end.time) - _minutes(self.first.time)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """The entries of the range in order of time, those outside of it, and the incidents."""

    start: date
    end: date
    entries: tuple[Entry, ...]
    left_out: tuple[Entry, ...]
    incidents: tuple[Incident, ...]

    def of(self, pattern: Pattern) -> list[Entry]:
        """The entries whose kind matches."""
        return [entry for entry in self.entries if pattern.search(entry.kind)]


_ID = Pattern(r"\b[A-Z]{2,}-\d+\b|#\d+")
_CLOSED = Pattern(
    r"(?:ticket|issue|bug|task|story).*(?:clos|resolv|done|fix|finish)|^(?:closed|resolved|fixed|done)$"
)
_OPENED = Pattern(
    r"(?:ticket|issue|bug|task|story).*(?:open|creat|report|new|rais)|^(?:opened|created|reported)$"
)
_DEPLOYED = Pattern(r"deploy|release|rollout|roll-?back")
_INCIDENT = Pattern(r"incident|outage")
_ENDED = Pattern(r"resolv|clos|end|mitigat|over|fixed", re.IGNORECASE)
_ROLLBACK = Pattern(r"roll(?:ed)?[- ]?back|revert", re.IGNORECASE)


def week_of(known: Activity, start: date, end: date) -> Week:
    """The part of the activity from `start` to `end`, both included."""
    inside = sorted(
        (e for e in known.entries if start <= e.day <= end), key=lambda e: (e.day, e.time, e.line)
    )
    outside = [entry for entry in known.entries if not start <= entry.day <= end]
    incidents = tuple(_incidents([entry for entry in inside if _INCIDENT.search(entry.kind)]))
    return Week(start=start, end=end, entries=tuple(inside), left_out=tuple(outside), incidents=incidents)


def _incidents(entries: Sequence[Entry]) -> Iterator[Incident]:
    """Entries of one incident share an id; an entry without an id is an incident of its own."""
    groups: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        found = _ID.search(f"{entry.item} {entry.detail}")
        groups[found.group() if found else f"line {entry.line}"].append(entry)
    for name, group in groups.items():
        end = next((e for e in reversed(group) if _ENDED.search(e.kind) or _detail_says_ended(e)), None)
        yield Incident(name=name, first=group[0], end=end)


def _detail_says_ended(entry: Entry) -> bool:
    """An entry of the plain kind "incident" says in its detail that it ended."""
    return (
        bool(re.search(r"\b(?:resolved|mitigated|closed)\b", entry.detail, re.IGNORECASE))
        and "open" not in entry.kind
    )


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def duration(minutes: int) -> str:
    """`45 min`, `2 h 05 min`."""
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest:02} min" if hours else f"{rest} min"


def totals(week: Week) -> dict[str, object]:
    """The counts that the report and the outputs show."""
    return {
        "entries": len(week.entries),
        "left_out": len(week.left_out),
        "people": len({entry.person for entry in week.entries if entry.person}),
        "tickets_closed": len(week.of(_CLOSED)),
        "tickets_opened": len(week.of(_OPENED)),
        "deployments": len(week.of(_DEPLOYED)),
        "rollbacks": len(rollbacks(week)),
        "incidents": len(week.incidents),
        "open_incidents": sum(incident.end is None for incident in week.incidents),
        "by_kind": dict(Counter(entry.kind for entry in week.entries).most_common(20)),
    }


def rollbacks(week: Week) -> list[Entry]:
    """The deployments that took an earlier one back."""
    return [entry for entry in week.of(_DEPLOYED) if _ROLLBACK.search(f"{entry.kind} {entry.detail}")]


def still_open(week: Week) -> list[Entry]:
    """Tickets that were opened in the range and not closed in it."""
    closed = {entry.item for entry in week.of(_CLOSED)}
    return [entry for entry in week.of(_OPENED) if entry.item and entry.item not in closed]
