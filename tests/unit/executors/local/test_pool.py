"""What happens to calls while workers come, run them and die; the workers are the other ends of sockets."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from dagrun.core.work import AttemptResult, Call
from dagrun.executors.local.attempts import RunningAttempt
from dagrun.executors.local.channel import Channel, Message
from dagrun.executors.local.pool import Pool
from dagrun.run_layout import RunLayout
from tests.contract.harness import PATIENCE, until, work

CALL = Call(ref="w", origin={"kind": "file", "target": "flows.py"})


def only(channel: Channel) -> Message:
    """The only message that has been sent."""
    messages = channel.receive()
    assert messages is not None
    (message,) = messages
    return message


class Stage:
    """A pool, its owner, and a keeper's channel through which workers come."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self.requests: list[Message] = []
        self.signals: list[tuple[str, int | None]] = []
        self.ended: dict[str, AttemptResult] = {}
        self.pool = Pool(self, where, "mark", "dagrun-wtest")
        ours, theirs = socket.socketpair()
        self._keeper, self._channel = Channel(theirs), Channel(ours)
        self._fds: list[int] = []

    # --- the owner's part ---

    def send_to_keeper(self, message: Message) -> None:
        self.requests.append(message)

    def send_signal(self, attempt: RunningAttempt) -> None:
        self.signals.append((attempt.work.attempt.task_id, attempt.stop_signal))

    def finish(self, attempt: RunningAttempt, ended: AttemptResult) -> None:
        self.ended[attempt.work.attempt.task_id] = ended

    def return_to_engine(self, attempt: RunningAttempt) -> None:
        raise AssertionError("nothing is prefetched here")

    def rebalance_soon(self) -> None:
        """Nothing to rebalance."""

    # --- the test's part ---

    def start(self, task: str, **more: Any) -> RunningAttempt:
        paths = RunLayout(self.where).attempt(task, 1)
        running = RunningAttempt(work(self.where, CALL, task, **more), paths, lambda _: None, 0.0)
        self.pool.start(running)
        return running

    def worker_arrives(self, pid: int) -> Channel:
        """The worker's end of its channel."""
        ours, theirs = socket.socketpair()
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        self._keeper.send({"op": "worker", "pid": pid}, ours.detach(), reader, writer)
        self.pool.add_worker(only(self._channel), self._channel)
        return Channel(theirs)

    def close(self) -> None:
        self.pool.close()
        self._keeper.close()
        self._channel.close()


def played(where: Path, story: Callable[[Stage], Awaitable[None]]) -> None:
    async def play() -> None:
        stage = Stage(where)
        stage.pool.attach(asyncio.get_running_loop())
        try:
            async with asyncio.timeout(PATIENCE):
                await story(stage)
        finally:
            stage.close()

    asyncio.run(play())


def ends(worker: Channel, **more: Any) -> None:
    """The worker reports the end of its call."""
    number = only(worker)["n"]
    worker.send({"op": "ended", "n": number, "duration": 0.1, "outputs": {"k": 1}, "changed": True, **more})


def test_a_call_waits_for_the_worker_that_is_requested_for_it(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.start("a")
        assert [request["op"] for request in stage.requests] == ["fork_worker"]
        worker = stage.worker_arrives(1)
        ends(worker)
        await until(lambda: "a" in stage.ended)
        assert stage.ended["a"].outputs == {"k": 1}
        worker.close()

    played(tmp_path, story)


def test_an_idle_worker_gets_the_next_call(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.start("a")
        worker = stage.worker_arrives(1)
        ends(worker)
        await until(lambda: "a" in stage.ended)
        await asyncio.sleep(0)
        stage.start("b")
        assert only(worker)["task"] == "b"
        assert len(stage.requests) == 1
        worker.close()

    played(tmp_path, story)


def test_a_worker_that_retires_is_not_used_again(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.start("a")
        worker = stage.worker_arrives(1)
        ends(worker, retire=True)
        await until(lambda: not stage.pool.workers)
        assert stage.ended["a"].error is None
        assert worker.receive() is None
        worker.close()

    played(tmp_path, story)


def test_the_end_of_a_worker_is_reported_with_its_exit_code_whichever_is_known_first(
    tmp_path: Path,
) -> None:
    async def story(stage: Stage) -> None:
        for pid, task in ((1, "channel first"), (2, "code first")):
            stage.start(task)
            worker = stage.worker_arrives(pid)
            if pid == 2:
                stage.pool.process_exited(pid, -signal.SIGSEGV)
            worker.close()
            await until(lambda: not stage.pool.workers)
        assert "channel first" not in stage.ended
        stage.pool.process_exited(1, 3)
        assert stage.ended["channel first"].error == (
            "the worker process exited with code 3 before the body ended"
        )
        assert stage.ended["code first"].error == "the worker process was killed by SIGSEGV"

    played(tmp_path, story)


def test_an_answer_that_is_not_a_message_fails_the_call_and_kills_the_worker(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.start("a")
        worker = stage.worker_arrives(1)
        worker.sock.send(b"\xff" * 100)
        await until(lambda: "a" in stage.ended)
        assert "cannot be read" in (stage.ended["a"].error or "")
        assert stage.requests[-1] == {"op": "signal", "pid": 1, "signal": signal.SIGKILL}
        worker.close()

    played(tmp_path, story)


def test_when_no_worker_can_be_started_every_call_fails_with_the_reason(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.start("a")
        stage.start("b")
        for _ in range(3):
            stage.pool.worker_failed("no more processes")
        assert {each.error for each in stage.ended.values()} == {"no more processes"}
        assert stage.ended.keys() == {"a", "b"}

    played(tmp_path, story)


def test_stopping_a_call_that_waits_ends_it_without_a_signal(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        waiting = stage.start("a")
        waiting.stop_signal = signal.SIGTERM
        stage.pool.stop(waiting)
        await until(lambda: "a" in stage.ended)
        assert (stage.ended["a"].error, stage.signals) == ("ended before it began", [])

    played(tmp_path, story)


def test_stopping_a_call_that_runs_signals_its_worker(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        running = stage.start("a")
        worker = stage.worker_arrives(1)
        running.stop_signal = signal.SIGTERM
        stage.pool.stop(running)
        assert stage.signals == [("a", signal.SIGTERM)]
        worker.close()

    played(tmp_path, story)


def test_a_worker_that_has_read_the_registry_gets_no_call_with_secrets(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.start("a")
        worker = stage.worker_arrives(1)
        ends(worker)
        await until(lambda: "a" in stage.ended)
        await asyncio.sleep(0)
        stage.pool.workers[1].has_read_registry = True
        stage.start("b", unset=("TOKEN",))
        assert stage.pool.workers == {}
        assert [request["op"] for request in stage.requests] == ["fork_worker"] * 2
        worker.close()

    played(tmp_path, story)


def test_when_the_keeper_has_died_no_worker_and_no_waiting_call_is_left(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.start("a")
        worker = stage.worker_arrives(1)
        stage.start("b")
        stage.pool.keeper_died()
        assert stage.pool.workers == {}
        assert len(stage.requests) == 2
        worker.close()

    played(tmp_path, story)
