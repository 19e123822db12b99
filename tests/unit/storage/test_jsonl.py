"""Files of JSON lines: complete lines whatever happens, and readers that survive torn ones."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.errors import RecordError
from dagrun.storage import jsonl
from dagrun.storage.jsonl import LineFile

WHOLE = b'{"timestamp":"2025-10-03T10:00:00Z","n":1}\n'


def line(**events: Any) -> bytes:
    return json.dumps({"timestamp": "t", **events}, separators=(",", ":")).encode() + b"\n"


def numbers(path: Path) -> tuple[list[int], int]:
    """Each line's `n`, and how many lines are none."""
    found, corrupt = objects(path)
    return [each["n"] for each in found], corrupt


def objects(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The objects in a file, and how many lines are none."""
    found = list(jsonl.read(path))
    return [each for each in found if each is not None], found.count(None)


def test_what_is_appended_is_read_in_order(tmp_path: Path) -> None:
    file = LineFile(tmp_path / "deep" / "er" / "f")
    file.append(line(n=1) + line(n=2))
    file.append(line(n=3))
    file.close()
    assert numbers(file.path) == ([1, 2, 3], 0)


def test_a_missing_file_is_empty(tmp_path: Path) -> None:
    assert list(jsonl.read(tmp_path / "none")) == []


def test_a_torn_last_line_does_not_swallow_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(line(n=1) + b'{"timestamp":"t","n":')
    file = LineFile(path)
    file.append(line(n=2))
    file.close()
    assert numbers(path) == ([1, 2], 1)


def test_opening_a_whole_file_adds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(WHOLE)
    LineFile(path).close()
    assert path.read_bytes() == WHOLE


def test_a_whole_line_in_one_line_with_a_torn_one_is_had(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b'{"timestamp":"t","n' + line(n=1) + b"\0\0\0" + line(n=2))
    assert numbers(path) == ([1, 2], 0)


@given(st.data())
def test_wherever_a_line_is_torn_the_others_are_had(data: st.DataObject) -> None:
    text = st.text(st.characters(exclude_categories=["Cs"]))
    events = data.draw(st.dictionaries(st.text("ab"), text | st.dictionaries(st.text("ab"), text)))
    torn = line(torn=True, **events)
    cut = data.draw(st.integers(0, len(torn) - 2))
    assert jsonl.parse(torn[:cut] + line(n=1).rstrip()) == {"timestamp": "t", "n": 1}


def test_lines_that_are_none_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(
        b"\n" + line(n=1) + b"garbage\n[1]\n\xff\xfe\n\0\0\0\n" + b"[" * 100_000 + b"\n" + line(n=2)
    )
    assert numbers(path) == ([1, 2], 5)


def test_a_file_that_cannot_be_opened_is_reported_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match=r"cannot write .*file/f: ") as caught:
        LineFile(tmp_path / "file" / "f")
    assert caught.value.hint == "free some space, or check who may write there"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_a_full_disk_is_reported() -> None:
    file = LineFile(Path("/dev/full"))
    with pytest.raises(RecordError, match="cannot write /dev/full: No space left on device"):
        file.append(WHOLE)
    file.close()


def test_a_write_that_the_disk_cuts_short_is_carried_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:10]))
    file = LineFile(tmp_path / "f")
    file.append(WHOLE[:20])
    file.close()
    assert file.path.read_bytes() == WHOLE[:20]


def test_when_the_rest_does_not_fit_either_it_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, answers = os.write, [10]

    def full(fd: int, data: bytes) -> int:
        if answers:
            return write(fd, data[: answers.pop()])
        raise OSError(errno.ENOSPC, "No space left on device")

    file = LineFile(tmp_path / "f")
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(RecordError, match="No space left on device"):
        file.append(WHOLE)
    file.close()


WRITER = """
import json, sys
from pathlib import Path
from dagrun.storage.jsonl import LineFile
file = LineFile(Path(sys.argv[1]))
for n in range(2000):
    line = {"timestamp": "t", "who": int(sys.argv[2]), "n": n, "pad": "x" * (n % 7 * 400)}
    file.append(json.dumps(line, separators=(",", ":")).encode() + b"\\n")
"""


def test_four_processes_append_to_one_file_and_no_line_is_lost_or_torn(tmp_path: Path) -> None:
    path = tmp_path / "stream.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(who)]) for who in range(4)]
    assert [writer.wait(240) for writer in writers] == [0, 0, 0, 0]
    found, corrupt = objects(path)
    assert (len(found), corrupt) == (8000, 0)
    for who in range(4):
        assert [each["n"] for each in found if each["who"] == who] == list(range(2000))
