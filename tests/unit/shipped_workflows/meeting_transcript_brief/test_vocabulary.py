"""Content words and their overlap."""

from __future__ import annotations

from dagrun.shipped_workflows.meeting_transcript_brief.vocabulary import content_words, overlap


def test_common_words_are_left_out_and_forms_of_a_word_are_the_same() -> None:
    assert content_words("We rehearsed it") == content_words("the rehearsal") == {"rehear"}


def test_ids_stay_whole() -> None:
    assert "hbr-405" in content_words("Close HBR-405")


def test_the_overlap_is_the_share_of_the_smaller_set() -> None:
    assert overlap(frozenset("ab"), frozenset("abcd")) == 1.0
    assert overlap(frozenset("ax"), frozenset("abcd")) == 0.5
    assert overlap(frozenset(), frozenset("a")) == 0.0
