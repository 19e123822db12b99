"""A short transcript, prepared for the rules."""

from __future__ import annotations

from dagrun.shipped_workflows.meeting_transcript_brief.talk import Talk
from dagrun.shipped_workflows.meeting_transcript_brief.transcript import Turn, read_turns


def turns(*lines: str) -> list[Turn]:
    """The turns of a transcript with one line each; end it with another line of the same speakers."""
    return read_turns(lines)


def talk(*lines: str) -> Talk:
    """The prepared transcript."""
    return Talk(turns(*lines))
