"""What a meeting decided."""

from __future__ import annotations

import pytest

from dagrun.shipped_workflows.meeting_transcript_brief.meeting_decisions import (
    MeetingDecision,
    find_decisions,
)
from tests.unit.shipped_workflows.meeting_transcript_brief.helpers import talk


def found(*lines: str) -> list[MeetingDecision]:
    return find_decisions(talk(*lines, "Ana: Bye now.", "Bo: Bye now."))


@pytest.mark.parametrize("words", ["We've decided to move in May.", "We're going with the lake hotel."])
def test_a_stated_decision_needs_no_agreement(words: str) -> None:
    assert [decision.text for decision in found(f"Ana: {words}")] == [words]


@pytest.mark.parametrize(
    ("reply", "decisions"), [("Agreed.", 1), ("I disagree.", 0), ("What about Monday?", 0)]
)
def test_a_proposal_needs_agreement(reply: str, decisions: int) -> None:
    assert len(found("Ana: Let's use the small room.", f"Bo: {reply}")) == decisions


def test_a_condition_or_old_news_is_no_decision() -> None:
    assert found("Ana: If we've decided, tell me.", "Bo: Last year we decided to move.") == []


def test_a_revoked_decision_names_the_line() -> None:
    (decision,) = found("Ana: We've decided to buy the van.", "Bo: Wait.", "Ana: Scrap that.")
    assert decision.superseded_line == 3


def test_another_day_replaces_the_first() -> None:
    first, second = found(
        "Ana: We've decided to hold the demo Monday.", "Bo: We've agreed to hold the demo Friday."
    )
    assert (first.superseded_line, second.superseded_line) == (2, None)


def test_a_bullet_under_a_heading_is_a_decision() -> None:
    assert [decision.text for decision in find_decisions(talk("Decisions", "- Buy the van"))] == [
        "Buy the van"
    ]
