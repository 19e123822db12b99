"""Ranks an inbox and a drive's file list by urgency, with the reasons and the line of every item."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path, PurePosixPath

from dagrun import Result, workflow
from dagrun.shipped_workflows._dates import deadline_words, due_words, resolve
from dagrun.shipped_workflows._mail import Item, read_files, read_inbox
from dagrun.shipped_workflows._pattern import Pattern
from dagrun.shipped_workflows._text import cell, count, load, shorten, squeeze, write_if_changed
from dagrun.shipped_workflows._transcript import split_sentences
from dagrun.shipped_workflows._wording import phrases

URGENT = 50  # points from which an item counts as urgent
SOON = 25  # points from which it is worth this week's time


@dataclass(slots=True)
class Ranked:
    """An item with its points and why it has them; `due_words` are quoted from it."""

    item: Item
    score: int = 0
    reasons: list[str] = field(default_factory=list)
    due: date | None = None
    due_words: str | None = None
    noise: bool = False

    def add(self, points: int, reason: str) -> None:
        """Points for (or against) the item; `_finish` sees to it that the sum is not below 0."""
        self.score += points
        self.reasons.append(reason)

    def put_down(self, reason: str) -> None:
        """The item is dealt with: whatever it said, it is not pressing any more."""
        self.score = min(self.score, 5)
        self.reasons.append(reason)


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
    **upstream: object,  # noqa: ARG001 - in a chain it may stand behind other tasks
) -> Result:
    """Rank mails and files by urgency: deadlines, asks, alarming words, chasers up; noise and settled matters
    down.

    The inbox is text or a file: mail blocks (`From:`, `Date:`, `Subject:`, empty line, body), a list with one
    item per line, or plain words. The drive list has one file per line: path, owner, modified date, remarks.
    Deadlines count relative to `today`; its default is the newest date of the input, so that the same input
    gives the same result. `reader` is whose inbox it is (name or address; default: the most frequent
    recipient). The best `top` items are printed; `output` gets all of them as Markdown, and the outputs the
    best `limit`.

    `changed` is false when `output` held exactly that already (without `output` it is true).

    Outputs: `summary`, `items` [{rank, score, level, kind, title, sender, date, due, due_words, reasons,
    line}] where `line` is the 1-based line of the inbox (kind `mail`, `note`) or of the drive list (`file`),
    `urgent`, `total`, `today`, `path`. Scores are points; 50 and more is `urgent`, 25 and more `soon`.

    Raises ValueError when nothing was given, an input was given twice or is not UTF-8; FileNotFoundError.
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
        "urgent": sum(_level(entry) == "urgent" for entry in ranked),
        "total": len(ranked),
        "today": day.isoformat() if day else None,
        "path": str(output) if output else None,
    }
    return Result(outputs, changed)


def _joined(items: str | list[str]) -> str:
    return items if isinstance(items, str) else "\n".join(squeeze(item) for item in items)


# --- points -------------------------------------------------------------------------------------------------

_ALARM = phrases(
    r"""
    urgent(ly)?
    a\.?s\.?a\.?p
    (immediately|right away|overdue|critical|emergency|outage|stuck|missing|broken)
    block(ed|er|ers|ing)
    (is|are|went|still) down
    escalat\w+
    (not |un)acceptable
    complain\w*
    final (notice|reminder)
    (can't|cannot) (log ?in|work|access|pay)
    """
)
_CALM = phrases(
    """
    no (rush|hurry)
    not urgent
    when(ever)? you (have time|like|can)
    no action (is )?(required|needed|necessary)
    nothing to do( for you)?
    (for your information|fyi|just so you know)
    low priority
    """
)
_ASK = phrases(
    r"""
    (can|could|would|will) you
    please (?!find|note|do not reply|see|feel)[a-z]+
    needs? (your|you to|an? (answer|reply|decision|ok)|the \w+)
    waiting for (you|your)
    let me know
    (I|we) expect
    (your|needs) (approval|signature|ok|decision)
    awaiting
    """
)
_NOISE_SENDER = Pattern(
    r"no-?reply|do-?not-?reply|newsletter|mailer|marketing|digest|jira"
    r"|(?:receipts?|tickets|billing|calendar|news|notifications?|offers?|alerts?|updates?)@",
    re.IGNORECASE,
)
_NOISE_TEXT = Pattern(
    r"unsubscribe|manage (?:your )?preferences|auto(?:matic|mated) (?:message|notification|reminder|reply)"
    r"|do not reply|view (?:this )?in (?:your )?browser|you are receiving this|this receipt|newsletter"
    r"|last chance|% off\b"
    r"|your (?:receipt|order|invoice)\b.*\b(?:paid|shipped|confirmed|receipt)|booking (?:is )?confirmed",
    re.IGNORECASE,
)
_NOISE_NOTE = Pattern(
    r"\b(?:newsletter|promo(?:tion)?|receipt|out of office|unsubscribe|webinar|digest)\b|% off\b",
    re.IGNORECASE,
)
_SETTLED = phrases(
    """
    (solved|resolved|fixed|settled|renewed|done|disregard)
    no longer (needed|relevant)
    please ignore
    never ?mind
    is back
    all good now
    """
)
_REVIEW = phrases(
    r"""
    needs? (your )?(review|approval|sign\w*)
    (awaiting|for review|your approval)
    review (by|before|requested)
    please (review|sign|approve)
    """
)
_COMMENTS = Pattern(r"\b\d+ (?:open|unresolved|new) comments?", re.IGNORECASE)
_FILED_AWAY = Pattern(
    r"(?:^|/)(?:archive|old|tmp|temp|backup|trash)(?:/|$)|\.(?:bak|tmp|log)$|\bsigned\b", re.IGNORECASE
)
_REPLY = Pattern(r"^(?:(?:re|aw|sv|fwd?|wg)\s*:\s*)+", re.IGNORECASE)


