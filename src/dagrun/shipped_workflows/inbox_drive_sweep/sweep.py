"""Ranks an inbox and a drive's file list by urgency, with the reasons and the line of every item."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from dagrun import Result, workflow
from dagrun.shipped_workflows.inbox_drive_sweep.items import Item, read_files, read_inbox
from dagrun.shipped_workflows.inbox_drive_sweep.ranking import Ranked, level, rank
from dagrun.shipped_workflows.shared.local_files import load, write_if_changed
from dagrun.shipped_workflows.shared.plain_text import cell, count, shorten, squeeze


@workflow("inbox_drive_sweep")
def inbox_drive_sweep(
    *,
    inbox_items: str | list[str] = "",
    inbox_file: Path | None = None,
    drive_items: str | list[str] = "",
    drive_file: Path | None = None,
    today: date | None = None,
    reader: str = "",
    top: int = 8,
    limit: int = 60,
    output: Path | None = None,
    **upstream: object,  # noqa: ARG001 - the task may depend on others, whose outputs it does not use
) -> Result:
    """Rank mails and files by urgency.

    Deadlines, requests, alarming words and repeated mails raise the rank; newsletters and settled matters lower it.

    The inbox is text or a file: mail blocks (`From:`, `Date:`, `Subject:`, empty line, body), a list with one
    item per line, or plain words. The drive list has one file per line: path, owner, modified date, remarks.
    Deadlines count relative to `today`; its default is the newest date in the input, so that the same input
    gives the same result. `reader` is whose inbox it is (name or address; default: the most frequent
    recipient). The first `top` items are printed; all are written to `output` as Markdown; the task's outputs hold
    the first `limit`.

    `changed` is false when `output` already had exactly this content (without `output` it is true).

    Outputs: `summary`, `items` [{rank, score, level, kind, title, sender, date, due, due_words, reasons,
    line}] where `line` is the 1-based line of the inbox (kind `mail`, `note`) or of the drive list (`file`),
    `urgent`, `total`, `today`, `path`. A score of 50 or more is `urgent`, 25 or more `soon`.

    Raises ValueError when no input was given, or one was given both as text and as a file, or is not UTF-8;
    FileNotFoundError.
    """
    inbox = load(_joined(inbox_items), inbox_file, "inbox")
    drive = load(_joined(drive_items), drive_file, "drive")
    items = [*(read_inbox(inbox.lines) if inbox else []), *(read_files(drive.lines) if drive else [])]
    if not inbox and not drive:
        raise ValueError("Nothing to sweep: give inbox_items, inbox_file, drive_items or drive_file")
    day = today or max((item.day for item in items if item.day), default=None)
    ranked = rank(items, day, reader)
    summary = _summary(ranked)
    print(_log(summary, ranked, day, top), end="")
    changed = write_if_changed(output, _markdown(summary, ranked, day)) if output else True
    outputs = {
        "summary": summary,
        "items": [_data(number, entry) for number, entry in enumerate(ranked[:limit], 1)],
        "urgent": sum(level(entry) == "urgent" for entry in ranked),
        "total": len(ranked),
        "today": day.isoformat() if day else None,
        "path": str(output) if output else None,
    }
    return Result(outputs, changed)


def _joined(items: str | list[str]) -> str:
    return items if isinstance(items, str) else "\n".join(squeeze(item) for item in items)


# --- texts --------------------------------------------------------------------------------------------------


def _summary(ranked: Sequence[Ranked]) -> str:
    levels = Counter(level(entry) for entry in ranked)
    parts = [f"{levels[level]} {level}" for level in ("urgent", "soon", "other", "noise") if levels[level]]
    return f"Prioritized {count(len(ranked), 'item')}: {', '.join(parts) or 'nothing'}"


def _data(number: int, entry: Ranked) -> dict[str, object]:
    item = entry.item
    return {
        "rank": number,
        "score": entry.score,
        "level": level(entry),
        "kind": item.kind,
        "title": shorten(item.title, 200),
        "sender": item.sender or None,
        "date": item.day.isoformat() if item.day else None,
        "due": entry.due.isoformat() if entry.due else None,
        "due_words": entry.due_words,
        "reasons": entry.reasons,
        "line": item.line,
    }


def _log(summary: str, ranked: Sequence[Ranked], today: date | None, top: int) -> str:
    lines = [summary + (f" (today: {today.isoformat()})" if today else "")]
    for number, entry in enumerate(ranked[: max(top, 0)], 1):
        reasons = "; ".join(entry.reasons[:2]) or "no sign of urgency"
        title = shorten(entry.item.title, 60) + _from(entry.item)
        lines.append(f"{number:>3}. [{entry.score:>3}] {title} - {shorten(reasons, 110)}")
    return "\n".join(lines) + "\n"


def _from(item: Item) -> str:
    sender = re.sub(r"\s*<[^>]*>", "", item.sender).strip(' "')
    return f" ({'' if item.kind != 'file' else 'file of '}{sender})" if sender else ""


def _markdown(summary: str, ranked: Sequence[Ranked], today: date | None) -> str:
    lines = ["# Inbox and drive sweep", "", summary + "."]
    lines += [f"Deadlines are counted from {today.isoformat()}."] if today else []
    titles = {"urgent": "Urgent", "soon": "Soon", "other": "Other", "noise": "Noise"}
    for name, title in titles.items():
        rows = [_row(number, entry) for number, entry in enumerate(ranked, 1) if level(entry) == name]
        if rows:
            head = [
                "| # | Score | What | From | Date | Due | Why | Line |",
                "|---|---|---|---|---|---|---|---|",
            ]
            lines += ["", f"## {title}", "", *head, *rows]
    return "\n".join(lines) + "\n"


def _row(number: int, entry: Ranked) -> str:
    item = entry.item
    day = item.day.isoformat() if item.day else ""
    due = entry.due.isoformat() if entry.due else ""
    values = [
        str(number),
        str(entry.score),
        item.title,
        item.sender,
        day,
        due,
        "; ".join(entry.reasons),
        f"{item.kind} {item.line}",
    ]
    return "| " + " | ".join(cell(value) for value in values) + " |"
