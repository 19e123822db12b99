"""Lookups in a transcript: replies, neighbours, people."""

from __future__ import annotations

from tests.unit.shipped_workflows.meeting_transcript_brief.helpers import talk

LINES = ("Ana: First. Second.", "Bo Li: Third, Ana?", "Ana: Fourth.", "Bo Li: Fifth.")


def test_replies_are_the_next_turns_of_others() -> None:
    meeting = talk(*LINES)
    assert [reply[0].text for reply in meeting.replies(meeting.sentences[0], 3)] == ["Third, Ana?", "Fifth."]


def test_sentences_before_are_nearest_first() -> None:
    meeting = talk(*LINES)
    assert [sentence.text for sentence in meeting.before(meeting.sentences[2], 1)] == ["Second.", "First."]


def test_the_next_sentence_of_a_turn_is_in_the_same_turn() -> None:
    meeting = talk(*LINES)
    first, second = meeting.sentences[:2]
    assert meeting.next_in_turn(first) is second
    assert meeting.next_in_turn(second) is None


def test_a_person_is_addressed_at_the_end_or_the_beginning() -> None:
    meeting = talk("Ana: Bob, can you?", "Bob Li: Yes, Ana.", "Ana: We can go.", "Bob Li: Fine.")
    assert [meeting.addressed(sentence) for sentence in meeting.sentences] == ["Bob", "Ana", None, None]


def test_attendees_are_listed_or_spoke() -> None:
    meeting = talk("Present: Dr Eva Sand (Chair), Bo Li", "", *LINES)
    assert [(person.name, person.turns) for person in meeting.attendees] == [
        ("Dr Eva Sand", 0), ("Bo Li", 2), ("Ana", 2)
    ]  # fmt: skip
