"""A transcript prepared for the rules: its sentences, replies, people addressed by name, attendees."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dagrun.shipped_workflows.meeting_transcript_brief.transcript import Sentence, Turn, is_name, sentences
from dagrun.shipped_workflows.meeting_transcript_brief.vocabulary import content_words
from dagrun.shipped_workflows.shared.pattern import Pattern

ADVERBS = (
    r"(?:(?:also|just|then|definitely|quickly|personally|gladly|happily|still|simply|now"
    r"|go\s+ahead\s+and|try\s+and|make\s+sure\s+to)\s+)*"
)


FARTHEST = 12  # how many sentences of one turn count as "just before"
LATEST = 2000  # how many later sentences may answer a question


@dataclass(slots=True, kw_only=True)
class Attendee:
    """A person who spoke or is listed as present; `line` is where the name first appears."""

    name: str
    line: int
    turns: int


class Talk:
    """A transcript as sentences, with the lookups that the rules need."""

    def __init__(self, turns: list[Turn]) -> None:
        self.turns = turns
        self.sentences = _with_sections(sentences(turns))
        self.by_turn: dict[int, list[Sentence]] = {}
        self._position: dict[int, int] = {}  # index within its turn, by identity of the sentence
        for sentence in self.sentences:
            said = self.by_turn.setdefault(sentence.turn, [])
            self._position[id(sentence)] = len(said)
            said.append(sentence)
        self.attendees = _attendees(turns)
        person = _person_pattern(attendee.name for attendee in self.attendees)
        pair = rf"{person}(?:\s+and\s+{person})?"
        #: `Ana will update`, `Ana and Ben to update`; groups who, how, verb
        self.assignment = re.compile(
            rf"(?P<who>{pair})(?P<how>['’]ll|['’]s\s+going\s+to|\s+(?:will|is\s+going\s+to|are\s+going\s+to"
            rf"|(?:has\s+)?agreed\s+to|is\s+to|shall|to))\s+{ADVERBS}(?P<verb>[a-z-]+)"
        )
        self._called = re.compile(
            rf"^(?:\W|\b(?:and|so|ok(?:ay)?|great|right|then|hey|hi)\b)*(?P<front>{pair})\s*,"
            rf"|,\s+(?P<back>{person})\s*[?.!]*$"
        )
        self._named = re.compile(person)

    def words(self, sentence: Sentence) -> frozenset[str]:
        """The sentence's content words."""
        return content_words(sentence.text)

    def after(self, sentence: Sentence) -> list[Sentence]:
        """The sentences from the next turn but one; the limit is more than a whole day of talk."""
        first = bisect_right(self.sentences, sentence.turn + 1, key=lambda later: later.turn)
        return self.sentences[first : first + LATEST]

    def replies(self, sentence: Sentence, turns: int) -> Iterator[list[Sentence]]:
        """The turns of other speakers among the next `turns`, each as a list of sentences."""
        for index in range(sentence.turn + 1, min(sentence.turn + 1 + turns, len(self.turns))):
            said = self.by_turn.get(index)
            if said and (said[0].speaker is None or said[0].speaker != sentence.speaker):
                yield said

    def before(self, sentence: Sentence, turns: int) -> Iterator[Sentence]:
        """Sentences before this one, nearest first, back to `turns` turns ago."""
        position = self._position[id(sentence)]
        yield from reversed(self.by_turn[sentence.turn][max(position - FARTHEST, 0) : position])
        for index in range(sentence.turn - 1, max(sentence.turn - 1 - turns, -1), -1):
            yield from reversed(self.by_turn.get(index, [])[-FARTHEST:])

    def addressed(self, sentence: Sentence) -> str | None:
        """The person addressed at the beginning or end, as written: `Ana, could you ...`, `..., Ana?`."""
        match = self._called.search(sentence.text)
        return (match["front"] or match["back"]) if match else None

    def only_name(self, sentence: Sentence) -> str | None:
        """The person whom the sentence names; None for several, or nobody."""
        names = set(self._named.findall(sentence.text))
        return names.pop() if len(names) == 1 else None

    def next_in_turn(self, sentence: Sentence) -> Sentence | None:
        """The next sentence of the same turn."""
        said = self.by_turn[sentence.turn]
        following = self._position[id(sentence)] + 1
        return said[following] if following < len(said) else None


