"""Files of outputs are read only if they are as they were recorded."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from dagrun.blobs import load, open_regular, read_regular, write_regular
from dagrun.core.work import Blob
from dagrun.errors import DamagedError

LARGE = b'{"page": "' + b"x" * 2_000_000 + b'"}'


def stored(where: Path, data: bytes) -> Blob:
    """The data as a file of outputs."""
    (where / "a.json").write_bytes(data)
    return Blob("a.json", len(data), hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("data", [b'{"k": "\xc3\xa4"}', LARGE], ids=["small", "large"])
def test_an_unchanged_file_is_read(tmp_path: Path, data: bytes) -> None:
    found = load(tmp_path, stored(tmp_path, data))
    assert found in ({"k": "\u00e4"}, {"page": "x" * 2_000_000})


def _make_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _make_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "was changed: it has 8 bytes, and 9 were recorded"),
        (lambda path: path.write_bytes(b'{"k":"b"}'), "was changed: its SHA-256 is not the one that was recorded"),
        (lambda path: path.write_bytes(b"{" * 9), "was changed: its SHA-256 is not the one that was recorded"),
        (_make_a_directory, "cannot be read: it is not an ordinary file"),
        (_make_a_pipe, "cannot be read: it is not an ordinary file"),
    ],
    ids=["gone", "cut", "changed", "no JSON", "a directory", "a pipe"],
)  # fmt: skip
def test_a_file_that_has_changed_is_named(tmp_path: Path, damage: object, what: str) -> None:
    blob = stored(tmp_path, b'{"k":"a"}')
    assert callable(damage)
    damage(tmp_path / "a.json")
    with pytest.raises(DamagedError) as raised:
        load(tmp_path, blob)
    assert str(raised.value) == f"the outputs file {tmp_path / 'a.json'} {what}"


def test_a_file_that_is_not_json_is_named_even_if_it_was_recorded_so(tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match="cannot be read"):
        load(tmp_path, stored(tmp_path, b"[" * 100_000))


def test_a_pipe_blocks_neither_a_reader_nor_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for attempt in (read_regular, lambda path: write_regular(path, b"")):
        with pytest.raises(OSError, match="it is not an ordinary file"):
            attempt(tmp_path / "pipe")


def test_a_file_that_was_opened_blocks_as_any_other(tmp_path: Path) -> None:
    fd = open_regular(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    assert os.get_blocking(fd)
    assert not os.get_inheritable(fd)
    os.close(fd)
