"""Files and given text: what is read, and what is refused before it costs memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from dagrun.documents.yaml import DocumentError, Finding, Limits, Place, Source


def refused_file(path: Path, **options: Any) -> Finding:
    with pytest.raises(DocumentError) as caught:
        Source.read(path, **options)
    assert caught.value.source is None
    (finding,) = caught.value.findings
    return finding


def test_a_file_is_read_with_or_without_a_bom(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_bytes(b"\xef\xbb\xbfgr\xc3\xbc\xc3\x9fe: [a,\r\n  b]\r\n")
    source = Source.read(file, "flow.yaml")
    assert source.load() == {"grüße": ["a", "b"]}
    assert str(source.place(("grüße",), key=True)) == "flow.yaml:1:1"
    assert str(source.place(("grüße", 1))) == "flow.yaml:2:3"
    assert source.line(1) == "grüße: [a,"


def test_the_path_is_shown_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a")
    assert Source.read(tmp_path / "a.yaml").path == str(tmp_path / "a.yaml")
    assert Source.read(tmp_path / "a.yaml", "./a.yaml").path == "./a.yaml"


def test_an_unreadable_file_is_reported(tmp_path: Path) -> None:
    assert refused_file(tmp_path / "none.yaml", shown="none.yaml") == Finding(
        Place("none.yaml", 1, 1), "there is no such file", "missing-file"
    )
    assert refused_file(tmp_path).code == "is-directory"
    assert refused_file(tmp_path / "a\0b").code == "unreadable"
    (tmp_path / "file").touch()
    assert refused_file(tmp_path / "file" / "x").message == "the file cannot be read: Not a directory"


def test_a_file_over_the_limit_is_refused_without_reading_it(tmp_path: Path) -> None:
    file = tmp_path / "big.yaml"
    with file.open("wb") as stream:
        stream.truncate(50 * 1024 * 1024)
    tracemalloc.start()
    finding = refused_file(file)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert finding.message == "the text has 50 MiB, more than the 32 MiB allowed"
    assert peak < 1024 * 1024


def test_an_endless_file_is_refused() -> None:
    finding = refused_file(Path("/dev/zero"), limits=Limits(text_bytes=1000))
    assert (finding.message, finding.code) == ("the text has more than the 1000 bytes allowed", "too-large")


def test_inline_text_is_measured_in_bytes() -> None:
    assert Source.inline("é" * 5, limits=Limits(text_bytes=10)).load() == "é" * 5
    with pytest.raises(DocumentError, match="the text has 12 bytes, more than the 10 bytes allowed"):
        Source.inline("é" * 6, limits=Limits(text_bytes=10))


def test_invalid_utf8_is_reported_with_its_byte(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes("a: é\nb: gr".encode() + b"\xfc\xdfe")
    finding = refused_file(file, shown="latin.yaml")
    assert (str(finding.place), finding.message) == ("latin.yaml:2:6", "byte 0xfc is not valid UTF-8")
    file.write_text("a: 1", encoding="utf-16")
    assert refused_file(file).suggestion == "the file looks like UTF-16; save it as UTF-8"


def test_control_characters_are_reported_when_the_file_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "bell.yaml"
    file.write_bytes("é: 1\nb: é\a".encode())
    with pytest.raises(DocumentError) as caught:
        Source.read(file, shown="b").load()
    assert [str(finding.place) for finding in caught.value.findings] == ["b:2:5"]
