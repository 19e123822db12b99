"""Writes a Markdown report of a date range: figures, people, days, incidents, and priorities from upstream."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from dagrun import Result, workflow
from dagrun.shipped_workflows.shared.local_files import InputText, load, write_if_changed
from dagrun.shipped_workflows.shared.plain_text import cell, count, shorten, squeeze
from dagrun.shipped_workflows.shared.upstream import upstream_values
from dagrun.shipped_workflows.weekly_report_pack.activity import Activity, Entry, line_numbers, read_activity
from dagrun.shipped_workflows.weekly_report_pack.figures import (
    Incident,
    Week,
    duration,
    rollbacks,
    still_open,
    totals,
    week_of,
)

MAX_PRIORITIES = 10  # upstream items in the report
MAX_DAYS = 31  # in a longer range, days without an entry are left out


@workflow("weekly_report_pack")
def weekly_report_pack(
    *,
    start_date: date,
    end_date: date,
    activity: str = "",
    activity_file: Path | None = None,
    title: str = "Weekly report",
    output: Path | None = None,
    **upstream: object,
) -> Result:
    """Write a Markdown report for the days from `start_date` to `end_date`, both included.

    The activity is text or a file: CSV (or `|`, tab) with a heading that has a date column, JSON lines, or
    plain lines that begin with an ISO date. Columns: date, time, kind (commit, ticket opened, ticket closed,
    deployment, incident opened, incident resolved, ... any word), person, item, detail. Entries outside the
    range are left out and counted. The priorities are the values `<task>__summary` and `<task>__items` of
    upstream tasks. Without activity, the report is written from those alone and says so. A short version is
    printed; the whole report is written to `output`.

    `changed` is false when `output` already had exactly this content (without `output` it is true).

    Outputs: `summary`, `totals` {entries, left_out, people, tickets_closed, tickets_opened, deployments,
    rollbacks, incidents, open_incidents, by_kind}, `highlights` [str], `start_date`, `end_date`, `path`.

    Raises ValueError for an end before the start, an unreadable date, or activity that is given both as text
    and as a file or is not UTF-8; FileNotFoundError for a missing file.
    """
    if end_date < start_date:
        raise ValueError(
            f"The range ends before it starts: {start_date.isoformat()} to {end_date.isoformat()}"
        )
    source = load(activity, activity_file, "activity")
    known = read_activity(source) if source else Activity((), ())
    week = week_of(known, start_date, end_date)
    priorities = _priorities(upstream)
    summary = _summary(week, source, priorities)
    highlights = [*_highlights(week), *priorities.lines[:5]]
    changed = write_if_changed(output, _markdown(title, week, source, known, priorities)) if output else True
    print(_log(summary, highlights, output), end="")
    outputs = {
        "summary": summary,
        "totals": totals(week),
        "highlights": [shorten(line, 300) for line in highlights],
        "start_date": start_date.isoformat(),
        "end_date": end_date.isoformat(),
        "path": str(output) if output else None,
    }
    return Result(outputs, changed)


# --- upstream -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Priorities:
    """Values from upstream: the summaries as they are, one line for each item (without noise)."""

    summaries: tuple[str, ...]
    lines: tuple[str, ...]


def _priorities(upstream: Mapping[str, object]) -> Priorities:
    summaries = [f"{task}: {squeeze(str(value))}" for task, value in upstream_values(upstream, "summary")]
    lines: list[str] = []
    for _, items in upstream_values(upstream, "items"):
        if isinstance(items, Sequence) and not isinstance(items, str):
            lines.extend(line for item in items if (line := _priority(item)))
    return Priorities(tuple(summaries), tuple(lines))


def _priority(item: object) -> str:
    if not isinstance(item, Mapping):
        return squeeze(str(item))
    title = squeeze(str(item.get("title") or item.get("subject") or ""))
    if not title or item.get("level") in ("noise", "other"):
        return ""
    who = re.sub(r"\s*<[^>]*>", "", str(item.get("sender") or ""))
    notes = ", ".join(filter(None, (who, f"due {item['due']}" if item.get("due") else "")))
    return f"{title} ({notes})" if notes else title


# --- texts --------------------------------------------------------------------------------------------------


def _summary(week: Week, source: InputText | None, priorities: Priorities) -> str:
    days = f"{week.start.isoformat()} to {week.end.isoformat()}"
    if source is None:
        number = count(len(priorities.lines), "priority", "priorities")
        return f"{days}: no activity given, {number} from upstream"
    figures = totals(week)
    return (
        f"{days}: {_by_whom(week)}, {figures['tickets_closed']} tickets closed, "
        f"{figures['tickets_opened']} opened, {figures['deployments']} deployments, "
        f"{figures['incidents']} incidents ({figures['open_incidents']} open)"
    )


def _by_whom(week: Week) -> str:
    people = len({entry.person for entry in week.entries if entry.person})
    return f"{count(len(week.entries), 'entry', 'entries')} by {count(people, 'person', 'people')}"


def _highlights(week: Week) -> list[str]:
    lines = [_incident_line(incident) for incident in week.incidents]
    if taken_back := rollbacks(week):
        lines.append(
            f"{count(len(taken_back), 'deployment was', 'deployments were')} a rollback: "
            + "; ".join(e.words for e in taken_back)
        )
    if waiting := still_open(week):
        lines.append(f"Opened and not closed: {', '.join(entry.item for entry in waiting)}")
    if week.entries:
        day, number = max(
            Counter(e.day for e in week.entries).items(), key=lambda pair: (pair[1], -pair[0].toordinal())
        )
        lines.append(f"Busiest day: {day:%A} {day.isoformat()} with {count(number, 'entry', 'entries')}")
    return lines


def _incident_line(incident: Incident) -> str:
    if incident.end is None:
        state = "still open at the end of the range"
    else:
        state = f"resolved after {duration(incident.minutes)}" if incident.minutes is not None else "resolved"
    what = incident.first.detail or incident.first.words
    return f"{incident.name} ({incident.first.day.isoformat()}): {what}; {state}"


def _log(summary: str, highlights: Sequence[str], output: Path | None) -> str:
    lines = [summary, *(f"  - {shorten(line, 120)}" for line in highlights[:8])]
    return "\n".join([*lines, *([f"Report: {output}"] if output else [])]) + "\n"


def _markdown(
    title: str, week: Week, source: InputText | None, known: Activity, priorities: Priorities
) -> str:
    lines = [f"# {squeeze(title)}", "", f"{_day(week.start)} to {_day(week.end)}", ""]
    if source is None:
        basis = (
            "what upstream tasks sent"
            if priorities.summaries or priorities.lines
            else "nothing: upstream sent nothing either"
        )
        lines += [f"No activity was given: this report is written from {basis}.", ""]
    else:
        lines += _headline(week, source, known) + _incidents_section(week)
        lines += _by_kind(week) + _by_person(week) + _by_day(week)
    lines += _priorities_section(priorities)
    return "\n".join(lines).rstrip() + "\n"


def _day(day: date) -> str:
    return f"{day:%A} {day.day} {day:%B %Y}"


def _headline(week: Week, source: InputText, known: Activity) -> list[str]:
    figures = totals(week)
    lines = [
        f"- {_by_whom(week)}",
        f"- Tickets: {figures['tickets_closed']} closed, {figures['tickets_opened']} opened",
        f"- Deployments: {figures['deployments']}, of which rollbacks: {figures['rollbacks']}",
        f"- Incidents: {figures['incidents']}, of which still open: {figures['open_incidents']}",
        f"- Source: {source.name}",
    ]
    if week.left_out:
        outside = count(len(week.left_out), "entry", "entries")
        lines.append(f"- Left out, not in the range: {outside} (lines {line_numbers(week.left_out)})")
    if known.undated:
        shown = ", ".join(map(str, known.undated[:5])) + (", ..." if len(known.undated) > 5 else "")
        lines.append(f"- Left out, without a date: {count(len(known.undated), 'line')} ({shown})")
    if waiting := still_open(week):
        lines.append(
            "- Opened and not closed: " + "; ".join(f"{entry.item} {entry.detail}" for entry in waiting)
        )
    return ["## Headline", "", *lines, ""]


def _incidents_section(week: Week) -> list[str]:
    lines = [f"- {_incident_line(incident)} (line {incident.first.line})" for incident in week.incidents]
    return ["## Incidents", "", *(lines or ["None."]), ""]


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    body = ["| " + " | ".join(cell(value) for value in row) + " |" for row in rows]
    return [f"## {title}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head), *body, ""]


def _by_kind(week: Week) -> list[str]:
    counts = Counter(entry.kind for entry in week.entries)
    rows = [
        (kind, str(number)) for kind, number in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    return _table("By category", ("Category", "Entries"), rows)


def _by_person(week: Week) -> list[str]:
    people: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in week.entries:
        people[entry.person or "(nobody named)"].append(entry)
    rows = []
    for person, entries in sorted(people.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        kinds = Counter(entry.kind for entry in entries).most_common()
        rows.append((person, str(len(entries)), ", ".join(f"{number} {kind}" for kind, number in kinds)))
    return _table("By person", ("Person", "Entries", "What"), rows)


def _by_day(week: Week) -> list[str]:
    by_day: defaultdict[date, list[Entry]] = defaultdict(list)
    for entry in week.entries:
        by_day[entry.day].append(entry)
    length = (week.end - week.start).days + 1
    days = [week.start + timedelta(days=n) for n in range(length)] if length <= MAX_DAYS else sorted(by_day)
    lines = ["## Day by day", ""]
    for day in days:
        entries = by_day.get(day, [])
        lines += [f"### {_day(day)}", "", *([_entry_line(entry) for entry in entries] or ["Nothing."]), ""]
    return lines if week.entries else []


def _entry_line(entry: Entry) -> str:
    who = f" ({entry.person})" if entry.person else ""
    time = f"{entry.time} " if entry.time else ""
    return f"- {time}{entry.kind}{', ' if entry.item else ': '}{entry.words}{who}"


def _priorities_section(priorities: Priorities) -> list[str]:
    if not priorities.summaries and not priorities.lines:
        return []
    shown = priorities.lines[:MAX_PRIORITIES]
    more = [f"- and {len(priorities.lines) - len(shown)} more"] if len(priorities.lines) > len(shown) else []
    items = [f"{number}. {line}" for number, line in enumerate(shown, 1)]
    return [
        "## Priorities from upstream",
        "",
        *priorities.summaries,
        *([""] if items else []),
        *items,
        *more,
        "",
    ]
