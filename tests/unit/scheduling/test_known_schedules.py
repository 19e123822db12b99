"""Which schedules a directory held: remembered beside the claims, one file for each directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagrun.errors import RecordError
from dagrun.scheduling.known_schedules import KnownSchedules


def test_what_was_written_is_there_for_the_next_scheduler(tmp_path: Path) -> None:
    assert KnownSchedules(tmp_path, "configs").names() == set()
    KnownSchedules(tmp_path, "configs").write({"a", "ü"})
    assert KnownSchedules(tmp_path, "configs").names() == {"a", "ü"}
    assert KnownSchedules(tmp_path, "elsewhere").names() == set()


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"schedules": 3}', '{"schedules": null}'])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, damage: str) -> None:
    roster = KnownSchedules(tmp_path, "configs")
    roster.write({"a"})
    roster.path.write_text(damage)
    assert KnownSchedules(tmp_path, "configs").names() == set()


def test_a_place_that_cannot_be_written_is_an_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / ".served").write_text("a file")
    with pytest.raises(RecordError, match=r"cannot write .*served"):
        KnownSchedules(tmp_path, "configs").write({"a"})
