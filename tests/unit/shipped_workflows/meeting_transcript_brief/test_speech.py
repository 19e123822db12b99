"""Phrases of meetings."""

from __future__ import annotations

import pytest

from dagrun.shipped_workflows.meeting_transcript_brief.speech import is_firm, is_question, is_work, objects


@pytest.mark.parametrize("text", ["I'll do it.", "I'll do it, okay?", "If nobody objects, I'll do it."])
def test_firm(text: str) -> None:
    assert is_firm(text)


@pytest.mark.parametrize("text", ["Should I do it?", "Maybe I'll do it.", "If it rains, I'll do it."])
def test_not_firm(text: str) -> None:
    assert not is_firm(text)


def test_a_question_may_end_with_a_quotation_mark() -> None:
    assert is_question("Who said “now?”")


def test_an_objection_begins_the_reply() -> None:
    assert [objects(text) for text in ("Wait, no.", "But why?", "No objections.")] == [True, True, False]


@pytest.mark.parametrize(
    ("verb", "rest", "work"),
    [
        ("send", "the plan", True),
        ("share", "my screen", False),
        ("be", "back", False),
        ("have", "it ready", True),
    ],
)
def test_work_is_a_verb_with_something_to_do(verb: str, rest: str, work: bool) -> None:
    assert is_work(verb, rest) is work
