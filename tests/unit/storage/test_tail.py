"""Following a growing file: every line once, only new bytes, whatever happens to the file."""

from __future__ import annotations

import json
import os
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagrun.errors import EnvironmentFailure
from dagrun.storage import tail
from dagrun.storage.tail import BLOCK, FileTail, Follower


def write(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def test_only_new_bytes_are_read(path: Path) -> None:
    write(path, b"x" * 99 + b"\n")
    follower = Follower(path)
    assert len(follower.poll()) == 1
    for i in range(10):
        write(path, b"line %d\n" % i)
        assert follower.poll() == [b"line %d" % i]
        assert follower.poll() == []
    assert follower.bytes_read == path.stat().st_size


def test_a_line_without_its_end_waits_for_it(path: Path) -> None:
    follower = Follower(path)
    for part in (b"one\ntw", b"", b"o"):
        write(path, part)
        follower_saw = follower.poll()
        assert follower_saw == ([b"one"] if part.startswith(b"one") else [])
    write(path, b"\n\nthree")
    assert follower.poll() == [b"two", b""]
    assert follower.poll() == []
    assert follower.finish() == [b"three"]
    assert follower.finish() == []


def test_the_file_need_not_be_there_yet(path: Path) -> None:
    follower = Follower(path)
    assert follower.poll() == []
    assert list(follower.backwards()) == []
    write(path, b"one\n")
    assert follower.poll() == [b"one"]


def test_a_replaced_file_is_finished_before_the_new_one_is_read(path: Path) -> None:
    follower = Follower(path)
    write(path, b"one\n")
    assert follower.poll() == [b"one"]
    old = path.with_suffix(".1")
    with path.open("ab", buffering=0) as writer:  # a run that is alive has the file open, and keeps it
        writer.write(b"two\n")
        path.rename(old)
        writer.write(b"three\n")
        assert follower.poll() == [b"two", b"three"]
        write(path, b"four\n")
        assert follower.poll() == [b"four"]
        writer.write(b"five\n")
        write(path, b"six\n")
        assert [*follower.poll(), *follower.poll()] == [b"five", b"six"]
    assert follower.restarts == 1
    assert follower.bytes_read == old.stat().st_size + path.stat().st_size


def open_files() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


def test_files_that_were_replaced_long_ago_are_let_go(path: Path) -> None:
    before = open_files()
    follower = Follower(path)
    for i in range(10):
        write(path, b"%d\n" % i)
        assert follower.poll() == [b"%d" % i]
        path.rename(path.with_suffix(f".{i}"))
    assert follower.bytes_read == 20
    assert open_files() - before <= 3
    follower.close()
    assert open_files() == before


def test_a_file_that_was_cut_short_is_read_from_its_start(path: Path) -> None:
    follower = Follower(path)
    write(path, b"one\ntwo\nhal")
    assert follower.poll() == [b"one", b"two"]
    os.truncate(path, 0)
    assert follower.poll() == []
    write(path, b"new\n")
    assert follower.poll() == [b"new"]
    assert follower.restarts == 1


def test_closing_keeps_the_place(path: Path) -> None:
    follower = Follower(path)
    write(path, b"one\n")
    assert follower.poll() == [b"one"]
    follower.close()
    write(path, b"two\n")
    assert follower.poll() == [b"two"]
    follower.close()
    path.rename(path.with_suffix(".1"))
    write(path, b"three\n")
    assert follower.poll() == [b"three"]
    follower.close()


def test_a_very_long_line_is_returned_in_pieces(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "MAX_LINE_BYTES", 2 * 1024 * 1024)
    write(path, b"x" * 5 * 1024 * 1024 + b"\nshort\n")
    follower = Follower(path)
    found = []
    while lines := follower.poll():
        found += lines
    assert b"".join(found[:-1]) == b"x" * 5 * 1024 * 1024
    assert found[-1] == b"short"
    assert max(map(len, found)) <= 3 * 1024 * 1024


def test_a_file_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFailure, match="Not a directory"):
        Follower(tmp_path / "file" / "events.jsonl").poll()


# --- the last lines ------------------------------------------------------------------------------------------


