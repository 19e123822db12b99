"""Reads a meeting's transcript or minutes, in any usual layout, as sentences with speaker and line."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from dagrun.shipped_workflows.shared.pattern import Pattern
from dagrun.shipped_workflows.shared.plain_text import split_sentences

_TIME = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,3})?)?(?:\s?[AaPp]\.?[Mm]\.?)?"
_NAME = r"(?P<name>[^\W\d_][^:<>*\[\](){}|]{0,39}?(?:\s?\([^()]{1,20}\))?)"

# `[00:03:12] Name: text`, `00:03 - Name: text`, `(00:03) **Name**: text`
_TIME_FIRST = Pattern(rf"[\[(]?(?P<time>{_TIME})[\])]?\s*[-–—|]?\s*\**{_NAME}\**\s*:\**\s*(?P<text>.*)$")
# `[10:02] <name> text`, `<name> text`
_CHAT = Pattern(rf"(?:[\[(]?(?P<time>{_TIME})[\])]?\s*)?<(?P<name>[^<>:/]{{1,40}})>\s+(?P<text>.*)$")
# `**Name** (00:03): text`, `**Name:** text`
_BOLD = Pattern(rf"(?:\*\*|__){_NAME}:?(?:\*\*|__)\s*(?:[\[(]?(?P<time>{_TIME})[\])]?)?\s*:?\s*(?P<text>.*)$")
# `Name (00:03): text`, and `Name  00:03` with the text on the next lines
_TIME_AFTER = Pattern(rf"{_NAME}\s*[\[(](?P<time>{_TIME})[\])]\s*:?\s*(?P<text>.*)$")
_HEAD_ONLY = Pattern(rf"{_NAME}\s+(?P<time>{_TIME})(?P<text>)$")
# WebVTT: `<v Name>text</v>`
_VOICE = Pattern(r"<v(?:\.[^\s>]+)?\s+(?P<name>[^>]{1,60})>(?P<text>.*)$")
# `Name: text`
_BARE = Pattern(rf"(?:[-*•]\s+)?{_NAME}\s*:(?:\s+(?P<text>.*))?$")
_LABELLED = (_TIME_FIRST, _CHAT, _VOICE, _TIME_AFTER, _HEAD_ONLY)

_CUE_TIMING = Pattern(r"(?P<time>\d[\d:.,]*)\s+-->\s+[\d:.,]+")
_TAG = Pattern(r"</?(?:v|c|i|b|u|lang|ruby|rt)\b[^>]*>")
_BULLET = Pattern(r"\s*(?:[-*•#>]+|\d{1,3}[.)]|\(?[a-z][.)]|\[[ xX]\])\s")
_WORD_SPLIT = Pattern(r"\s+")
_PARTICLES = frozenset(
    ("de", "da", "di", "del", "der", "den", "van", "von", "dos", "la", "le", "al", "bin", "ter")
)
_LABELS = """
    action, actions, action item, action items, action point, action points, ai, ap, todo, to do, todos,
    decision, decisions, decided, agreed, resolved, resolution, resolutions, date, time, when, where,
    place, room, venue, location, present, attendees, attending, participants, in attendance, apologies,
    absent, regrets, agenda, note, notes, topic, subject, next steps, next step, next meeting, summary,
    question, questions, open question, open questions, title, meeting, minutes, recording, recorded by,
    taken by, duration, motion, vote, update, updates, status, background, discussion, re, from, to, cc,
    bcc, http, https, link, links, ps, fyi, edit, deadline, due, owner, item, items, outcome,
    conclusion, context, goal, result, results, risk, risks, blocker, blockers, problem, issue, example,
    warning, yesterday, today, tomorrow, transcript, source, follow up, follow-up, follow-ups, proposal
"""
_NOT_A_NAME = frozenset(" ".join(label.split()) for label in _LABELS.split(","))


@dataclass(slots=True)
class Turn:
    """The lines of one speaker until the next one speaks; `speaker` is None for text such as minutes."""

    speaker: str | None
    #: 1-based line of the label
    line: int
    time: str | None = None
    #: (1-based line number, text) of each line
    parts: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One sentence. It begins at `line`; the speaker's label is at `speaker_line`; `turn` counts from 0."""

    text: str
    line: int
    turn: int
    speaker: str | None
    speaker_line: int


