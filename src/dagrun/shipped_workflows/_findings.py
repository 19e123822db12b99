"""Everything the rules find in a transcript: attendees, decisions, action items and what is left open.

All of it is quoted: owners, due words and texts are pieces of the input, with the line they stand in.
"""

from __future__ import annotations

from dataclasses import dataclass

from dagrun.shipped_workflows._actions import Action, find_actions
from dagrun.shipped_workflows._decisions import Decision, find_decisions
from dagrun.shipped_workflows._questions import Question, find_questions
from dagrun.shipped_workflows._talk import Attendee, Talk
from dagrun.shipped_workflows._transcript import Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All that was found, each list in the order of the transcript."""

    attendees: list[Attendee]
    decisions: list[Decision]
    actions: list[Action]
    questions: list[Question]


def find(turns: list[Turn]) -> Findings:
    """Read a transcript's turns by all rules."""
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


def _settle_by_answers(actions: list[Action], questions: list[Question]) -> None:
    """A promise to find something out is done when the transcript itself has the answer."""
    answers = {question.line: question.answered_line for question in questions}
    for action in actions:
        if action.about_line is not None and action.settled_line is None:
            action.settled_line = answers.get(action.about_line)