def test_the_last_lines_of_a_huge_file_cost_one_block(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1_000_000_000)  # sparse: a gigabyte that takes no room
    write(path, b"\n" + b"".join(b"line %d\n" % i for i in range(100)))
    follower = Follower(path)
    assert list(islice(follower.backwards(), 20)) == [b"line %d" % i for i in range(99, 79, -1)]
    assert follower.bytes_read <= BLOCK
    write(path, b"next\n")
    assert follower.poll() == [b"next"]
    assert follower.bytes_read <= BLOCK + 5


def test_a_last_line_without_its_end_is_not_among_the_last_but_comes_when_it_is_whole(path: Path) -> None:
    write(path, b"one\ntwo\nthr")
    follower = Follower(path)
    assert list(follower.backwards()) == [b"two", b"one"]
    write(path, b"ee\n")
    assert follower.poll() == [b"three"]


LINES = st.lists(
    st.integers(0, 40).map(lambda length: b"abcdefghij"[: length % 11] * (length // 8 + 1)), max_size=12
)


@settings(deadline=None)
@given(lines=LINES, rest=st.sampled_from([b"", b"rest", b"r" * 50]), block=st.integers(1, 17))
def test_backwards_is_the_file_the_other_way_round(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], rest: bytes, block: int
) -> None:
    path = tmp_path_factory.mktemp("back") / "file"
    path.write_bytes(b"".join(line + b"\n" for line in lines) + rest)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tail, "BLOCK", block)
        follower = Follower(path)
        assert list(follower.backwards()) == lines[::-1]
        assert follower.bytes_read == path.stat().st_size
        assert follower.poll() == []
        assert b"".join(follower.finish()) == rest
        follower.close()


@settings(deadline=None)
@given(data=st.lists(st.binary(max_size=30), max_size=10), chunk=st.integers(1, 9))
def test_however_it_is_written_the_lines_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, data: list[bytes], chunk: int
) -> None:
    path = tmp_path_factory.mktemp("follow") / "file"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tail, "CHUNK_BYTES", chunk)
        follower = Follower(path)
        found = []
        for part in data:
            write(path, part)
            while lines := follower.poll():
                found += lines
        *whole, rest = b"".join(data).split(b"\n")
        assert found == whole
        assert b"".join(follower.finish()) == rest
        follower.close()


# --- events --------------------------------------------------------------------------------------------------


def event(name: str, number: int) -> bytes:
    return b'{"timestamp":"2025-10-03T10:00:00.000Z","event":"%s","n":%d}\n' % (name.encode(), number)


def numbers(found: list[dict[str, int]]) -> list[int]:
    return [each["n"] for each in found]


def test_the_last_events_then_the_new_ones(path: Path) -> None:
    write(path, b"".join(event("task_ok", i) for i in range(50)))
    tail = FileTail(path)
    assert numbers(tail.last(3)) == [47, 48, 49]
    write(path, event("task_ok", 50))
    assert numbers(tail.poll()) == [50]
    assert tail.last(0) == []


def test_only_the_wanted_events_are_counted_towards_the_limit(path: Path) -> None:
    write(
        path,
        event("task_fail", 0) + b"".join(event("task_ok", i) for i in range(1, 5000)) + event("task_fail", 2),
    )
    tail = FileTail(path, ["task_fail"])
    assert numbers(tail.last(2)) == [0, 2]
    write(path, event("task_ok", 3) + event("task_fail", 4))
    assert numbers(tail.poll()) == [4]


def test_what_is_no_event_is_left_out_and_counted(path: Path) -> None:
    torn = event("task_ok", 1)[:30]
    write(
        path, b"rubbish\n\n[1]\n{}\n" + torn + event("task_ok", 2) + b'{"event": "task_ok", "n": 3}\n' + torn
    )
    tail = FileTail(path, ["task_ok"])
    assert numbers(tail.poll()) == [2, 3]
    assert tail.corrupt == 3
    assert tail.finish() == []
    assert tail.corrupt == 4


def test_an_event_that_only_mentions_the_wanted_name_is_another(path: Path) -> None:
    line = {"timestamp": "2025-10-03T10:00:00.000Z", "event": "task_ok", "error": "task_fail"}
    write(path, json.dumps(line, separators=(",", ":")).encode() + b"\n")
    assert FileTail(path, ["task_fail"]).poll() == []
