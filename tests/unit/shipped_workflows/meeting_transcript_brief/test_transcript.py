"""Turns and sentences of transcripts and minutes."""

from __future__ import annotations

import pytest

from dagrun.shipped_workflows.meeting_transcript_brief.transcript import is_name, read_turns, sentences


def test_a_turn_has_its_speaker_its_time_and_its_line() -> None:
    (turn,) = read_turns(("", "[00:03:12] Ana Ruiz: Hello.", "And welcome."))
    assert (turn.speaker, turn.time, turn.line) == ("Ana Ruiz", "00:03:12", 2)
    assert turn.parts == [(2, "Hello."), (3, "And welcome.")]


def test_a_label_that_does_not_recur_is_no_speaker() -> None:
    turns = read_turns(
        ("Budget: 40 euros", "It was agreed.", "Nothing else was said.", "The meeting closed.")
    )
    assert {turn.speaker for turn in turns} == {None}


def test_the_headers_of_subtitles_are_left_out() -> None:
    (turn,) = read_turns(("WEBVTT", "", "1", "00:01.000 --> 00:02.000", "<v Ola>Yes!</v>"))
    assert (turn.speaker, turn.parts) == ("Ola", [(5, "Yes!")])


def test_a_paragraph_of_minutes_is_a_turn_without_a_speaker() -> None:
    turns = read_turns(("The chair opened", "the meeting.", "", "It was late."))
    assert [(turn.speaker, turn.line) for turn in turns] == [(None, 1), (None, 4)]


def test_a_sentence_that_is_wrapped_begins_at_its_first_line() -> None:
    found = sentences(read_turns(("[00:01] Ana: Hi. We should", "go home. Now.")))
    assert [(sentence.text, sentence.line) for sentence in found] == [
        ("Hi.", 1),
        ("We should go home.", 1),
        ("Now.", 2),
    ]


@pytest.mark.parametrize("label", ["Ana Ruiz", "Ludwig van Beethoven", "Bo (remote)", "Speaker 1"])
def test_capitalised_words_can_be_a_name(label: str) -> None:
    assert is_name(label)


@pytest.mark.parametrize("label", ["Next steps", "Agenda", "and then he said", "What now?", "ana"])
def test_a_heading_or_a_phrase_is_no_name(label: str) -> None:
    assert not is_name(label)


def test_a_chat_name_may_be_one_lower_case_word() -> None:
    assert is_name("ana", chat=True)