def read_turns(lines: tuple[str, ...]) -> list[Turn]:
    """The turns in order, for any text: without labels, each paragraph is a turn without a speaker."""
    speakers = _bare_speakers(lines)
    turns: list[Turn] = []
    fresh = True  # after an empty line, text does not continue the turn before
    for number, text in _spoken_lines(lines):
        if not text:
            fresh = bool(turns and turns[-1].parts)
        elif turn := _labelled(number, text, speakers):
            turns.append(turn)
            fresh = False
        else:
            if fresh or not turns or not _continues(turns[-1], text):
                turns.append(Turn(None, number))
            turns[-1].parts.append((number, text))
            fresh = False
    return turns


def _continues(turn: Turn, text: str) -> bool:
    """Whether a line continues the turn; in minutes, only a line that begins in lower case does."""
    return not _BULLET.match(text) and (turn.speaker is not None or text[0].islower())


def _spoken_lines(lines: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Numbered lines without the headers and timings of subtitles; an empty text for a blank line."""
    subtitles = any(_CUE_TIMING.match(line.strip()) for line in lines)
    for number, raw in enumerate(lines, 1):
        text = raw.strip()
        if subtitles and (text.startswith(("WEBVTT", "NOTE")) or text.isdecimal() or _CUE_TIMING.match(text)):
            continue
        yield number, text


def _labelled(number: int, text: str, bare: frozenset[str]) -> Turn | None:
    """The turn that begins at a labelled line."""
    match = _match_label(text) or _match_bare(text, bare)
    if match is None:
        return None
    groups = match.groupdict()
    turn = Turn(groups["name"].strip(), number, groups.get("time"))
    if said := _TAG.sub("", groups["text"] or "").strip():
        turn.parts.append((number, said))
    return turn


def _match_label(text: str) -> re.Match[str] | None:
    for pattern in _LABELLED:
        match = pattern.match(text)
        if match and is_name(match["name"].strip(), chat=pattern is not _HEAD_ONLY):
            return match
    match = _BOLD.match(text)
    return (
        match
        if match and (match["time"] or ":" in text[: match.start("text")]) and is_name(match["name"])
        else None
    )


def _match_bare(text: str, speakers: frozenset[str]) -> re.Match[str] | None:
    match = _BARE.match(text)
    return match if match and match["name"].strip() in speakers else None


def _bare_speakers(lines: tuple[str, ...]) -> frozenset[str]:
    """The labels of `Name: text` lines that are people: those that recur, or all if most lines have one."""
    texts = [line.strip() for line in lines if line.strip()]
    timed = {match["name"].strip() for text in texts if (match := _match_label(text))}
    if timed:
        return frozenset(timed)
    labels = Counter(match["name"].strip() for text in texts if (match := _BARE.match(text)))
    names = {label: times for label, times in labels.items() if is_name(label, chat=times > 1)}
    common = 2 * sum(names.values()) >= len(texts)
    return frozenset(label for label, times in names.items() if common or times > 1)


def is_name(label: str, *, chat: bool = False) -> bool:
    """Whether a label can be a person's: capitalised words, or with `chat` also one lower-case word."""
    plain = re.sub(r"\s?\([^()]*\)$", "", label).strip()
    words = _WORD_SPLIT.split(plain)
    if not plain or plain.lower() in _NOT_A_NAME or len(words) > 4 or plain[-1] in ",;!?":
        return False
    if chat and len(words) == 1:
        return True
    return words[0][0].isupper() and all(
        word[0].isupper() or word[0].isdigit() or word in _PARTICLES for word in words if word
    )


def sentences(turns: list[Turn]) -> list[Sentence]:
    """Every sentence of every turn, in order; wrapped lines are joined by one space."""
    return [sentence for index, turn in enumerate(turns) for sentence in _turn_sentences(index, turn)]


def _turn_sentences(index: int, turn: Turn) -> Iterator[Sentence]:
    starts, pieces, length = [], [], 0
    for _, text in turn.parts:
        starts.append(length)
        pieces.append(text)
        length += len(text) + 1
    for start, text in split_sentences(" ".join(pieces)):
        line = turn.parts[bisect_right(starts, start) - 1][0]
        yield Sentence(text=text, line=line, turn=index, speaker=turn.speaker, speaker_line=turn.line)
