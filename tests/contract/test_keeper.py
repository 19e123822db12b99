"""What a keeper promises, forked or not: it never waits for dagrun, even if nobody reads its messages."""

from __future__ import annotations

import os
import signal
import sys
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
    keeper = KeeperHandle(fork=request.param == "forked")
    keeper.channel.sock.settimeout(PATIENCE)
    yield keeper.pid, keeper.channel
    keeper.wait()


def spawn(where: Path, number: int, script: str = ":", **more: object) -> Message:
    """A request for a command."""
    return {
        "op": "spawn", "id": number, "mark": f"m{number}", "argv": ["/bin/sh", "-c", script],
        "env": {"PAD": "x" * 1_500}, "unset": [], "masks": [], "cwd": str(where), "log": f"{where}/{number}.log",
        "spools": f"{where}/scratch", **more,
    }  # fmt: skip


def receive(channel: Channel, op: str, count: int) -> list[Message]:
    """So many messages of one kind."""
    found: list[Message] = []
    while len(found) < count:
        messages = channel.receive()
        assert messages is not None, "the keeper has exited"
        found += [message for message in messages if message["op"] == op]
    return found


def test_it_accepts_any_number_of_requests_while_nobody_reads_its_answers(
    tmp_path: Path, keeping: tuple[int, Channel]
) -> None:
    _, channel = keeping
    for number in range(MANY):
        channel.send(spawn(tmp_path, number, argv=["no such shell " + "x" * 1_000]))
    for number in range(MANY, 2 * MANY):
        channel.send({**spawn(tmp_path, number), "cwd": f"{tmp_path}/{'gone' * 20}"})
    refused = receive(channel, "spawn_failed", 2 * MANY)
    assert [message["id"] for message in refused] == [*range(2 * MANY)]


def test_answers_are_buffered_until_they_are_read(tmp_path: Path, keeping: tuple[int, Channel]) -> None:
    _, channel = keeping
    for number in range(MANY):
        channel.send(spawn(tmp_path, number))
    assert {message["code"] for message in receive(channel, "exit", MANY)} == {0}


def test_workers_come_with_their_descriptors_even_behind_many_answers(
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


def test_messages_may_have_many_megabytes(tmp_path: Path, keeping: tuple[int, Channel]) -> None:
    _, channel = keeping
    channel.send(spawn(tmp_path, 1, unset=["x" * 20_000_000]))
    channel.send(spawn(tmp_path, 2, argv=["y" * 5_000_000]))
    (refused,) = receive(channel, "spawn_failed", 1)
    assert refused["id"] == 2
    assert "y" * 5_000_000 in refused["error"]


def test_it_ends_everything_when_the_channel_closes_even_if_nobody_has_read(
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
def test_a_log_that_is_not_a_file_fails_the_command_at_once(
    tmp_path: Path, keeping: tuple[int, Channel], kind: str
) -> None:
    _, channel = keeping
    log = tmp_path / "1.log"
    os.mkfifo(log) if kind == "a pipe" else log.mkdir()
    channel.send(spawn(tmp_path, 1))
    (refused,) = receive(channel, "spawn_failed", 1)
    assert "1.log" in refused["error"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_when_memory_runs_out_a_command_is_killed_before_the_keeper(
    tmp_path: Path, keeping: tuple[int, Channel]
) -> None:
    pid, channel = keeping
    channel.send(spawn(tmp_path, 1, "cat /proc/self/oom_score_adj"))
    receive(channel, "exit", 1)
    usual = Path("/proc/self/oom_score_adj").read_text()
    assert Path(tmp_path, "1.log").read_text() == f"{max(500, int(usual))}\n"
    assert Path(f"/proc/{pid}/oom_score_adj").read_text() == usual


def test_a_command_can_be_signalled_before_its_process_id_is_known(
    tmp_path: Path, keeping: tuple[int, Channel]
) -> None:
    _, channel = keeping
    channel.send(spawn(tmp_path, 1, "exec sleep 1000"))
    channel.send({"op": "signal", "id": 1, "signal": signal.SIGKILL})
    (ended,) = receive(channel, "exit", 1)
    assert (ended["id"], ended["code"]) == (1, -signal.SIGKILL)
