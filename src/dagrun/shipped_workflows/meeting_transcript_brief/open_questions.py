"""Finds what a meeting left open: unanswered questions, requests without agreement, work without an owner."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from dagrun.shipped_workflows.meeting_transcript_brief.speech import VERBS, is_question
from dagrun.shipped_workflows.meeting_transcript_brief.talk import SECTION_LABEL, Talk, body_of
from dagrun.shipped_workflows.meeting_transcript_brief.transcript import Sentence
from dagrun.shipped_workflows.meeting_transcript_brief.vocabulary import content_words, overlap
from dagrun.shipped_workflows.shared.pattern import Pattern, phrases


@dataclass(slots=True, kw_only=True)
class OpenQuestion:
    """An open point. `kind` is `question`, `request` (the person asked did not agree) or `unowned`."""

    text: str
    line: int
    turn: int
    speaker: str | None
    kind: str = "question"
    #: the statement it refers to, where its own words say too little
    about: str | None = None
    about_line: int | None = None
    #: the reply that did not answer it
    reply: str | None = None
    reply_line: int | None = None
    answered_line: int | None = None


_LABEL = Pattern(
    r"(?:\*\*|__)?(?:open\s+(?:question|issue|point)s?|question|OQ|TBD|TBC|parked)(?:\s*#?\d+)?"
    r"(?:\*\*|__)?\s*:(?:\*\*|__)?",
    re.IGNORECASE,
)
_STILL_OPEN = phrases(
    """
    we (still )?don't (yet )?know (yet )?(whether|if|who|what|when|how|why|which)
    (an|the|one) open question (is|remains)
    (still|not|not yet) (open|unclear|clear) (whether|who|what|when|how|why|if)
    remains to be (seen|decided|clarified)
    """
)
_SMALL_TALK = phrases(
    r"""
    (can|could|does|do) (you|we|(every|any) ?(body|one)) (all )?(hear|see|repeat|say|squeeze)
    (can|could) (you|we) (all )?(share|mute|unmute)
    shall (we|I) (start|begin|go on|move on|continue)
    any (other )?(questions|objections|comments|business|thoughts|concerns)
    anything (else|to add)
    makes? sense
    who's (next|first)
    how (are|is) (you|every ?one|every ?body)
    did I (forget|miss)
    what else
    where (are|were) we
    do you (mind|want to (start|go|begin))
    are we (all here|recording)
    better now
    (you know|isn't it|ready)\?
    (right|ok|okay|no|yes|huh)\?$
    """
)
_UNKNOWN = phrases(
    r"""
    (I|we|nobody|no one) (really |honestly |still )?(don't|do not|doesn't|didn't) (really |actually )?know
    nobody knows
    not sure
    no (idea|clue)
    dunno
    (need|have|want) to (check|find out|ask|measure|look|think|see)
    let me (check|think|ask|look|see|get back)
    unclear
    to be (confirmed|decided|seen)
    (TBD|TBC)
    (that|it) depends
    (wouldn't|didn't|won't|couldn't) (tell|say)
    hard to say
    get back to you
    (take|discuss) (that|it|this) offline
    I could
    could be
    (park|leave) (that|it|this)
    good question
    I thought (it|you|that|he|she|they)
    I'll (check|ask|find out)
    no answer yet
    haven't heard
    """
)
_LEFT_OPEN = phrases(
    """
    leave (that|it|this) (open|for now)
    park (that|it|this)
    won't (solve|answer|settle) (that|this|it)
    take (that|it|this) offline
    come back to (that|it|this)
    """
)
_NEEDED = phrases(r"some(one|body) (really |probably )?(should|needs? to|has to|must|ought to) (\w+ )?\w+")
_POINTS_BACK = phrases("(it|that|this|they|them|those)")


def find_questions(
    talk: Talk, taken: Collection[int | None], asked: Collection[int], unowned: Iterable[tuple[Sentence, str]]
) -> list[OpenQuestion]:
    """All open points, in order; a question that is answered later is kept, with `answered_line`.

    `taken` are the lines of action items, `asked` those of requests that are listed already, `unowned` the
    items of action lists without an owner.
    """
    found = [question(sentence, "unowned", body) for sentence, body in unowned]
    for sentence in talk.sentences:
        one = _open_question(talk, sentence) if sentence.line not in asked else None
        if one and not (one.kind == "unowned" and sentence.line in taken):
            found.append(one)
    return list(_distinct(found))


def question(sentence: Sentence, kind: str, text: str | None = None) -> OpenQuestion:
    """A sentence, or a part of it, as an open point."""
    return OpenQuestion(
        text=text or sentence.text,
        line=sentence.line,
        turn=sentence.turn,
        speaker=sentence.speaker,
        kind=kind,
    )


def _distinct(found: Iterable[OpenQuestion]) -> Iterator[OpenQuestion]:
    """The points without repetitions."""
    seen: set[frozenset[str]] = set()
    for one in found:
        words = content_words(one.text)
        if not words or words not in seen:
            seen.add(words)
            yield one


def _open_question(talk: Talk, sentence: Sentence) -> OpenQuestion | None:
    text = sentence.text
    if body := body_of(sentence, _LABEL, SECTION_LABEL["question"]):
        return question(sentence, "question", body)
    if not is_question(text):
        return _open_statement(talk, sentence)
    if (
        len(text.split()) < 4
        or _SMALL_TALK.search(text)
        or is_request(text)
        or not _unanswered(talk, sentence)
    ):
        return None
    found = _with_context(talk, _with_reply(talk, question(sentence, "question"), sentence), sentence)
    opaque = not talk.words(sentence) and found.reply is None
    return None if opaque else _with_answer(talk, found, sentence)


def _open_statement(talk: Talk, sentence: Sentence) -> OpenQuestion | None:
    """`We still don't know whether ...` and `somebody should ...`."""
    if _STILL_OPEN.search(sentence.text):
        return _with_answer(talk, question(sentence, "question"), sentence)
    if _NEEDED.search(sentence.text) and len(sentence.text.split()) > 3:
        return _with_context(talk, question(sentence, "unowned"), sentence)
    return None


_REQUEST = phrases(r"(can|could|would|will) you (please )?\w+")


def is_request(text: str) -> bool:
    """Whether the sentence is a request (`Could you ...`), which is no open question."""
    return bool(_REQUEST.search(text))


def _unanswered(talk: Talk, sentence: Sentence) -> bool:
    """Whether nobody replies with a statement, or the first such reply gives no answer or leaves it open."""
    if sentence.speaker is None and (follow := talk.next_in_turn(sentence)) and not is_question(follow.text):
        return False
    for said in talk.replies(sentence, 3):
        statements = [reply for reply in said if not is_question(reply.text)]
        if statements:
            return any(_UNKNOWN.search(reply.text) for reply in statements[:3]) or _left_open(said)
    return True


def _left_open(said: Iterable[Sentence]) -> bool:
    return any(_LEFT_OPEN.search(sentence.text) for sentence in said)


def _with_reply(talk: Talk, found: OpenQuestion, sentence: Sentence) -> OpenQuestion:
    """Adds the reply that is no answer, such as "I don't know"; a very short one with the next sentence."""
    for said in talk.replies(sentence, 3):
        for index, reply in enumerate(said):
            if _UNKNOWN.search(reply.text):
                more = said[index + 1 : index + 2] if len(reply.text.split()) < 4 else []
                found.reply = " ".join(part.text for part in (reply, *more))
                found.reply_line = reply.line
                return found
    return found


def _with_context(talk: Talk, found: OpenQuestion, sentence: Sentence) -> OpenQuestion:
    """Adds the preceding statement to one such as "someone should clean that up"."""
    words = content_words(sentence.text, without=VERBS)
    if len(words) > (found.kind == "unowned") or not _POINTS_BACK.search(sentence.text):
        return found
    for index in range(sentence.turn - 1, max(sentence.turn - 3, -1), -1):
        for earlier in talk.by_turn.get(index, []):
            if len(talk.words(earlier)) >= 2 and not is_question(earlier.text):
                found.about, found.about_line = earlier.text, earlier.line
                return found
    return found


def _with_answer(talk: Talk, found: OpenQuestion, sentence: Sentence) -> OpenQuestion:
    """Adds the line of a later statement with the same words, if there is one; direct replies are not searched."""
    words = talk.words(sentence)
    for later in talk.after(sentence):
        if len(words & talk.words(later)) < 2 or is_question(later.text):
            continue
        if overlap(words, talk.words(later)) >= 0.66 and not _UNKNOWN.search(later.text):
            found.answered_line = later.line
            break
    return found
