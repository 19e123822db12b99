"""Who promised to do what by when."""

from __future__ import annotations

import pytest

from dagrun.shipped_workflows.meeting_transcript_brief.action_items import ActionItem, find_actions
from tests.unit.shipped_workflows.meeting_transcript_brief.helpers import talk


def found(*lines: str) -> list[ActionItem]:
    return find_actions(talk(*lines, "Ana: Bye.", "Bo: Bye.")).actions


def test_a_promise_has_its_owner_and_its_due_date() -> None:
    (item,) = found("Ana: I'll send the plan by Friday.")
    assert (item.owner, item.due, item.line) == ("Ana", "by Friday", 1)


@pytest.mark.parametrize(
    "words",
    [
        "Maybe I'll send the plan.",
        "If it rains, I'll send the plan.",
        "He said I'll send the plan.",
        "I'll be back.",
        "I'll share my screen.",
    ],
)
def test_hedges_conditions_reports_and_small_talk_are_no_promises(words: str) -> None:
    assert found(f"Ana: {words}") == []


def test_i_can_take_that_quotes_the_request() -> None:
    (item,) = found("Ana: Somebody needs to call the bank.", "Bo: I can take that.")
    assert (item.owner, item.about, item.about_line) == ("Bo", "Somebody needs to call the bank.", 1)


def test_a_request_counts_when_the_person_agrees() -> None:
    (item,) = found("Ana: Bo, could you draft the plan?", "Bo: Sure, by Monday.")
    assert (item.owner, item.due, item.due_line) == ("Bo", "by Monday", 2)


def test_a_repetition_completes_the_first_item() -> None:
    (item,) = found(
        "Ana: I'll send the budget plan.", "Bo: Good.", "Ana: I'll send the budget plan by Friday."
    )
    assert (item.line, item.due) == (1, "by Friday")


def test_a_label_names_owner_or_leaves_the_item_unowned() -> None:
    promises = find_actions(talk("ACTION: Ana to call the bank", "", "ACTION: Check the heating"))
    assert [item.owner for item in promises.actions] == ["Ana"]
    assert [text for _, text in promises.unowned] == ["Check the heating"]


def test_an_item_that_is_no_longer_needed_is_settled() -> None:
    (item,) = found("Ana: I'll order the cake.", "Bo: No need, Ana.")
    assert item.settled_line == 2
