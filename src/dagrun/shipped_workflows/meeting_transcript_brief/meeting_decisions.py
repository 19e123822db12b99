"""Finds the decisions of a meeting, and those that were revoked or replaced before the end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dagrun.shipped_workflows.meeting_transcript_brief.speech import (
    AGREE,
    CONDITIONAL,
    HISTORY,
    is_hedged,
    is_question,
    objects,
)
from dagrun.shipped_workflows.meeting_transcript_brief.talk import SECTION_LABEL, Talk, body_of
from dagrun.shipped_workflows.meeting_transcript_brief.transcript import Sentence
from dagrun.shipped_workflows.meeting_transcript_brief.vocabulary import content_words, overlap
from dagrun.shipped_workflows.shared.pattern import Pattern, phrases

LONGEST = 200  # how many earlier decisions a reversal may refer to


@dataclass(slots=True, kw_only=True)
class MeetingDecision:
    """A decision as it was spoken; `superseded_line` is where it was revoked or replaced."""

    text: str
    line: int
    turn: int
    speaker: str | None
    #: the subject of a bare "let's do it Thursday", quoted
    about: str | None = None
    about_line: int | None = None
    superseded_line: int | None = None


_LABEL = Pattern(
    r"(?:\*\*|__)?(?:decisions?|decided|agreed|resolved|resolution|outcome)(?:\s*#?\d+)?(?:\*\*|__)?\s*"
    r"(?::(?:\*\*|__)?|(?-i:(?<=RESOLVED)|(?<=AGREED)|(?<=DECIDED))\s+(?=that|to|by))",
    re.IGNORECASE,
)

_GROUP = (
    "(board|committee|council|panel|team|group|meeting|directors|trustees|members|partners)"
    "( unanimously| formally| then)?"
)
# Explicit decisions.
_EXPLICIT = phrases(
    rf"""
    we('ve| have)? (all |now |just |then )?(decided|agreed|settled|resolved)(?! (nothing|before|to disagree))
    (the|our) decision (is|was) (to|that|made)
    it('s| is| was) (then |therefore |unanimously )?(decided|agreed|resolved)
    {_GROUP} (agreed|approved|resolved|decided|accepted|adopted|rejected|endorsed|ratified|voted)
    motion (was |is )?(carried|passed|defeated)
    """
)
# In minutes only; in a conversation "the plan was approved" may be news.
_PASSIVE = phrases("(was|were|is|are) (unanimously |formally )?(approved|adopted|carried|ratified|agreed)")
# Statements that are decisions unless somebody objects.
_ASSERTED = phrases(
    r"""
    we('re| are) (then )?going (with|for|ahead with)
    we('ll| will) (then )?(go (with|for|ahead with)|stick (with|to)|adopt|postpone|switch|cancel|buy|hire)
    we('ll| will) (then )?(ship|release|launch)
    we('ll| will) (then )?stay (?!in touch|tuned|here|on the line|a bit|for)\w+
    we('ll| will) (then )?keep (?!going|you|it short|an eye|in touch|talking|looking)\w+
    let's (just |then |all )?(go (with|for)|stick (with|to)|call it decided)
    let's (just |then |all )?make (it|that|this) (a rule|official|the rule)
    """
)
# Proposals: decisions if somebody agrees and nobody objects.
_PROPOSED = phrases(
    r"""
    let's (just |then |all )?(keep(?! (going|moving|it short|talking))|move(?! on)|do (that|it|both|the))
    let's (just |then |all )?(use|drop|ship|postpone|delay|adopt|switch|cancel|buy|hire|push|release|launch)
    let's (just |then |all )?(freeze|stop|raise|lower|cap|charge|say|agree|merge|roll|wait|skip)
    I('d| would)? (propose|suggest|recommend|move) \w+
    my (proposal|suggestion|motion) (is|would be)
    (?<=^)(so,? )?(shall|should) we
    (?<=^)how about we
    (?<=^)(proposal|motion):
    """
)
_NOT_YET = phrases(
    """
    (have|has|did|had)(n't| not)
    (not yet|never|nothing (is|was)|until|before|once|whether|have we|had)
    """
)
# Sentences without content of their own, such as "good, let's go with that".
_POINTING = Pattern(
    r"^(?:\W|\b(?:ok(?:ay)?|good|great|right|alright|all|fine|so|then|well|yes|yeah|and|cool|perfect"
    r"|let['’]?s|we(?:['’]ll|['’]re)?|will|are|going|go|make|do|call|with|for|it|that|this|an?|the|rule"
    r"|official|decided|agreed|is|was|settled|just|idea|carried|passed|motion|unanimously|one|plan|option)\b)*$",
    re.IGNORECASE,
)

_REVERSE = phrases(
    r"""
    (scrap|scratch|undo|reverse|overturn|rescind|bin) (?P<what>\w+)
    (let's|we('ll)?|just|rather|actually,?) (forget|drop|cancel|call off) (?P<what2>\w+)
    let's not
    on second thoughts?
    change of plans?
    I take (that|it) back
    I('ve)? changed? my mind
    we('re| are) not (doing|going|releasing|shipping|buying|moving|raising)
    we (won't|will not) (do|go|release|ship|buy|move|be)
    (that|it)('s| is) off (then|again|the table)
    (rescinded|withdrawn|revoked|overturned)
    """
)
_POINTERS = frozenset(("that", "it", "this", "the", "these", "those", "all", "what", "everything"))
_UPHOLD = phrases(
    """
    (no|nope|please|wait|sorry|I think)?[,.]? ?let's (keep|stick|leave it as)
    (no|nope|please|wait|sorry)?[,.]? ?(I'd (rather )?keep|we (should )?(keep|stick)|keep (it|that))
    """,
    opening=True,
)
_DAY = phrases(
    r"""
    (mon|tues|wednes|thurs|fri|satur|sun)day
    (january|february|march|april|june|july|august|september|october|november|december)
    \d{1,2}:\d\d
    """
)


def find_decisions(talk: Talk) -> list[MeetingDecision]:
    """The decisions in order; one that is revoked later, or replaced by another day, is marked."""
    made: list[MeetingDecision] = []
    for sentence in talk.sentences:
        if revoked := _revoked_by(talk, sentence, made):
            revoked.superseded_line = sentence.line
        if decision := _decision(talk, sentence):
            _replace_older(decision, made)
            made.append(decision)
    return made


def _decision(talk: Talk, sentence: Sentence) -> MeetingDecision | None:
    text = sentence.text
    if body := body_of(sentence, _LABEL, SECTION_LABEL["decision"]):
        return _as_decision(sentence, body)
    if CONDITIONAL.match(text) or (is_question(text) and not _PROPOSED.search(text)):
        return None
    if HISTORY.search(text) or not _is_decided(talk, sentence):
        return None
    if _POINTING.match(text.rstrip(".!")):
        return _pointed_at(talk, sentence)
    return _with_topic(talk, _as_decision(sentence, text), sentence)


def _is_decided(talk: Talk, sentence: Sentence) -> bool:
    text = sentence.text
    stated = _EXPLICIT.search(text) or (_PASSIVE.search(text) if sentence.speaker is None else None)
    if stated:
        return not _NOT_YET.search(text[: stated.end()])
    if is_hedged(text):
        return False
    if _ASSERTED.search(text):
        return not _objected(talk, sentence, 2)
    return bool(_PROPOSED.search(text)) and _agreed(talk, sentence) and not _objected(talk, sentence, 1)


def _agreed(talk: Talk, sentence: Sentence) -> bool:
    return any(AGREE.match(said[0].text) for said in talk.replies(sentence, 2))


def _objected(talk: Talk, sentence: Sentence, turns: int) -> bool:
    return any(objects(said[0].text) for said in talk.replies(sentence, turns))


def _as_decision(sentence: Sentence, text: str) -> MeetingDecision:
    return MeetingDecision(text=text, line=sentence.line, turn=sentence.turn, speaker=sentence.speaker)


def _pointed_at(talk: Talk, sentence: Sentence) -> MeetingDecision | None:
    """The decision behind "let's go with that": the speaker's next sentence, else the statement before it."""
    added = talk.next_in_turn(sentence)
    if added and not is_question(added.text) and talk.words(added):
        return _as_decision(added, added.text)
    for earlier in talk.before(sentence, 2):
        if talk.words(earlier) and not AGREE.match(earlier.text) and not is_question(earlier.text):
            return _as_decision(earlier, earlier.text)
    return None


def _with_topic(talk: Talk, decision: MeetingDecision, sentence: Sentence) -> MeetingDecision:
    """Adds the preceding sentence to one such as "let's do it Thursday", which does not name its subject."""
    if not talk.words(sentence):
        for earlier in talk.before(sentence, 2):
            if len(talk.words(earlier)) >= 1 and len(earlier.text.split()) >= 4:
                decision.about, decision.about_line = earlier.text, earlier.line
                break
    return decision


def _revoked_by(talk: Talk, sentence: Sentence, made: Sequence[MeetingDecision]) -> MeetingDecision | None:
    """The valid decision that a sentence revokes: the one that shares its words; for "that", the last one."""
    match = _REVERSE.search(sentence.text)
    if not match or is_question(sentence.text) or CONDITIONAL.match(sentence.text):
        return None
    if any(_UPHOLD.match(said[0].text) for said in talk.replies(sentence, 2)):
        return None
    valid = [decision for decision in made[-LONGEST:] if decision.superseded_line is None]
    words = _words_and_days(sentence.text)
    shared = [len(words & _words_and_days(decision.text)) for decision in valid]
    if any(shared):
        return max(zip(shared, valid, strict=True), key=lambda pair: (pair[0], pair[1].turn))[1]
    what = (match["what"] or match["what2"] or "that").lower()
    near = [decision for decision in valid if sentence.turn - decision.turn <= 8]
    return near[-1] if near and what in _POINTERS else None


def _words_and_days(text: str) -> frozenset[str]:
    return content_words(text) | _days(text)


def _days(text: str) -> frozenset[str]:
    return frozenset(match.group().lower() for match in _DAY.finditer(text))


def _replace_older(new: MeetingDecision, made: Sequence[MeetingDecision]) -> None:
    """Marks the older decision about the same subject with another day as replaced."""
    days, words = _days(new.text), content_words(new.text)
    for old in made[-LONGEST:]:
        older, before = _days(old.text), content_words(old.text)
        alike = len((before & words) - days - older) >= 2 and overlap(before - older, words - days) >= 0.5
        if alike and days and older and days != older and old.superseded_line is None:
            old.superseded_line = new.line
