"""What the keeper promises dagrun: it never waits for dagrun, even if nobody reads its messages. Forked or not, it is the same."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagrun.executors.local.channel import Channel, Message
from dagrun.executors.local.keeper_handle import KeeperHandle
from tests.contract.harness import PATIENCE

MANY = 600


@pytest.fixture(params=["forked", "fresh"])
def keeping(request: pytest.FixtureRequest) -> Iterator[tuple[int, Channel]]:
    """A keeper and the channel to it, on which nothing takes longer than PATIENCE."""
    with other_thread() if request.param == "fresh" else contextlib.nullcontext():
        keeper = KeeperHandle()
    keeper.channel.sock.settimeout(PATIENCE)
    yield keeper.pid, keeper.channel
    keeper.wait()


@contextlib.contextmanager
def other_thread() -> Iterator[None]:
    """This process has another thread, so that it must not be forked."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def spawn(where: Path, number: int, script: str = ":", **more: object) -> Message:
    """A request for a command."""
    return {
        "op": "spawn", "id": number, "mark": f"m{number}", "argv": ["/bin/sh", "-c", script],
        "env": {"PAD": "x" * 1_500}, "unset": [], "masks": [], "cwd": str(where), "log": f"{where}/{number}.log", **more,
    }  # fmt: skip


def receive(channel: Channel, op: str, count: int) -> list[Message]:
    """So many messages of one kind."""
    found: list[Message] = []
    while len(found) < count:
        messages = channel.receive()
        assert messages is not None, "the keeper has exited"
        found += [message for message in messages if message["op"] == op]
    return found


def test_it_takes_any_number_of_requests_while_nobody_reads_its_answers(
    tmp_path: Path, keeping: tuple[int, Channel]
) -> None:
    _, channel = keeping
    for number in range(MANY):
        channel.send(spawn(tmp_path, number, argv=["no such shell " + "x" * 1_000]))
    for number in range(MANY, 2 * MANY):
        channel.send({**spawn(tmp_path, number), "cwd": f"{tmp_path}/{'gone' * 20}"})
    refused = receive(channel, "spawn_failed", 2 * MANY)
    assert [message["id"] for message in refused] == [*range(2 * MANY)]


def test_what_nobody_has_read_is_told_later(tmp_path: Path, keeping: tuple[int, Channel]) -> None:
    _, channel = keeping
    for number in range(MANY):
        channel.send(spawn(tmp_path, number))
    assert {message["code"] for message in receive(channel, "exit", MANY)} == {0}


def test_workers_come_with_their_descriptors_when_nobody_has_read_for_long(
    tmp_path: Path, keeping: tuple[int, Channel]
) -> None:
    _, channel = keeping
    for number in range(MANY):
        channel.send(spawn(tmp_path, number, argv=["no such shell " + "x" * 1_000]))
    for _ in range(3):
        channel.send({"op": "fork_worker", "name": "w", "mark": "m", "sys_path": [], "env": {}})
    workers = receive(channel, "worker", 3)
    for _ in workers:
        fds = channel.take_fds()
        assert len(fds) == 3
        os.set_blocking(fds[0], True)
        for fd in fds:
            os.close(fd)
    assert {message["pid"] for message in receive(channel, "exit", 3)} == {
        worker["pid"] for worker in workers
    }


def test_messages_of_many_megabytes_pass(tmp_path: Path, keeping: tuple[int, Channel]) -> None:
    _, channel = keeping
    channel.send(spawn(tmp_path, 1, unset=["x" * 20_000_000]))
    channel.send(spawn(tmp_path, 2, argv=["y" * 5_000_000]))
    (refused,) = receive(channel, "spawn_failed", 1)
    assert refused["id"] == 2
    assert "y" * 5_000_000 in refused["error"]


def test_it_ends_everything_when_the_channel_closes_although_nobody_has_read(
    tmp_path: Path, keeping: tuple[int, Channel]
) -> None:
    pid, channel = keeping
    channel.send(spawn(tmp_path, 0, "echo $$ > pid; exec sleep 1000"))
    (sleeper,) = receive(channel, "spawned", 1)
    for number in range(1, MANY):
        channel.send(spawn(tmp_path, number, argv=["no such shell " + "x" * 1_000]))
    channel.close()
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(ProcessLookupError):
        os.kill(sleeper["pid"], signal.SIGKILL)


@pytest.mark.parametrize("kind", ["a pipe", "a directory"])
def test_a_log_that_is_no_file_is_an_answer_not_a_wait(
    tmp_path: Path, keeping: tuple[int, Channel], kind: str
) -> None:
    _, channel = keeping
    log = tmp_path / "1.log"
    os.mkfifo(log) if kind == "a pipe" else log.mkdir()
    channel.send(spawn(tmp_path, 1))
    (refused,) = receive(channel, "spawn_failed", 1)
    assert "1.log" in refused["error"]
