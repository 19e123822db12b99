"""What the contract suites share: work for an executor, and a loop that waits for its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dagrun.core.work import Attempt, AttemptResult, Body, Work
from dagrun.run_layout import AttemptPaths, RunLayout

PATIENCE = 60.0  # seconds; no test comes near it unless something is wrong

FLOWS = """
import os, time
from pathlib import Path
from dagrun import Result, TaskContext, workflow

@workflow("returns")
def returns(params: dict): return None

@workflow("raises")
def raises(params: dict): raise ValueError("no such luck")

@workflow("outputs")
def outputs(params: dict): return Result({"got": params}, changed=False)

@workflow("hangs")
def hangs(params: dict):
    Path(params["flag"]).touch()
    while True: time.sleep(0.02)

@workflow("large")
def large(params: dict): return {"page": "x" * 70_000}

@workflow("exits")
def exits(params: dict): os._exit(3)

@workflow("tiny")
def tiny(params: dict):
    # Over in no time, unless it is told to wait for a file, or to end its process.
    while "until" in params and not Path(params["until"]).exists():
        Path(params["flag"]).touch()
        time.sleep(0.002)
    if "exit" in params: os._exit(3)
"""


def attempt(task: str = "t", number: int = 1) -> Attempt:
    """One attempt of a task of the run `r`."""
    return Attempt(run_id="r", task_id=task, number=number, timeout=None)


def paths(where: Path, of: Work | Attempt | None = None) -> AttemptPaths:
    """The files of an attempt of the run in the directory `where`; its directory for logs is there."""
    (where / "logs").mkdir(exist_ok=True)
    its = of.attempt if isinstance(of, Work) else of or attempt()
    return RunLayout(where).attempt(its.task_id, its.number)


def work(where: Path, body: Body, task: str = "t", **more: Any) -> Work:
    """One attempt's body with what it needs."""
    parts: dict[str, Any] = {
        "attempt": attempt(task), "body": body, "params": {}, "upstream": {}, "env": {}, "cwd": where,
        "max_output_bytes": 1 << 26,
    }  # fmt: skip
    return Work(**{**parts, **more})


class Ends:
    """Takes the ends of attempts, in the order in which they come."""

    def __init__(self) -> None:
        self.all: list[tuple[str, AttemptResult]] = []
        self.news: list[tuple[str, str]] = []  # of those that were queued: begun, returned, ended
        self._news = asyncio.Event()

    def of(self, task: str) -> Callable[[AttemptResult], None]:
        """The `done` to give to an executor."""

        def done(ended: AttemptResult) -> None:
            self.all.append((task, ended))
            self._news.set()

        return done

    def watch(self, task: str) -> Watched:
        """Who is told about an attempt that is queued."""
        return Watched(self, task)

    async def wait(self, count: int = 1) -> None:
        """Until so many have ended; then a little longer, for those that should not come."""
        async with asyncio.timeout(PATIENCE):
            while len(self.all) < count:
                self._news.clear()
                await self._news.wait()
        await asyncio.sleep(0.02)


class Watched:
    """What becomes of one attempt that is queued."""

    def __init__(self, ends: Ends, task: str) -> None:
        self.ends = ends
        self.task = task

    def begun(self) -> None:
        self.ends.news.append((self.task, "begun"))

    def returned(self) -> None:
        self.ends.news.append((self.task, "returned"))

    def ended(self, ended: AttemptResult) -> None:
        self.ends.news.append((self.task, "ended"))
        self.ends.of(self.task)(ended)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - a file of another process, of which no event tells
            await asyncio.sleep(0.005)