def rank(items: Sequence[Item], today: date | None, reader: str = "") -> list[Ranked]:
    """The items with their points, most urgent first; ties by due date, then newest, then input order."""
    reader = reader.lower() or _most_frequent_recipient(items)
    ranked = [Ranked(item) for item in items]
    for entry in ranked:
        if entry.item.kind == "file":
            _file_points(entry, today)
        else:
            _mail_points(entry, today, reader)
    _thread_points(ranked, reader)
    _link_files(ranked)
    for entry in ranked:
        _finish(entry, reader)
    return sorted(ranked, key=_order)


def _order(entry: Ranked) -> tuple[bool, int, date, int, str, int]:
    newest = -entry.item.day.toordinal() if entry.item.day else 0
    return entry.noise, -entry.score, entry.due or date.max, newest, entry.item.kind, entry.item.line


def _most_frequent_recipient(items: Sequence[Item]) -> str:
    counts = Counter(
        _address(item.to) for item in items if item.kind == "mail" and item.to and "," not in item.to
    )
    return counts.most_common(1)[0][0] if counts else ""


def _address(person: str) -> str:
    """A person's address in lower case, else the whole text."""
    match = re.search(r"[\w.+-]+@[\w.-]+", person)
    return (match.group() if match else person).lower().strip()


def _is(person: str, reader: str) -> bool:
    return bool(reader) and (reader == _address(person) or reader in person.lower())


def _mail_points(entry: Ranked, today: date | None, reader: str) -> None:
    item = entry.item
    said = _sentences(item)
    text = "\n".join(said)
    entry.noise = _is_noise(item)
    _due_points(entry, said, today)
    alarms = sorted({squeeze(match.group()).lower() for match in _ALARM.finditer(_CALM.sub(" ", text))})
    if alarms:
        entry.add(20 + 5 * min(len(alarms) - 1, 2), "says " + ", ".join(alarms[:3]))
    if calm := _CALM.search(text):
        entry.add(-20, f'says "{squeeze(calm.group()).lower()}"')
    if _REPLY.match(item.title) and (news := _SETTLED.search(item.text)):
        entry.add(-20, f'says "{squeeze(news.group()).lower()}"')
    _ask_points(entry, said, reader)


def _sentences(item: Item) -> list[str]:
    """What an item says, title first; the title of a reply is the words of somebody else."""
    title = [] if _REPLY.match(item.title) or item.title == item.text else [item.title]
    return title + [sentence for _, sentence in split_sentences(squeeze(item.text))]


def _ask_points(entry: Ranked, said: Sequence[str], reader: str) -> None:
    """An ask or a question weighs more in a mail to the reader alone than in one to a list."""
    item = entry.item
    direct = item.kind == "note" or not reader or _is(item.to, reader)
    weight = 15 if direct else 6
    to_whom = "you" if direct else "a group"
    if ask := next((s for s in said if _ASK.search(s)), None):
        entry.add(weight, f'asks {to_whom}: "{shorten(ask, 70)}"')
    elif question := next((s for s in said if s.endswith("?")), None):
        entry.add(weight - 3, f'question to {to_whom}: "{shorten(question, 70)}"')


def _is_noise(item: Item) -> bool:
    if item.kind == "note":
        return bool(_NOISE_NOTE.search(item.text))
    return bool(_NOISE_SENDER.search(item.sender) or _NOISE_TEXT.search(f"{item.title}\n{item.text}"))


def _due_points(entry: Ranked, said: Sequence[str], today: date | None) -> None:
    """The most pressing deadline in the sentences; an ask may also say just "today" or "tomorrow"."""
    base = entry.item.day or today
    if base is None or today is None:
        return
    for sentence in said:
        words = deadline_words(sentence) or (due_words(sentence) if _ASK.search(sentence) else None)
        due = resolve(words, base) if words else None
        if due and (entry.due is None or due < entry.due):
            entry.due, entry.due_words = due, words
    if entry.due:
        points, reason = _due_weight((entry.due - today).days)
        entry.add(points, f'{reason} ("{entry.due_words}")')


