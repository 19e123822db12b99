"""Finds action items: who promised to do what by when. A hedged, conditional or reported promise is none."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from dagrun.shipped_workflows.meeting_transcript_brief.open_questions import OpenQuestion, question
from dagrun.shipped_workflows.meeting_transcript_brief.speech import (
    CONDITIONAL,
    REPORTED,
    VERBS,
    is_firm,
    is_question,
    is_work,
)
from dagrun.shipped_workflows.meeting_transcript_brief.talk import ADVERBS, SECTION_LABEL, Talk, body_of
from dagrun.shipped_workflows.meeting_transcript_brief.transcript import Sentence, is_name
from dagrun.shipped_workflows.meeting_transcript_brief.vocabulary import content_words, overlap
from dagrun.shipped_workflows.shared.dates import due_words
from dagrun.shipped_workflows.shared.pattern import Pattern, phrases

LONGEST = 200  # how many earlier action items are searched for a repetition


@dataclass(slots=True, kw_only=True)
class ActionItem:
    """A promise. `line` is where the owner is named (perhaps by the speaker's label); each text has its own line."""

    owner: str
    action: str
    line: int
    action_line: int
    turn: int
    due: str | None = None
    due_line: int | None = None
    #: for "I'll do that": the sentence it refers to, quoted
    about: str | None = None
    about_line: int | None = None
    #: the line that says it is done or no longer needed
    settled_line: int | None = None
    #: a repetition at the end of the meeting: "Ana to ..., Ben to ..."
    recap: bool = False

    @property
    def subject(self) -> frozenset[str]:
        """The content words of the task, without its owner."""
        return content_words(f"{self.action} {self.about or ''}", without=VERBS) - content_words(self.owner)


@dataclass(slots=True)
class Promises:
    """Action items, requests that nobody agreed to, and items of action lists without an owner."""

    actions: list[ActionItem] = field(default_factory=list)
    requests: list[OpenQuestion] = field(default_factory=list)
    unowned: list[tuple[Sentence, str]] = field(default_factory=list)


def find_actions(talk: Talk, reversals: Collection[int] = ()) -> Promises:
    """All promises in order, repetitions as one item. `reversals` are the lines that revoke decisions."""
    found = Promises()
    accepting: set[int] = set()  # sentences, by identity, that only accept a request
    for sentence in talk.sentences:
        if sentence.line not in reversals:
            _settle(talk, sentence, found.actions)
        if id(sentence) in accepting:
            continue
        for action in _stated(talk, sentence, found):
            _merge(action, found.actions)
        accepting.update(_asked(talk, sentence, found))
    return found


def _stated(talk: Talk, sentence: Sentence, found: Promises) -> list[ActionItem]:
    """The actions that one sentence states by itself."""
    body = body_of(sentence, _LABEL, SECTION_LABEL["action"])
    if body is not None:
        owned = _labelled(sentence, body)
        if owned is None and len(body.split()) > 1:
            found.unowned.append((sentence, body))
        return [owned] if owned else []
    if not is_firm(sentence.text):
        return []
    own = _promised(talk, sentence)
    return [own] if own else list(_assigned(talk, sentence))


def _action(sentence: Sentence, owner: str, text: str, about: Sentence | None = None) -> ActionItem:
    due = due_words(text)
    return ActionItem(
        owner=owner,
        action=text,
        line=sentence.speaker_line if owner == sentence.speaker else sentence.line,
        action_line=sentence.line,
        turn=sentence.turn,
        due=due,
        due_line=sentence.line if due else None,
        about=about.text if about else None,
        about_line=about.line if about else None,
    )


# --- minutes: "ACTION: Ana to ..." --------------------------------------------------------------------------

_LABEL = Pattern(
    r"(?:\*\*|__)?(?:action(?:\s+(?:item|point))?s?|AP|AI|to-?do|next\s+step)(?:\s*#?\d+)?(?:\*\*|__)?"
    r"\s*(?::(?:\*\*|__)?|\s[-–—]\s)\s*",
    re.IGNORECASE,
)
_WHO = r"(?:[^\W\d_][\w.'’-]*)(?:\s+(?:(?:de|da|di|van|von|der|and|&)\s+)?[^\W\d_][\w.'’-]*){0,3}?"
_MUST = r"(?:(?:is\s+|are\s+|agreed\s+|has\s+)?to|will|shall|must)"
_OWNER_FORMS = tuple(
    Pattern(form, re.IGNORECASE if "owner" in form else re.NOFLAG)
    for form in (
        rf"^[\[(]?@?(?P<who>{_WHO})[\])]?\s*:\s+(?P<what>.+)$",
        rf"^(?:the\s+)?@?(?P<who>{_WHO})\s+{_MUST}\s+(?P<what>.+)$",
        rf"^[\[(]@?(?P<who>{_WHO})[\])]\s+(?P<what>.+)$",
        r"^@(?P<who>[\w.-]*\w)\s+(?P<what>.+)$",
        rf"^(?P<who>{_WHO})\s+[-–—]\s+(?P<what>.+)$",
        rf"^(?P<what>.+?)\s*[\[(](?:owner:\s*|@)?(?P<who>{_WHO})(?:,[^()\[\]]*)?[\])]\W*$",
        rf"^(?P<what>.+?)[\s,;.]+(?:owner|assignee|assigned\s+to|responsible)\s*:?\s+(?P<who>{_WHO})\W*$",
        rf"^(?P<what>.+?)\s+[-–—]\s+(?P<who>{_WHO})(?:,.*)?$",
    )
)


def _labelled(sentence: Sentence, body: str) -> ActionItem | None:
    """An action item from a labelled line; None when no owner is named."""
    for form in _OWNER_FORMS:
        match = form.match(body)
        if match and is_name(re.sub(r"\s(?:and|&)\s", " ", match["who"]), chat="@" in body):
            return _action(sentence, match["who"], body)
    return None


# --- promises: "I'll ..." -----------------------------------------------------------------------------------

_PROMISE = Pattern(
    r"(?:^|[\s,;:(—–-])I(?:['’]ll|\s+will|\s+shall|(?:['’]m|\s+am)\s+(?:going\s+to|gonna))\s+"
    rf"{ADVERBS}(?P<verb>[a-z-]+)(?P<rest>.*)$",
    re.IGNORECASE,
)
# These count only after a request or a question.
_TAKEN = phrases(
    r"""
    ((yes|yeah|sure|fine|no|actually|thanks),? )*I can (take|do|handle) (that|it|this|those|them|one)
    ((yes|yeah|sure|fine|no|actually|thanks),? )*I('ll| will) (take|do|handle|own) {that}{end}
    leave (it|that) (with|to) me
    I've got (that|this|it)(?=\W*$|,)
    (that|this)('s| is) on me
    I'm on it
    consider it done
    """.format(
        that="(that|it|this|those|them)( one)?", end=r"(?=\W*$|,| (by|on|before|today|tomorrow|this|next))"
    ),
    opening=True,
)
_SOMEBODY = phrases(
    """
    (some|any)(one|body) (should|needs? to|has to|must|ought to|could|can|will have to)
    (can|could|would|will) (some|any)(one|body)
    who (can|could|will|wants to|is going to|takes)
    """
)
_NEEDED = phrases(
    r"""
    we (still )?(need to|should|must|have to)
    needs? (to be|a)
    needs \w+ing
    who (writes|does|takes|owns)
    is (still )?missing
    """
)
_ASK = Pattern(
    rf"\b(?:can|could|would|will)\s+you\s+(?:please\s+)?{ADVERBS}(?P<verb>[a-z-]+)(?P<rest>.*)$"
    r"|\bplease\s+(?P<verb2>[a-z-]+)(?P<rest2>.*)$",
    re.IGNORECASE,
)
_PRONOUN_EARLY = Pattern(r"^\s*(?:\w+\s+)?(?:it|that|this|them|those|one|him|her)\b", re.IGNORECASE)


def _promised(talk: Talk, sentence: Sentence) -> ActionItem | None:
    """The speaker's own promise; for "I'll do that", with the sentence it refers to."""
    if sentence.speaker is None:
        return None
    if _TAKEN.match(sentence.text):
        return _taken(talk, sentence, sentence.speaker)
    match = _PROMISE.search(sentence.text)
    if not match or REPORTED.search(sentence.text[: match.start()]):
        return None
    if not is_work(match["verb"], match["rest"]):
        return None
    if not _is_vague(match["rest"]):
        return _action(sentence, sentence.speaker, sentence.text)
    points_back = _PRONOUN_EARLY.match(match["rest"]) is not None
    about = _request_before(talk, sentence) or _question_before(talk, sentence, 1)
    if about is None and points_back:
        about = _statement_before(talk, sentence)
    empty = not points_back and not content_words(match["rest"]) and not due_words(match["rest"])
    if about is None and empty:
        return None
    return _action(sentence, sentence.speaker, sentence.text, about)


def _taken(talk: Talk, sentence: Sentence, speaker: str) -> ActionItem | None:
    """For "I can take that": the request it answers, if there is one; the next sentence may have the due date."""
    about = _request_before(talk, sentence) or _question_before(talk, sentence, 3)
    if about is None:
        return None
    action = _action(sentence, speaker, sentence.text, about)
    following = talk.next_in_turn(sentence)
    if (
        action.due is None
        and following
        and not _PROMISE.search(following.text)
        and (due := due_words(following.text))
    ):
        action.due, action.due_line = due, following.line
    return action


def _is_vague(rest: str) -> bool:
    """Whether the promise's object is a pronoun, or there is none."""
    due = due_words(rest)
    words = content_words(rest.replace(due, " ") if due else rest, without=VERBS)
    return not words or (len(words) <= 1 and _PRONOUN_EARLY.match(rest) is not None)


def _request_before(talk: Talk, sentence: Sentence) -> Sentence | None:
    """The nearest earlier request: "somebody needs to ...", "who can ...?", "could you ...?"."""
    for earlier in talk.before(sentence, 3):
        if _SOMEBODY.search(earlier.text) or _NEEDED.search(earlier.text):
            return earlier
        if earlier.speaker != sentence.speaker and _ASK.search(earlier.text):
            return earlier
    return None


def _question_before(talk: Talk, sentence: Sentence, turns: int) -> Sentence | None:
    """The nearest question of another speaker, at most `turns` turns back."""
    for earlier in talk.before(sentence, turns):
        if (
            earlier.speaker != sentence.speaker
            and is_question(earlier.text)
            and len(earlier.text.split()) >= 3
        ):
            return earlier
    return None


def _statement_before(talk: Talk, sentence: Sentence) -> Sentence | None:
    """The nearest statement of another speaker with some content, for "I'll tell them where it is"."""
    for earlier in talk.before(sentence, 3):
        others = earlier.speaker != sentence.speaker and not is_question(earlier.text)
        if others and len(talk.words(earlier)) >= 3:
            return earlier
    return None


# --- assignments: "Ana will ..." ----------------------------------------------------------------------------


def _assigned(talk: Talk, sentence: Sentence) -> Iterator[ActionItem]:
    """`Ana will ...`, and in a recap `Ana to ..., Ben to ...`, for people of this meeting."""
    text = sentence.text
    matches = [match for match in talk.assignment.finditer(text) if _begins_clause(text, match)]
    ends = [*(match.start() for match in matches), len(text)][1:]
    for match, end in zip(matches, ends, strict=True):
        if REPORTED.search(text[: match.start()]) or not is_work(match["verb"], text[match.end() : end]):
            continue
        clause = re.sub(r"[,;\s]+(?:and)?\s*$", "", text[match.start() : end])
        action = _action(sentence, match["who"], clause if len(matches) > 1 else text)
        action.recap = match["how"].strip().lower() == "to"
        yield action


def _begins_clause(text: str, match: re.Match[str]) -> bool:
    """Whether the match is at the start of a clause, as `Ana to ...` must be: "I spoke with Ana to ..." assigns nothing."""
    before = text[: match.start()].rstrip()
    return (
        match["how"].strip().lower() != "to"
        or not before
        or before[-1] in ",;:.-–—"
        or before.endswith(" and")
    )


# --- requests: "Ana, could you ...?" ------------------------------------------------------------------------

_ACCEPT = phrases(
    """
    (yes|yeah|yep|yup|sure|of course|absolutely|definitely|gladly|certainly|aye|fine|ok|okay|deal|done|np)
    (will|can) do
    (already )?on it
    no (problem|worries)
    happy to
    doing (it|that)
    I('ll| will| can do)
    right away
    got it
    leave (it|that) (with|to) me
    """,
    opening=True,
)
_DECLINE = phrases(
    """
    (can't|cannot|won't)
    not sure
    (maybe|might|depends)
    no time
    don't (think|know|have)
    not (before|this|until)
    already did
    """
)


def _asked(talk: Talk, sentence: Sentence, found: Promises) -> Iterator[int]:
    """Records a request as an action item or as open; yields the ids of the sentences that only accept it."""
    match = _ASK.search(sentence.text)
    if not match or sentence.speaker is None or CONDITIONAL.match(sentence.text):
        return
    name = talk.addressed(sentence)
    verb, rest = (match["verb"], match["rest"]) if match["verb"] else (match["verb2"], match["rest2"])
    if not is_work(verb, rest.rstrip("?!. ")) or (match["verb2"] and not name):
        return
    reply = _reply(talk, sentence, name)
    if reply and _ACCEPT.match(reply[0].text) and not any(_DECLINE.search(said.text) for said in reply[:2]):
        _merge(_accepted(sentence, name, reply), found.actions)
        yield from (id(said) for said in reply if _only_accepts(said))
    elif name and match["verb"]:
        found.requests.append(question(sentence, "request"))


def _reply(talk: Talk, sentence: Sentence, name: str | None) -> list[Sentence]:
    """The reply of the person asked; without a name, the next turn."""
    for said in talk.replies(sentence, 3 if name else 1):
        if said[0].speaker and (name is None or _is_called(said[0].speaker, name)):
            return said[:3]
    return []


def _is_called(label: str, name: str) -> bool:
    """Whether a name, or one of two joined by "and", is the label or part of it."""
    words = set(label.lower().split())
    return any(set(one.split()) <= words for one in re.split(r"\s+(?:and|&)\s+", name.lower()))


def _accepted(sentence: Sentence, name: str | None, reply: list[Sentence]) -> ActionItem:
    """The request as an action item of the person who agreed; the due date is in the request, else in the reply."""
    first = reply[0]
    action = _action(sentence, name or first.speaker or "", sentence.text)
    action.line = sentence.line if name else first.speaker_line
    for said in reply[:2]:
        words = due_words(said.text) if action.due is None else None
        if words and (said is first or len(said.text.split()) <= 10 or _PROMISE.search(said.text)):
            action.due, action.due_line = words, said.line
    return action


def _only_accepts(said: Sentence) -> bool:
    """Whether a sentence of the reply only confirms the request."""
    match = _PROMISE.search(said.text)
    return bool(_TAKEN.match(said.text)) or (match is not None and _is_vague(match["rest"]))


# --- repetitions, and items no longer needed --------------------------------------------------------------------------

_NO_NEED = phrases(
    """
    no need(?! to)
    no longer (needed|necessary)
    not needed
    don't bother
    never ?mind
    (scrap|scratch|forget|drop|skip) (that|it)
    you don't have to
    doesn't need to
    """
)


def _merge(new: ActionItem, found: list[ActionItem]) -> None:
    """Adds an action item, or completes the earlier one that it repeats."""
    for old in found[: -LONGEST - 1 : -1]:
        same_owner = _is_called(old.owner, new.owner) or _is_called(new.owner, old.owner)
        if old.settled_line is None and same_owner and _is_same(old, new):
            if old.due is None:
                old.due, old.due_line = new.due, new.due_line
            if old.about and not new.about and not new.recap:
                old.action, old.line, old.action_line = new.action, new.line, new.action_line
            return
    found.append(new)


def _is_same(old: ActionItem, new: ActionItem) -> bool:
    """Whether two promises of one person share enough words to be the same work."""
    shared, ratio = len(old.subject & new.subject), overlap(old.subject, new.subject)
    if old.about and new.turn == old.turn:  # "I can take that. I'll call Greta this afternoon."
        return shared >= 1
    if new.recap:
        return shared >= 1 and ratio >= 0.5
    return ratio >= 0.6 and shared >= (1 if new.turn - old.turn <= 2 else 2)


def _settle(talk: Talk, sentence: Sentence, found: Sequence[ActionItem]) -> None:
    """Marks the action item that "no need then, Aiko" refers to."""
    if not _NO_NEED.search(sentence.text) or is_question(sentence.text):
        return
    name = talk.addressed(sentence) or talk.only_name(sentence)
    for action in reversed(found):
        distance = sentence.turn - action.turn
        if distance > (6 if name else 2):
            return
        if action.settled_line is not None or distance == 0:
            continue
        if name is None or _is_called(action.owner, name) or _is_called(name, action.owner):
            action.settled_line = sentence.line
            return
