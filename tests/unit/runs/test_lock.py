"""Who owns a run: seen by others, gone with its process, inherited by nobody."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagrun.runs import lock

PROGRAM = """
import os, sys, time
from pathlib import Path
from dagrun.runs import lock
path = Path(sys.argv[1])
def say(word):
    print(word, flush=True)
"""


class Other:
    """Another process, which does what the code says and then waits for its end."""

    def __init__(self, code: str, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM + code + "\ntime.sleep(60)", str(path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A lock file that is let go of when the test is over."""
    path = tmp_path / "lock"
    yield path
    if str(path) in lock._held:
        lock.release(path)


def other_says(code: str, path: Path) -> str:
    other = Other(code, path)
    other.kill()
    return other.said


def test_a_lock_is_taken_once(path: Path) -> None:
    assert lock.take(path)
    assert not lock.take(path)


def test_a_released_lock_may_be_taken_again(path: Path) -> None:
    lock.take(path)
    lock.release(path)
    assert not lock.is_held(path)
    assert lock.take(path)


def test_another_process_sees_it_and_cannot_take_it(path: Path) -> None:
    lock.take(path)
    assert other_says("say((lock.is_held(path), lock.take(path)))", path) == "(True, False)"


def test_what_another_process_holds_is_seen_here(path: Path) -> None:
    other = Other("say(lock.take(path))", path)
    assert (other.said, lock.is_held(path), lock.take(path)) == ("True", True, False)
    other.kill()


def test_it_dies_with_its_process(path: Path) -> None:
    other = Other("say(lock.take(path))", path)
    other.kill()
    assert not lock.is_held(path)
    assert lock.take(path)


def test_a_child_does_not_inherit_it(path: Path) -> None:
    """The owner forks a child that lives on, and is killed: the lock is free though the child has the descriptor."""
    other = Other(
        "lock.take(path)\nreader, writer = os.pipe()\nif os.fork() == 0:\n    os.setsid(); time.sleep(60)\nsay('ready')",
        path,
    )
    held = lock.is_held(path)
    os.kill(other.process.pid, 9)
    other.process.wait()
    assert held
    assert not lock.is_held(path)
    assert other.process.stdout is not None
    other.process.stdout.close()


def test_a_reader_in_the_owners_own_process_does_not_drop_it(path: Path) -> None:
    lock.take(path)
    assert lock.is_held(path)
    assert other_says("say(lock.is_held(path))", path) == "True"


def test_nor_does_one_that_calls_the_file_by_another_name(path: Path) -> None:
    lock.take(path)
    link = path.with_name("link")
    link.symlink_to(path)
    assert lock.is_held(link)
    assert not lock.take(path.parent / ".." / path.parent.name / "lock")
    assert other_says("say(lock.is_held(path))", path) == "True"


def test_asking_takes_nothing(path: Path) -> None:
    path.touch()
    assert not lock.is_held(path)
    assert other_says("say(lock.take(path))", path) == "True"


def test_a_file_that_is_not_there_is_not_held(path: Path) -> None:
    assert not lock.is_held(path)
    assert not path.exists()


def test_a_lock_whose_file_was_removed_before_it_was_locked_is_taken_on_the_new_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody lets go of it, and of its file, between our opening the file and our locking it."""
    lockf = fcntl.lockf
    removed: list[Path] = []

    def late(fd: int, how: int) -> None:
        if not removed:
            path.unlink()
            removed.append(path)
        lockf(fd, how)

    monkeypatch.setattr(fcntl, "lockf", late)
    assert lock.take(path)
    assert removed
    assert other_says("say((lock.is_held(path), lock.take(path)))", path) == "(True, False)"
