"""Outputs in files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from dagrun.executors.outputs import store


def test_a_stored_file_is_described_with_its_size_and_sum(tmp_path: Path) -> None:
    blob = store(tmp_path / "outputs" / "a.1.json", b"{}")
    assert (blob.file, blob.size, blob.sha256) == ("a.1.json", 2, hashlib.sha256(b"{}").hexdigest())
    assert [path.name for path in (tmp_path / "outputs").iterdir()] == ["a.1.json"]


def test_storing_again_replaces_the_file(tmp_path: Path) -> None:
    store(tmp_path / "a", b"one")
    store(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"
