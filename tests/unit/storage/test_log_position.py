"""Where a log ends."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from dagrun.storage import log_position


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
    assert log_position.log_end(path) == expected


def test_a_log_of_several_reads_is_counted_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.1.log"
    path.write_bytes(b"0123456789abcde\n" * 200_000 + b"last")
    assert log_position.log_end(path) == "a.1.log:200001"


def test_a_huge_log_is_named_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.1.log"
    with path.open("wb") as file:
        file.truncate(log_position.MAX_COUNTED_BYTES)
    assert log_position.log_end(path) == "a.1.log"


def test_without_a_log_there_is_nothing_to_name(tmp_path: Path) -> None:
    assert log_position.log_end(tmp_path / "a.1.log") == ""


# --- the last lines, and text in blocks ---


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("block", [1, 2, 3, 7, 64])
@pytest.mark.parametrize(
    "data", [b"", b"\n", b"a", b"a\n", b"a\nb", b"a\nb\n", b"\n\n\n", b"aaa\n\nbb\nc\n", b"x" * 50]
)
def test_the_last_lines_are_those_that_the_whole_text_ends_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, block: int
) -> None:
    monkeypatch.setattr(log_position, "BLOCK", block)
    path, lines = written(tmp_path / "log", data), data.splitlines(keepends=True)
    for number in range(6):
        assert data[log_position.tail_start(path, number) :] == b"".join(
            lines[len(lines) - min(number, len(lines)) :]
        )


@pytest.mark.parametrize("block", [1, 2, 5])
def test_text_is_the_same_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(log_position, "BLOCK", block)
    data = "aä€𝄞\n".encode() + b"\xff\xe2\x82"
    assert "".join(log_position.text_blocks(written(tmp_path / "log", data))) == data.decode(
        "utf-8", "replace"
    )


@pytest.mark.parametrize("text", ["", "a", "a\n", "a\nb", "\n\n", "a\r\nb\rc\n", "a\r", "x\x0by\u2028z"])
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_every_line_has_its_prefix_however_the_text_comes(text: str, size: int) -> None:
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    assert "".join(log_position.prefixed(parts, "p | ")) == "".join(
        f"p | {line}\n" for line in text.splitlines()
    )


def test_a_line_without_an_end_costs_no_more_memory_than_a_block(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    tracemalloc.start()
    assert log_position.tail_start(path, 3) == 0
    assert (
        sum(map(len, log_position.prefixed(log_position.text_blocks(path), "p | "))) == 64 * 1024 * 1024 + 5
    )
    assert len(log_position.last_text(path, 100)) == 100
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * 1024 * 1024
