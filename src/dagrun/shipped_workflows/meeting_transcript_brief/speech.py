"""Phrases of meetings that several rules use: promises, hedges, agreement, objection, questions."""

from __future__ import annotations

import re

from dagrun.shipped_workflows.shared.pattern import Pattern, phrases

_VERBS_OF_WORK = """
    adapt adjust analyse analyze announce answer approve archive arrange ask assemble audit book bring
    build buy calculate call cancel change chase check circulate clarify clean clear close collect
    compare compile complete configure confirm contact convene convert copy correct create cut debug
    define delete deliver deploy design dig disable document double-check downgrade draft edit email
    enable engage ensure escalate establish estimate evaluate examine explore export extend file
    finalise finalize find finish fix follow forward gather get give go handle hand hire identify
    implement import inform install instruct interview investigate invite issue let liaise list log look
    mail make measure meet merge message migrate monitor mount move negotiate notify obtain onboard open
    order organise organize own patch pay phone pick ping plan post postpone prepare print procure
    produce propose provide publish pull purchase push put raise reach rebase recommend reconcile record
    recruit reduce refactor register rehearse remind remove rename renew reorder repair replace reply
    report request reschedule reserve research resend resolve respond restart restore return revert
    review revise rewrite ring roll rotate run schedule scope seek send set share ship sign sketch
    solicit sort source speak split submit summarise summarize switch sync take talk tell test text tidy
    track train transfer translate turn update upgrade upload validate verify visit walk wire work wrap
    write
"""
#: A promise needs one of these verbs: "I'll be back", "I'll see" and "I'll admit" are no promises.
VERBS = frozenset(_VERBS_OF_WORK.split())

# No promises in spite of such a verb: remarks about the meeting itself, and figures of speech.
_IDLE = phrases(
    r"""
    add (that|to that|one)
    answer (that|this|your)
    ask (you|an?( \w+)? (question|thing))
    bring (up|us|you)
    call it
    close (the meeting|with|by|here)
    get (to|started|going|out|off|there|used|into|on with)
    get the .*(train|bus|coffee|door)
    give (you|it|that|up|everyone|a quick|an? (example|overview|update))
    go (?!through|over|to)\w+
    go (through|over) (the|my|these) (slides|list|agenda|items)
    hand (over|it over|back)
    let (you|us|me|it|that|this)(?! know)
    look forward
    make (it|this) (quick|short|brief)
    meet you
    move (on|to)
    open (with|by)
    pick up
    put (it|this) (this way|bluntly)
    put my hand
    report (on|that)
    return( to)?$
    run (through|you|off|late|out)
    set (the scene|off)
    share (my|the) screen
    take (?!that|this|it|them|those|care|over|on|ownership|minutes|notes|the (action|minutes|lead|task))\w+
    talk (about|you|us|through)
    tell you
    turn (to|off my|on my)
    visit you
    walk (you|us|through|over)
    work from
    wrap (up|it up)
    """
)
_READY = Pattern(
    r"have (?:it|that|this|them|the|an?)\b.*\b(?:ready|done|back|finished|fixed|out|for you|by)\b"
)

_HEDGE = phrases(
    """
    maybe
    perhaps
    might
    possibly
    probably
    at some point
    some ?day
    one (day|of these days)
    eventually
    in theory
    hypothetically
    would be nice
    (if|when|once) I (ever )?(get|find|have|feel)
    if you (want|like|need|prefer)
    if (needed|necessary|possible)
    or not
    I guess
    not sure
    see if I can
    unless
    """
)
CONDITIONAL = phrases("(if|unless|in case|suppose|assuming)", opening=True)
_ONLY_OBJECTIONS = phrases(
    "(if|unless) (nobody|no one|there are no|any ?body|any ?one|that's (ok|okay|fine))", opening=True
)
_TAG = Pattern(r",?\s*(?:ok(?:ay)?|right|alright|all right|yes|deal|good)\?$", re.IGNORECASE)

#: Words that, before a promise, make it a report of what somebody said.
REPORTED = phrases("(said|says|told|promised|thought|thinks|heard|wrote|asked|wish|hope|imagine|pretend)")

#: Reports from the past.
HISTORY = phrases(
    """
    last (week|month|quarter|year|sprint|time|spring|summer|autumn|winter|meeting)
    yesterday
    (years?|months?|weeks?) ago
    back (then|in|at|when)
    at the time
    originally
    when (I|we|he|she|they) (was|were|worked|did|had)
    used to
    at my (old|last|previous|former)
    already decided
    previously
    earlier this (year|month)
    """
)

AGREE = phrases(
    r"""
    (very |fully |totally )?agreed?
    I agree
    works? (for me|fine)
    (fine|good|great|perfect|sure|deal|done|seconded|approved|aye|lovely|absolutely|definitely|exactly)
    (yes|yeah|yep|yup|ok|okay|alright|all right)
    (sounds|looks) (good|fine|great|sensible|right)
    makes sense
    \+1
    happy with
    I('m)? (like (it|that)|fine with|happy with|in favou?r)
    no objections?
    let's do (that|it)
    """,
    opening=True,
)
OBJECT = phrases(
    """
    no(?! objection)
    nope
    (wait|sorry|hm+)
    (hang|hold) on
    not so fast
    I (disagree|object|don't (agree|think|like))
    (yes|yeah|ok|okay|sure|good|fine),? but
    that won't
    we can't
    """,
    opening=True,
)
_BUT = Pattern(r"^but\b", re.IGNORECASE)


def objects(text: str) -> bool:
    """Whether a reply begins with an objection."""
    return bool(OBJECT.match(text) or _BUT.match(text))


def is_question(text: str) -> bool:
    """Whether the sentence ends as a question."""
    return text.rstrip("\"')”’ *_").endswith("?")


def is_firm(text: str) -> bool:
    """Whether the sentence is no question (a mere ", okay?" at its end is none), not hedged and not conditional."""
    if is_question(text) and not _TAG.search(text):
        return False
    if CONDITIONAL.match(text) and not _ONLY_OBJECTIONS.match(text):
        return False
    return not is_hedged(text)


def is_hedged(text: str) -> bool:
    """Whether the sentence is uncertain: maybe, possibly, at some point."""
    return bool(_HEDGE.search(text))


def is_work(verb: str, rest: str) -> bool:
    """Whether verb and object name work to do."""
    phrase = f"{verb} {rest.strip()}".lower()
    if verb.lower() == "have":
        return bool(_READY.match(phrase))
    return verb.lower() in VERBS and not _IDLE.match(phrase)
