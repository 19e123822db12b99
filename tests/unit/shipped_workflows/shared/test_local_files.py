"""Input texts and output files of the shipped workflows."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagrun.shipped_workflows.shared.local_files import load, split_lines, write_if_changed


def test_inline_text_and_a_file_are_read_as_the_same_lines(tmp_path: Path) -> None:
    file = tmp_path / "in.txt"
    file.write_bytes(b"\xef\xbb\xbfone\r\ntwo\n")
    inline, read = load("one\ntwo", None, "inbox"), load("", file, "inbox")
    assert inline
    assert read
    assert inline.lines == read.lines == ("one", "two")
    assert (inline.name, read.name) == ("inline text", str(file))


def test_no_input_is_none() -> None:
    assert load("  ", None, "inbox") is None


def test_a_folder_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="The inbox file is not a regular file"):
        load("", tmp_path, "inbox")


def test_a_form_feed_does_not_end_a_line() -> None:
    assert split_lines("a\x0cb\rc\n") == ("a\x0cb", "c")


def test_a_file_is_written_only_when_its_content_changes(tmp_path: Path) -> None:
    path = tmp_path / "new" / "out.md"
    assert [write_if_changed(path, text) for text in ("a", "a", "b")] == [True, False, True]
    assert [entry.name for entry in path.parent.iterdir()] == ["out.md"]
