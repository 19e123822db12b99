"""What a meeting left open."""

from __future__ import annotations

from dagrun.shipped_workflows.meeting_transcript_brief.open_questions import OpenQuestion, find_questions
from tests.unit.shipped_workflows.meeting_transcript_brief.helpers import talk


def found(*lines: str) -> list[OpenQuestion]:
    return find_questions(talk(*lines), taken=(), asked=(), unowned=())


def test_a_question_with_an_answer_is_not_open() -> None:
    assert found("Ana: Who has the blue key?", "Bo: The caretaker has it.", "Ana: Good.", "Bo: Yes.") == []


def test_a_reply_that_is_no_answer_is_quoted() -> None:
    (question,) = found("Ana: Who has the blue key?", "Bo: I don't know that.", "Ana: Hm.", "Bo: Yes.")
    assert (question.text, question.reply, question.reply_line) == (
        "Who has the blue key?", "I don't know that.", 2
    )  # fmt: skip


def test_a_later_answer_is_noted_with_its_line() -> None:
    (question,) = found(
        "Ana: Who has the blue cellar key?",
        "Bo: Not sure.",
        "Ana: Next.",
        "Bo: Ah, the blue cellar key is with Eva.",
    )
    assert question.answered_line == 4


def test_small_talk_and_requests_are_no_open_questions() -> None:
    assert found("Ana: Can everybody hear me?", "Bo: Could you send the plan?", "Ana: Hm.", "Bo: Hm.") == []


def test_work_that_somebody_should_do_is_unowned() -> None:
    (question,) = found("Ana: Somebody should fix the coffee machine.", "Bo: Yes.", "Ana: Hm.", "Bo: Hm.")
    assert question.kind == "unowned"


def test_a_repeated_question_is_listed_once() -> None:
    lines = ("Ana: Who has the blue key?", "Bo: No idea.", "Ana: So who has the blue key?", "Bo: No idea.")
    assert len(found(*lines)) == 1
