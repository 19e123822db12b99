"""Locks: seen by other processes, released with their process, inherited by none."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from dagrun.storage import lock

PROGRAM = """
import os, sys, time
from pathlib import Path
from dagrun.storage import lock
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
    """A lock file that is released when the test is over."""
    path = tmp_path / "lock"
    yield path
    with suppress(KeyError):  # not locked, or released by the test
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


def test_it_is_released_when_its_process_ends(path: Path) -> None:
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


def test_a_thread_that_looks_at_the_file_does_not_drop_the_lock_that_another_takes_meanwhile(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.touch()
    ask, taken = fcntl.fcntl, []
    taker = threading.Thread(target=lambda: taken.append(lock.take(path)))

    def slowly(fd: int, command: int, data: bytes) -> bytes:
        answer = ask(fd, command, data)
        taker.start()
        taker.join(0.1)  # it takes the lock now, or waits until the file is closed again
        return answer

    monkeypatch.setattr(fcntl, "fcntl", slowly)
    assert not lock.is_held(path)
    taker.join()
    monkeypatch.undo()
    assert taken == [True]
    assert other_says("say(lock.is_held(path))", path) == "True"


def test_readers_in_other_threads_never_drop_a_lock_and_never_see_it_free(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            lock.is_held(link)

    readers = [threading.Thread(target=look) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(50):
            assert lock.take(path)
            assert lock.is_held(link)
            lock.release(path)
        lock.take(path)
    finally:
        over.set()
        for reader in readers:
            reader.join()
    assert other_says("say((lock.is_held(path), lock.take(path)))", path) == "(True, False)"


def test_of_many_threads_one_takes_a_lock(path: Path) -> None:
    start, taken = threading.Barrier(8), []

    def take() -> None:
        start.wait()
        taken.append(lock.take(path))

    takers = [threading.Thread(target=take) for _ in range(8)]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join()
    assert sorted(taken) == [False] * 7 + [True]


def test_a_forked_child_has_none_of_its_parents_locks_and_may_ask_for_them(path: Path) -> None:
    lock.take(path)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if lock.is_held(path) and not lock.take(path) else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert other_says("say(lock.is_held(path))", path) == "True"
