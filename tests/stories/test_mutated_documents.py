"""Whatever a document holds, checking it ends soon, with findings that have a place, or with a graph."""

from __future__ import annotations

from pathlib import Path

from tests.stories.mutations import problems

COUNT = 300


def test_a_damaged_document_is_reported_and_never_crashes(tmp_path: Path) -> None:
    found = problems(tmp_path, 11, COUNT)
    assert not found, "\n\n".join(found[:5])
