"""Files that all runs share are put aside when they are large, or by logrotate, and no line is lost on the way."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from dagrun.storage import jsonl
from dagrun.storage.jsonl import LineFile, Rotation, rotated_path
from dagrun.storage.tail import FileTail


@pytest.fixture(autouse=True)
def _look_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "CHECK_INTERVAL", 0.0)


def line(number: int) -> bytes:
    return b'{"timestamp":"2026-11-20T12:00:00.000Z","event":"x","n":%d}\n' % number


def numbers(*paths: Path) -> list[int]:
    return [json.loads(text)["n"] for path in paths for text in path.read_text().splitlines()]


def descriptors() -> int:
    """How many files this process has open."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def test_a_file_that_is_large_is_put_aside_and_so_many_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    file = LineFile(path, renew=True, rotation=Rotation(size=150, keep=2))
    for number in range(20):
        file.append(line(number))
    file.close()
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "events.jsonl",
        "events.jsonl.1",
        "events.jsonl.2",
    ]
    assert numbers(rotated_path(path, 2), rotated_path(path, 1), path) == list(range(12, 20))


def test_a_writer_leaves_a_file_that_logrotate_renamed(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    file = LineFile(path, renew=True)
    file.append(line(1))
    path.rename(rotated_path(path, 1))
    file.append(line(2))
    file.close()
    assert numbers(rotated_path(path, 1)) == [1]
    assert numbers(path) == [2]


def test_a_runs_own_journal_is_never_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    file = LineFile(path, rotation=Rotation(size=1))
    for number in range(3):
        file.append(line(number))
    file.close()
    assert numbers(path) == [0, 1, 2]


def test_of_many_writers_no_line_is_lost_and_a_follower_sees_each_once(tmp_path: Path) -> None:
    path, done = tmp_path / "events.jsonl", threading.Event()
    tail = FileTail(path)
    seen: list[int] = []

    def write(first: int) -> None:
        file = LineFile(path, renew=True, rotation=Rotation(size=2000, keep=1000))
        for number in range(first, first + 400):
            file.append(line(number))
        file.close()

    def follow() -> None:
        while True:
            ended = done.is_set()
            while found := tail.poll():
                seen.extend(event["n"] for event in found)
            if ended:
                return

    path.touch()
    tail.poll()  # it follows from here on, however late its thread begins
    reader = threading.Thread(target=follow)
    writers = [threading.Thread(target=write, args=(1000 * n,)) for n in range(4)]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    expected = sorted(1000 * n + number for n in range(4) for number in range(400))
    assert sorted(numbers(*tmp_path.iterdir())) == expected
    assert sorted(seen) == expected
    tail.close()


def test_the_last_events_reach_back_into_what_was_put_aside(tmp_path: Path) -> None:
    path, open_before = tmp_path / "events.jsonl", descriptors()
    file = LineFile(path, renew=True, rotation=Rotation(size=150, keep=5))
    for number in range(7):
        file.append(line(number))
    tail = FileTail(path)
    assert [event["n"] for event in tail.last(5)] == [2, 3, 4, 5, 6]
    file.append(line(7))
    assert [event["n"] for event in tail.poll()] == [7]
    tail.close()
    file.close()
    assert descriptors() <= open_before
