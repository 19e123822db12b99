"""Everything the rules find in a transcript: attendees, decisions, action items, open questions.

All of it is quoted: owners, due dates and texts are parts of the input, with their line.
"""

from __future__ import annotations

from dataclasses import dataclass

from dagrun.shipped_workflows.meeting_transcript_brief.action_items import ActionItem, find_actions
from dagrun.shipped_workflows.meeting_transcript_brief.meeting_decisions import (
    MeetingDecision,
    find_decisions,
)
from dagrun.shipped_workflows.meeting_transcript_brief.open_questions import (
    OpenQuestion,
    find_questions,
)
from dagrun.shipped_workflows.meeting_transcript_brief.talk import Attendee, Talk
from dagrun.shipped_workflows.meeting_transcript_brief.transcript import Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The findings, each list in the order of the transcript."""

    attendees: list[Attendee]
    decisions: list[MeetingDecision]
    actions: list[ActionItem]
    questions: list[OpenQuestion]


def find(turns: list[Turn]) -> Findings:
    """Applies all rules to the turns of a transcript."""
    talk = Talk(turns)
    decisions = find_decisions(talk)
    reversals = {decision.superseded_line for decision in decisions if decision.superseded_line is not None}
    promises = find_actions(talk, reversals)
    sources = {line for action in promises.actions for line in (action.action_line, action.about_line)}
    asked = {request.line for request in promises.requests}
    questions = [*promises.requests, *find_questions(talk, sources, asked, promises.unowned)]
    questions.sort(key=lambda question: (question.line, question.turn))
    _settle_by_answers(promises.actions, questions)
    return Findings(
        attendees=talk.attendees, decisions=decisions, actions=promises.actions, questions=questions
    )


def _settle_by_answers(actions: list[ActionItem], questions: list[OpenQuestion]) -> None:
    """Settles a promise to find something out if the answer comes later in the transcript."""
    answers = {question.line: question.answered_line for question in questions}
    for action in actions:
        if action.about_line is not None and action.settled_line is None:
            action.settled_line = answers.get(action.about_line)