_HEADING = Pattern(
    r"(?:#{1,6}\s*|\d+[.)]\s*)?[*_]*"
    r"(?:(?P<action>(?:agreed\s+)?action(?:s| items?| points?)|next steps|to-?dos?)"
    r"|(?P<decision>decisions?(?: (?:made|taken))?|resolutions)"
    r"|(?P<question>open (?:questions|issues|points)|questions))"
    r"[*_]*\s*:?[*_]*$",
    re.IGNORECASE,
)
_BULLET = Pattern(r"^\s*(?:(?:[-*•]|\d{1,3}[.)]|\[[ xX]\])\s+)+")
SECTION_LABEL = {"action": "ACTION: ", "decision": "DECISION: ", "question": "OPEN QUESTION: "}


def _with_sections(said: list[Sentence]) -> list[Sentence]:
    """Labels each bullet under a heading such as "Actions" as the rules expect it, and removes the headings."""
    kept: list[Sentence] = []
    section, seen_turn = None, -1
    for sentence in said:
        heading = _HEADING.match(sentence.text) if sentence.speaker is None else None
        if heading:
            section = heading.lastgroup
        elif section and sentence.speaker is None and _BULLET.match(sentence.text):
            kept.append(_Labelled.of(sentence, SECTION_LABEL[section]))
            seen_turn = sentence.turn
        else:
            section = section if sentence.turn == seen_turn else None
            kept.append(sentence)
    return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class _Labelled(Sentence):
    """A bullet under a heading; `label` is the meaning of the heading and not part of the text."""

    label: str

    @classmethod
    def of(cls, s: Sentence, label: str) -> _Labelled:
        return cls(
            text=s.text, line=s.line, turn=s.turn, speaker=s.speaker, speaker_line=s.speaker_line, label=label
        )


def body_of(sentence: Sentence, pattern: Pattern, label: str) -> str | None:
    """The text after a label such as `ACTION:`, or the text of a bullet in such a section; else None."""
    text = sentence.text
    if bullet := _BULLET.match(text):
        text = text[bullet.end() :]
    if match := pattern.match(text):
        return text[match.end() :].strip() or None
    if isinstance(sentence, _Labelled) and sentence.label == label:
        return text
    return None


_PRESENT = Pattern(
    r"[*_]*(?:Present|Attendees|Participants|In attendance|Attending)[*_]*\s*(?:\([^)]*\))?\s*:"
    r"[*_]*\s*(?P<names>.*)$",
    re.IGNORECASE,
)
_NAME_SPLIT = Pattern(r"[,;]|\s+(?:and|&)\s+")
_ROLE = Pattern(r"\s*[(\[].*$|\s+[-–—]\s.*$")


def _attendees(turns: list[Turn]) -> list[Attendee]:
    """The people who spoke or are listed as present, by the line where the name first appears."""
    people: dict[str, Attendee] = {}
    for name, line in _listed(turns):
        people.setdefault(name, Attendee(name=name, line=line, turns=0))
    for turn in turns:
        if turn.speaker:
            name = _same_person(turn.speaker, people) or turn.speaker
            people.setdefault(name, Attendee(name=name, line=turn.line, turns=0)).turns += 1
    return sorted(people.values(), key=lambda person: person.line)


def _listed(turns: list[Turn]) -> Iterator[tuple[str, int]]:
    """Names on a `Present:` line and on the bullets right below it."""
    listing = False
    for turn in turns:
        for line, text in turn.parts if turn.speaker is None else ():
            match = _PRESENT.match(text)
            bullet = _BULLET.match(text)
            listing = bool(match) or (listing and bool(bullet))
            if listing:
                yield from _names(match["names"] if match else _BULLET.sub("", text), line)


def _names(text: str, line: int) -> Iterator[tuple[str, int]]:
    for piece in _NAME_SPLIT.split(re.sub(r"\([^()]*\)", "", text)):
        name = _ROLE.sub("", piece).strip(" .*_")
        if is_name(name):
            yield name, line


def _same_person(label: str, people: Iterable[str]) -> str | None:
    """The only listed name that contains every word of a speaker's label; None if several do, or none."""
    words = set(label.split())
    found = [name for name in people if words <= set(name.split())]
    return found[0] if len(found) == 1 else None


def _person_pattern(names: Iterable[str]) -> str:
    """A pattern for any known person: the whole name, or its first or last word."""
    forms: set[str] = set()
    for name in names:
        plain = re.sub(r"\s?\([^()]*\)$", "", name)
        words = plain.split()
        forms.update(
            [plain, *(word for word in (words[0], words[-1]) if len(word) > 2 and word[0].isupper())]
        )
    options = "|".join(re.escape(form) for form in sorted(forms, key=lambda form: (-len(form), form)) if form)
    return rf"(?<![\w])(?-i:{options})(?![\w])" if options else r"(?!)"
