"""Where a log ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagrun.runs import ends


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("x", "a.1.log:1"),
        ("x\n", "a.1.log:1"),
        ("x\n\ny", "a.1.log:3"),
        ("\n\n", "a.1.log:2"),
    ],
)
def test_the_last_line_is_counted_with_or_without_its_end(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "a.1.log"
    path.write_text(text)
    assert ends.log_end(path) == expected


def test_a_log_of_several_reads_is_counted_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.1.log"
    path.write_bytes(b"0123456789abcde\n" * 200_000 + b"last")
    assert ends.log_end(path) == "a.1.log:200001"


def test_a_huge_log_is_named_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.1.log"
    with path.open("wb") as file:
        file.truncate(ends.MOST_BYTES)
    assert ends.log_end(path) == "a.1.log"


def test_without_a_log_there_is_nothing_to_name(tmp_path: Path) -> None:
    assert ends.log_end(tmp_path / "a.1.log") == ""
