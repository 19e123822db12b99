"""Several local executors in one process, on loops in several threads: none disturbs another."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagrun.core.work import AttemptResult, Call, Command, Work
from dagrun.executors.local.executor import LocalExecutor
from dagrun.executors.local.processes import descendants
from tests.contract.harness import FLOWS, PATIENCE, Ends, until, work

TASKS = 10


def call(where: Path, name: str, task: str, **params: Any) -> Work:
    origin = {"kind": "file", "target": str(where / "flows.py")}
    return work(where, Call(ref=name, origin=origin), task, params=params)


def shell(where: Path, script: str, task: str) -> Work:
    return work(where, Command(argv=("sh", "-c"), script=script), task)


def project(where: Path) -> Path:
    (where / "logs").mkdir(parents=True)
    (where / "flows.py").write_text(FLOWS)
    return where


async def calls_and_commands(executor: LocalExecutor, where: Path) -> list[AttemptResult]:
    """The ends of some calls and commands, in the order of their names."""
    ends = Ends()
    await executor.open(where, where / "bodies.lock")
    try:
        for number in range(TASKS):
            executor.start(call(where, "outputs", f"c{number}", n=number), ends.of(f"c{number}"))
            executor.start(
                shell(where, f"echo n={number} > $DAGRUN_OUTPUT", f"s{number}"), ends.of(f"s{number}")
            )
        await ends.wait(2 * TASKS)
    finally:
        await executor.close()
    return [ended for _, ended in sorted(ends.all)]


async def loses_its_keeper(executor: LocalExecutor, where: Path) -> list[AttemptResult]:
    """The end of a call, a command and a later call of an executor whose keeper is killed while the first two run."""
    ends = Ends()
    await executor.open(where, None)
    try:
        executor.start(call(where, "hangs", "call", flag=str(where / "call.begun")), ends.of("call"))
        executor.start(shell(where, f"touch {where}/shell.begun; sleep 1000", "shell"), ends.of("shell"))
        await until(lambda: (where / "call.begun").exists() and (where / "shell.begun").exists())
        os.kill(executor.keeper.pid, signal.SIGKILL)
        await ends.wait(2)
        executor.start(call(where, "returns", "later"), ends.of("later"))
        await ends.wait(3)
    finally:
        await executor.close()
    return [ended for _, ended in ends.all]


def test_four_executors_on_two_threads_run_at_once_and_one_may_lose_its_keeper(tmp_path: Path) -> None:
    before = set(descendants(os.getpid()))
    places = [project(tmp_path / name) for name in "abcd"]

    async def two(*wheres: Path) -> list[list[AttemptResult]]:
        async with asyncio.timeout(PATIENCE):
            return await asyncio.gather(
                *(
                    (loses_its_keeper if where is places[3] else calls_and_commands)(
                        LocalExecutor(where, grace=0.3), where
                    )
                    for where in wheres
                )
            )

    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(asyncio.run, two(*places[:2]))
        other = threads.submit(asyncio.run, two(*places[2:]))
        *good, bad = one.result() + other.result()
    for ended in good:
        assert [each.error for each in ended] == [None] * 2 * TASKS
        assert [each.outputs for each in ended[:TASKS]] == [{"got": {"n": n}} for n in range(TASKS)]
        assert [each.outputs for each in ended[TASKS:]] == [{"n": str(n)} for n in range(TASKS)]
    assert [each.error_type for each in bad] == ["KeeperDied", "KeeperDied", None]
    assert set(descendants(os.getpid())) <= before


def test_closing_one_executor_does_not_make_the_others_on_its_loop_wait(tmp_path: Path) -> None:
    """One has a body that ignores SIGTERM, so that its keeper takes a second to end it."""
    stubborn, quick = project(tmp_path / "stubborn"), project(tmp_path / "quick")
    order: list[str] = []

    async def close(executor: LocalExecutor) -> None:
        await executor.close()
        order.append("closed")

    async def story() -> None:
        ends = Ends()
        one, other = LocalExecutor(stubborn), LocalExecutor(quick)
        await one.open(stubborn, None)
        await other.open(quick, None)
        script = f"trap '' TERM; touch {stubborn}/begun; while :; do sleep 0.1; done"
        one.start(shell(stubborn, script, "t"), ends.of("never"))
        await until((stubborn / "begun").exists)
        closing = asyncio.create_task(close(one))
        await asyncio.sleep(0)
        other.start(call(quick, "returns", "t"), lambda _: order.append("ended"))
        await until(lambda: "ended" in order)
        await closing
        await other.close()

    asyncio.run(story())
    assert order == ["ended", "closed"]


@contextmanager
def another_thread() -> Iterator[None]:
    """While it runs, a keeper must not be a fork of this process."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def test_with_several_threads_no_process_is_forked(tmp_path: Path) -> None:
    where = project(tmp_path / "p")
    forks: list[int] = []
    os.register_at_fork(before=lambda: forks.append(os.getpid()))
    with another_thread():
        ended = asyncio.run(calls_and_commands(LocalExecutor(where), where))
    assert [each.error for each in ended] == [None] * 2 * TASKS
    assert forks == []
