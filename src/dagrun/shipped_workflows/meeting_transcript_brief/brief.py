"""Writes a brief of a meeting from its transcript: attendees, decisions, action items, open questions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

from dagrun import Result, workflow
from dagrun.shipped_workflows.meeting_transcript_brief.action_items import ActionItem
from dagrun.shipped_workflows.meeting_transcript_brief.findings import Findings, find
from dagrun.shipped_workflows.meeting_transcript_brief.meeting_decisions import MeetingDecision
from dagrun.shipped_workflows.meeting_transcript_brief.open_questions import OpenQuestion
from dagrun.shipped_workflows.meeting_transcript_brief.transcript import Turn, read_turns
from dagrun.shipped_workflows.shared.dates import full_date, literal_date
from dagrun.shipped_workflows.shared.local_files import InputText, load, write_if_changed
from dagrun.shipped_workflows.shared.plain_text import cell, count, squeeze
from dagrun.shipped_workflows.shared.upstream import upstream_values

MAX_CARRIED_OVER = 10  # lines in the section of upstream values


@workflow("meeting_transcript_brief")
def meeting_transcript_brief(
    *,
    meeting_title: str = "Meeting",
    transcript: str = "",
    transcript_file: Path | None = None,
    meeting_date: date | None = None,
    output: Path | None = None,
    **upstream: object,
) -> Result:
    """Write a Markdown brief of a meeting: attendees, decisions, action items, open questions.

    The transcript comes as text or as a file in one of the usual layouts (`[00:03:12] Name: text`, `Name:
    text`, `**Name** (00:03): text`, WebVTT, minutes with `ACTION:` and `RESOLVED`, ...). Everything in
    the brief is quoted, with its line number (from 1). Without a transcript, the brief is written from
    `<task>__summary`, `<task>__highlights` and `<task>__items` of upstream tasks, and says so; with both,
    the upstream values are a short section.

    Due dates are quoted as spoken; `due_date` (ISO) is added only when the words name a day and a month. A
    missing year is taken from `meeting_date`, else from the first full date in the lines before the first
    speaker.

    The brief is printed, and written to `output` if given; `changed` is false when `output` already had exactly
    this content (without `output` it is true).

    Outputs: `summary`, `attendees` [{name, line, turns}], `decisions` [{text, speaker, line, status,
    superseded_line, about, about_line}], `action_items` [{owner, action, line, action_line, due, due_line,
    due_date, about, about_line, status, settled_line}], `open_questions` [{text, kind, speaker, line, about,
    reply, ...}], `path`.

    Raises ValueError for a transcript that is given both as text and as a file or is not UTF-8;
    FileNotFoundError for a missing file.
    """
    source = load(transcript, transcript_file, "transcript")
    turns = read_turns(source.lines) if source else []
    found = find(turns)
    day = meeting_date or _written_date(turns)
    text = _markdown(meeting_title, source, turns, found, day, upstream)
    print(text, end="")
    changed = write_if_changed(output, text) if output else True
    return Result(_outputs(found, source, day, upstream, output), changed)


def _written_date(turns: Sequence[Turn]) -> date | None:
    """The first full date in the lines above the first speaker."""
    for turn in turns:
        if turn.speaker is not None:
            break
        for _, text in turn.parts:
            if day := full_date(text):
                return day
    return None


# --- outputs ------------------------------------------------------------------------------------------------


def _outputs(
    found: Findings,
    source: InputText | None,
    day: date | None,
    upstream: Mapping[str, object],
    output: Path | None,
) -> dict[str, object]:
    return {
        "summary": _summary(found, source, upstream),
        "attendees": [{"name": p.name, "line": p.line, "turns": p.turns} for p in found.attendees],
        "decisions": [_decision_data(decision) for decision in found.decisions],
        "action_items": [_action_data(action, day) for action in found.actions],
        "open_questions": [
            _question_data(question) for question in found.questions if not question.answered_line
        ],
        "path": str(output) if output else None,
    }


def _summary(found: Findings, source: InputText | None, upstream: Mapping[str, object]) -> str:
    if source is None:
        carried = len(list(_carried_over(upstream)))
        return f"No transcript: briefed {count(carried, 'point')} from upstream"
    parts = [
        count(len(found.attendees), "attendee"),
        count(len(_standing(found.decisions)), "decision"),
        count(len(_to_do(found.actions)), "action item"),
        count(len(_open(found.questions)), "open question"),
    ]
    return ", ".join(parts)


def _decision_data(decision: MeetingDecision) -> dict[str, object]:
    status = "superseded" if decision.superseded_line else "standing"
    return {
        "text": decision.text,
        "speaker": decision.speaker,
        "line": decision.line,
        "status": status,
        "superseded_line": decision.superseded_line,
        "about": decision.about,
        "about_line": decision.about_line,
    }


def _action_data(action: ActionItem, day: date | None) -> dict[str, object]:
    due_date = literal_date(action.due, day) if action.due else None
    return {
        "owner": action.owner,
        "action": action.action,
        "line": action.line,
        "action_line": action.action_line,
        "due": action.due,
        "due_line": action.due_line,
        "due_date": due_date.isoformat() if due_date else None,
        "about": action.about,
        "about_line": action.about_line,
        "status": "settled" if action.settled_line else "open",
        "settled_line": action.settled_line,
    }


def _question_data(question: OpenQuestion) -> dict[str, object]:
    return {
        "text": question.text,
        "kind": question.kind,
        "speaker": question.speaker,
        "line": question.line,
        "about": question.about,
        "about_line": question.about_line,
        "reply": question.reply,
        "reply_line": question.reply_line,
    }


def _standing(decisions: Sequence[MeetingDecision]) -> list[MeetingDecision]:
    return [decision for decision in decisions if decision.superseded_line is None]


def _to_do(actions: Sequence[ActionItem]) -> list[ActionItem]:
    return [action for action in actions if action.settled_line is None]


def _open(questions: Sequence[OpenQuestion], kind: str = "question") -> list[OpenQuestion]:
    return [question for question in questions if question.kind == kind and question.answered_line is None]


# --- the brief ----------------------------------------------------------------------------------------------


def _markdown(
    title: str,
    source: InputText | None,
    turns: Sequence[Turn],
    found: Findings,
    day: date | None,
    upstream: Mapping[str, object],
) -> str:
    lines = [f"# {squeeze(title)}: brief", ""]
    if source is None:
        lines += _without_transcript(upstream)
    else:
        lines += _head(source, turns, found, day)
        lines += _attendees(found) + _decisions(found) + _action_items(found, day) + _questions(found)
        lines += _carried_section(upstream)
    return "\n".join(lines).rstrip() + "\n"


def _head(source: InputText, turns: Sequence[Turn], found: Findings, day: date | None) -> list[str]:
    end = next((turn.time for turn in reversed(turns) if turn.time), None)
    head = [
        f"Transcript: {source.name}, {count(len(source.lines), 'line')}" + (f", until {end}" if end else "")
    ]
    if day:
        head.insert(0, f"Meeting date: {day:%A} {day.day} {day:%B %Y} ({day.isoformat()})")
    head.append(_summary(found, source, {}) + ". Numbers in parentheses are lines of the transcript.")
    return [*(f"- {line}" for line in head), ""]


def _section(title: str, items: Sequence[str], none: str) -> list[str]:
    return [f"## {title}", "", *(items or [none]), ""]


def _attendees(found: Findings) -> list[str]:
    items = [
        f"- {p.name} ({p.line})" + (f", spoke {count(p.turns, 'time')}" if p.turns else "")
        for p in found.attendees
    ]
    return _section("Attendees", items, "The transcript names nobody.")


def _decisions(found: Findings) -> list[str]:
    standing = [f"{number}. {_decision_line(d)}" for number, d in enumerate(_standing(found.decisions), 1)]
    lines = _section("Decisions", standing, "No decision was stated.")
    dropped = [
        f"- {_decision_line(d)}, taken back or replaced ({d.superseded_line})"
        for d in found.decisions
        if d.superseded_line is not None
    ]
    return lines + (["Superseded, no longer valid:", "", *dropped, ""] if dropped else [])


def _decision_line(decision: MeetingDecision) -> str:
    about = f', on "{squeeze(decision.about)}" ({decision.about_line})' if decision.about else ""
    return f'"{squeeze(decision.text)}" ({_by(decision.speaker)}{decision.line}){about}'


def _by(speaker: str | None) -> str:
    return f"{speaker}, " if speaker else ""


def _action_items(found: Findings, day: date | None) -> list[str]:
    rows = [
        f"| {number} | {cell(a.owner)} | {_action_cell(a)} | {_due_cell(a, day)} | {_line_cell(a)} |"
        for number, a in enumerate(_to_do(found.actions), 1)
    ]
    table = ["| # | Owner | Action | Due | Line |", "|---|---|---|---|---|", *rows] if rows else []
    lines = _section("Action items", table, "No action item was stated.")
    settled = [
        f'- {a.owner}: "{squeeze(a.action)}" ({a.line}), settled ({a.settled_line})'
        for a in found.actions
        if a.settled_line is not None
    ]
    return lines + (["Promised, then settled in the meeting:", "", *settled, ""] if settled else [])


def _action_cell(action: ActionItem) -> str:
    about = f' [on: "{cell(action.about)}" ({action.about_line})]' if action.about else ""
    return f'"{cell(action.action)}"{about}'


def _due_cell(action: ActionItem, day: date | None) -> str:
    if action.due is None:
        return "-"
    exact = literal_date(action.due, day)
    return cell(action.due) + (f" ({exact.isoformat()})" if exact else "")


def _line_cell(action: ActionItem) -> str:
    return ", ".join(
        str(n) for n in sorted({action.line, action.action_line, action.due_line or action.line})
    )


def _questions(found: Findings) -> list[str]:
    lines = _section(
        "Open questions", [_question_line(q) for q in _open(found.questions)], "No question was left open."
    )
    loose = [_question_line(q) for q in found.questions if q.kind != "question"]
    if loose:
        lines += _section("Wished or asked for, nobody took it", loose, "")
    answered = [
        f'- "{squeeze(q.text)}" ({_by(q.speaker)}{q.line}), answered ({q.answered_line})'
        for q in found.questions
        if q.answered_line is not None
    ]
    return lines + (_section("Open at first, answered later", answered, "") if answered else [])


def _question_line(question: OpenQuestion) -> str:
    about = f', on "{squeeze(question.about)}" ({question.about_line})' if question.about else ""
    reply = f'; reply: "{squeeze(question.reply)}" ({question.reply_line})' if question.reply else ""
    return f'- "{squeeze(question.text)}" ({_by(question.speaker)}{question.line}){about}{reply}'


# --- upstream -----------------------------------------------------------------------------------------------


def _without_transcript(upstream: Mapping[str, object]) -> list[str]:
    points = list(_carried_over(upstream))
    if not points:
        return ["No transcript was given, and upstream tasks sent nothing to brief on.", ""]
    notice = "No transcript was given: this brief is written from what upstream tasks sent."
    nothing = "Attendees, decisions and action items are unknown without a transcript."
    return [notice, "", "## From upstream", "", *(f"- {point}" for point in points), "", nothing, ""]


def _carried_section(upstream: Mapping[str, object]) -> list[str]:
    points = list(_carried_over(upstream))
    if not points:
        return []
    shown = points[:MAX_CARRIED_OVER]
    more = [f"- and {len(points) - len(shown)} more"] if len(points) > len(shown) else []
    return ["## Carried over from upstream", "", *(f"- {point}" for point in shown), *more, ""]


def _carried_over(upstream: Mapping[str, object]) -> Iterator[str]:
    """One line for each summary, highlight and item from upstream."""
    for task, summary in upstream_values(upstream, "summary"):
        yield f"{task}: {squeeze(str(summary))}"
    for key in ("highlights", "items"):
        for _, value in upstream_values(upstream, key):
            if isinstance(value, Sequence) and not isinstance(value, str):
                yield from (point for entry in value if (point := _point(entry)))


def _point(entry: object) -> str:
    if isinstance(entry, Mapping):
        title = entry.get("title") or entry.get("subject") or entry.get("text") or ""
        due = entry.get("due")
        return squeeze(str(title)) + (f" (due {due})" if title and due else "")
    return squeeze(str(entry))
