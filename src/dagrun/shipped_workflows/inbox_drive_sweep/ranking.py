"""Ranks mails and files by points: what makes an item urgent, and what makes it wait."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import PurePosixPath

from dagrun.shipped_workflows.inbox_drive_sweep.items import Item
from dagrun.shipped_workflows.shared.dates import deadline_words, due_words, resolve
from dagrun.shipped_workflows.shared.pattern import Pattern, phrases
from dagrun.shipped_workflows.shared.plain_text import count, shorten, split_sentences, squeeze

URGENT = 50  # points: the least for `urgent`
SOON = 25  # points: the least for `soon`


@dataclass(slots=True)
class Ranked:
    """An item with its points and the reasons for them; `due_words` are quoted from its text."""

    item: Item
    score: int = 0
    reasons: list[str] = field(default_factory=list)
    due: date | None = None
    due_words: str | None = None
    noise: bool = False

    def add(self, points: int, reason: str) -> None:
        """Adds points, or subtracts them; `_finish` raises a negative sum to 0."""
        self.score += points
        self.reasons.append(reason)

    def settle(self, reason: str) -> None:
        """Lowers the score of an item that needs no work any more, whatever its text says."""
        self.score = min(self.score, 5)
        self.reasons.append(reason)


def level(entry: Ranked) -> str:
    """`urgent`, `soon`, `other` or `noise`."""
    if entry.noise:
        return "noise"
    if entry.score >= URGENT:
        return "urgent"
    return "soon" if entry.score >= SOON else "other"


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
    """The items with their points, most urgent first; ties by due date, then newest first, then input order."""
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


def _is_reader(person: str, reader: str) -> bool:
    return bool(reader) and (reader == _address(person) or reader in person.lower())


def _mail_points(entry: Ranked, today: date | None, reader: str) -> None:
    item = entry.item
    sentences = _sentences(item)
    text = "\n".join(sentences)
    entry.noise = _is_noise(item)
    _due_points(entry, sentences, today)
    alarms = sorted({squeeze(match.group()).lower() for match in _ALARM.finditer(_CALM.sub(" ", text))})
    if alarms:
        entry.add(20 + 5 * min(len(alarms) - 1, 2), "says " + ", ".join(alarms[:3]))
    if calm := _CALM.search(text):
        entry.add(-20, f'says "{squeeze(calm.group()).lower()}"')
    if _REPLY.match(item.title) and (news := _SETTLED.search(item.text)):
        entry.add(-20, f'says "{squeeze(news.group()).lower()}"')
    _ask_points(entry, sentences, reader)


def _sentences(item: Item) -> list[str]:
    """The item's sentences, title first; the title of a reply is left out, since somebody else wrote it."""
    title = [] if _REPLY.match(item.title) or item.title == item.text else [item.title]
    return title + [sentence for _, sentence in split_sentences(squeeze(item.text))]


def _ask_points(entry: Ranked, sentences: Sequence[str], reader: str) -> None:
    """Points for a request or a question; a mail to the reader alone counts more than one to a list."""
    item = entry.item
    direct = item.kind == "note" or not reader or _is_reader(item.to, reader)
    weight = 15 if direct else 6
    to_whom = "you" if direct else "a group"
    if ask := next((s for s in sentences if _ASK.search(s)), None):
        entry.add(weight, f'asks {to_whom}: "{shorten(ask, 70)}"')
    elif question := next((s for s in sentences if s.endswith("?")), None):
        entry.add(weight - 3, f'question to {to_whom}: "{shorten(question, 70)}"')


def _is_noise(item: Item) -> bool:
    if item.kind == "note":
        return bool(_NOISE_NOTE.search(item.text))
    return bool(_NOISE_SENDER.search(item.sender) or _NOISE_TEXT.search(f"{item.title}\n{item.text}"))


def _due_points(entry: Ranked, sentences: Sequence[str], today: date | None) -> None:
    """Points for the earliest deadline in the sentences; in a request a bare "today" or "tomorrow" counts too."""
    base = entry.item.day or today
    if base is None or today is None:
        return
    for sentence in sentences:
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
    """Answered and settled mails lose points; a sender's newest mail of a thread gets the points for the thread."""
    threads: dict[str, list[Ranked]] = {}
    for entry in ranked:
        if entry.item.kind == "mail" and not entry.noise:
            threads.setdefault(_thread(entry.item), []).append(entry)
    for entries in threads.values():
        entries.sort(key=lambda entry: (entry.item.day or date.min, entry.item.line))
        for index, entry in enumerate(entries):
            _points_in_thread(entry, entries[:index], entries[index + 1 :], reader)
    _repeated_senders(ranked, reader)


def _points_in_thread(entry: Ranked, earlier: list[Ranked], later: list[Ranked], reader: str) -> None:
    answer = next((e for e in later if _is_reader(e.item.sender, reader)), None)
    settled = next((e for e in later if _SETTLED.search(e.item.text)), None)
    again = next((e for e in later if _address(e.item.sender) == _address(entry.item.sender)), None)
    if answer:
        entry.settle(f"you answered (line {answer.item.line})")
    elif settled:
        entry.settle(f"settled later in the thread (line {settled.item.line})")
    elif again:
        entry.add(-20, f"same sender wrote again (line {again.item.line})")
    before = sum(_address(e.item.sender) == _address(entry.item.sender) for e in earlier)
    if before and not again:
        entry.add(10 + 5 * before, f"mail number {before + 1} from this sender in the thread")


def _repeated_senders(ranked: Sequence[Ranked], reader: str) -> None:
    """A sender from another organisation who writes three times or more is waiting for something."""
    domain = reader.partition("@")[2]
    mails = [
        e for e in ranked if e.item.kind == "mail" and not e.noise and not _is_reader(e.item.sender, reader)
    ]
    counts = Counter(_address(entry.item.sender) for entry in mails)
    last = {
        _address(e.item.sender): e for e in sorted(mails, key=lambda e: (e.item.day or date.min, e.item.line))
    }
    for sender, entry in last.items():
        if counts[sender] >= 3 and not (domain and sender.endswith("@" + domain)):
            entry.add(10, f"{counts[sender]} mails from this sender")


def _link_files(ranked: Sequence[Ranked]) -> None:
    """A file that a mail names gets a share of that mail's points."""
    mails = [entry for entry in ranked if entry.item.kind != "file" and not entry.noise]
    for entry in ranked:
        name = PurePosixPath(entry.item.title).name.lower()
        naming = [m for m in mails if len(name) > 4 and name in f"{m.item.title} {m.item.text}".lower()]
        if entry.item.kind == "file" and naming:
            best = max(naming, key=lambda mail: (mail.score, mail.item.line))
            entry.add(max(min(best.score // 3, 20), 3), f"named in the mail at line {best.item.line}")


def _finish(entry: Ranked, reader: str) -> None:
    if _is_reader(entry.item.sender, reader) and entry.item.kind == "mail":
        entry.score = 0
        entry.reasons = ["your own mail"]
    if entry.noise:
        entry.score = min(max(entry.score, 0) // 4, 10)
        entry.reasons.insert(0, "newsletter, receipt or automatic mail")
    entry.score = max(entry.score, 0)