def _due_weight(days: int) -> tuple[int, str]:
    if days < 0:
        return 40, f"{count(-days, 'day')} overdue"
    if days == 0:
        return 40, "due today"
    if days == 1:
        return 35, "due tomorrow"
    if days <= 3:
        return 30, f"due in {days} days"
    return (20, f"due in {days} days") if days <= 7 else (8, f"due in {days} days")


def _file_points(entry: Ranked, today: date | None) -> None:
    item = entry.item
    _due_points(entry, [item.text], today)
    if review := _REVIEW.search(item.text):
        entry.add(20, squeeze(review.group()).lower())
    if comments := _COMMENTS.search(item.text):
        entry.add(8, squeeze(comments.group()).lower())
    if "shared with you" in item.text.lower():
        entry.add(6, "shared with you")
    if today and item.day and 0 <= (today - item.day).days <= 2:
        entry.add(4, "changed in the last two days")
    if _FILED_AWAY.search(item.title) or _FILED_AWAY.search(item.text):
        entry.add(-20, "looks filed away")


def _thread(item: Item) -> str:
    return _REPLY.sub("", item.title).lower()


def _thread_points(ranked: Sequence[Ranked], reader: str) -> None:
    """Answered and settled mails go down, a sender's newest mail of a thread carries the thread."""
    threads: dict[str, list[Ranked]] = {}
    for entry in ranked:
        if entry.item.kind == "mail" and not entry.noise:
            threads.setdefault(_thread(entry.item), []).append(entry)
    for entries in threads.values():
        entries.sort(key=lambda entry: (entry.item.day or date.min, entry.item.line))
        for place, entry in enumerate(entries):
            _one_of_thread(entry, entries[:place], entries[place + 1 :], reader)
    _chasers(ranked, reader)


def _one_of_thread(entry: Ranked, earlier: list[Ranked], later: list[Ranked], reader: str) -> None:
    answer = next((e for e in later if _is(e.item.sender, reader)), None)
    settled = next((e for e in later if _SETTLED.search(e.item.text)), None)
    again = next((e for e in later if _address(e.item.sender) == _address(entry.item.sender)), None)
    if answer:
        entry.put_down(f"you answered (line {answer.item.line})")
    elif settled:
        entry.put_down(f"settled later in the thread (line {settled.item.line})")
    elif again:
        entry.add(-20, f"same sender wrote again (line {again.item.line})")
    before = sum(_address(e.item.sender) == _address(entry.item.sender) for e in earlier)
    if before and not again:
        entry.add(10 + 5 * before, f"mail number {before + 1} from this sender in the thread")


def _chasers(ranked: Sequence[Ranked], reader: str) -> None:
    """A sender outside the reader's own house who writes again and again is waiting for something."""
    house = reader.partition("@")[2]
    mails = [e for e in ranked if e.item.kind == "mail" and not e.noise and not _is(e.item.sender, reader)]
    counts = Counter(_address(entry.item.sender) for entry in mails)
    last = {
        _address(e.item.sender): e for e in sorted(mails, key=lambda e: (e.item.day or date.min, e.item.line))
    }
    for sender, entry in last.items():
        if counts[sender] >= 3 and not (house and sender.endswith("@" + house)):
            entry.add(10, f"{counts[sender]} mails from this sender")


def _link_files(ranked: Sequence[Ranked]) -> None:
    """A file that a mail names shares that mail's weight."""
    mails = [entry for entry in ranked if entry.item.kind != "file" and not entry.noise]
    for entry in ranked:
        name = PurePosixPath(entry.item.title).name.lower()
        naming = [m for m in mails if len(name) > 4 and name in f"{m.item.title} {m.item.text}".lower()]
        if entry.item.kind == "file" and naming:
            best = max(naming, key=lambda mail: (mail.score, mail.item.line))
            entry.add(max(min(best.score // 3, 20), 3), f"named in the mail at line {best.item.line}")


def _finish(entry: Ranked, reader: str) -> None:
    if _is(entry.item.sender, reader) and entry.item.kind == "mail":
        entry.score = 0
        entry.reasons = ["your own mail"]
    if entry.noise:
        entry.score = min(max(entry.score, 0) // 4, 10)
        entry.reasons.insert(0, "newsletter, receipt or automatic mail")
    entry.score = max(entry.score, 0)


# --- words --------------------------------------------------------------------------------------------------


def _level(entry: Ranked) -> str:
    if entry.noise:
        return "noise"
    if entry.score >= URGENT:
        return "urgent"
    return "soon" if entry.score >= SOON else "other"


def _summary(ranked: Sequence[Ranked]) -> str:
    levels = Counter(_level(entry) for entry in ranked)
    parts = [f"{levels[level]} {level}" for level in ("urgent", "soon", "other", "noise") if levels[level]]
    return f"Prioritized {count(len(ranked), 'item')}: {', '.join(parts) or 'nothing'}"


def _data(number: int, entry: Ranked) -> dict[str, object]:
    item = entry.item
    return {
        "rank": number,
        "score": entry.score,
        "level": _level(entry),
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
    for level, title in titles.items():
        rows = [_row(number, entry) for number, entry in enumerate(ranked, 1) if _level(entry) == level]
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
