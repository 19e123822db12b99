"""What a worker promises every body: it finds its process as if no other body had run there before."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from dagrun.core.work import AttemptResult, Call
from dagrun.executors.local.executor import LocalExecutor
from tests.contract.harness import Ends, paths, work

FLOWS = """
import logging, os, resource, signal, subprocess, sys, threading
from dagrun import workflow

@workflow("changes")
def changes(what: str):
    if what == "directory": os.chdir("/")
    if what == "environment": os.environ["NEW"] = "x"; del os.environ["SHARED"]; os.environ["PATH"] = ""
    if what == "umask": os.umask(0o777)
    if what == "signals": signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    if what == "mask": signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    if what == "streams": sys.stdout.close(); os.close(2); sys.stderr = None
    if what == "recursion": sys.setrecursionlimit(100)
    if what == "files": resource.setrlimit(resource.RLIMIT_NOFILE, (10, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    if what == "thread": threading.Thread(target=threading.Event().wait, daemon=True).start()
    if what == "child": subprocess.Popen(["sleep", "1000"])
    return {"pid": os.getpid()}

@workflow("looks")
def looks():
    print("printed")
    mask = os.umask(0); os.umask(mask)
    return {
        "pid": os.getpid(), "cwd": os.getcwd(), "umask": mask, "limit": sys.getrecursionlimit(),
        "new": os.environ.get("NEW"), "shared": os.environ.get("SHARED"), "path": bool(os.environ["PATH"]),
        "usr1": str(signal.getsignal(signal.SIGUSR1)), "blocked": len(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0], "threads": threading.active_count(),
        "term": callable(signal.getsignal(signal.SIGTERM)),
    }
"""
CHANGES = ["directory", "environment", "umask", "signals", "mask", "streams", "recursion", "files", "thread", "child"]  # fmt: skip


def call(where: Path, name: str, task: str, **params: Any) -> Any:
    origin = {"kind": "file", "target": str(where / "flows.py")}
    return work(where, Call(ref=name, origin=origin), task, params=params, env={"SHARED": "1"})


def one_after_the_other(where: Path, *works: Any) -> list[AttemptResult]:
    (where / "flows.py").write_text(FLOWS)
    (where / "logs").mkdir()

    async def story() -> list[AttemptResult]:
        ends, executor = Ends(), LocalExecutor(where)
        await executor.open(where, None)
        try:
            for number, its in enumerate(works, start=1):
                executor.start(its, ends.of(its.attempt.task_id))
                await ends.wait(number)
        finally:
            await executor.close()
        return [ended for _, ended in ends.all]

    return asyncio.run(story())


@pytest.mark.parametrize("what", CHANGES)
def test_what_a_body_changes_the_next_one_does_not_see(tmp_path: Path, what: str) -> None:
    its = [
        call(tmp_path, "looks", "before"), call(tmp_path, "changes", "change", what=what), call(tmp_path, "looks", "after"),
    ]  # fmt: skip
    before, changed, after = one_after_the_other(tmp_path, *its)
    assert (before.error, changed.error, after.error) == (None, None, None)
    seen = [dict(each.outputs) for each in (before, after) if isinstance(each.outputs, dict)]
    pids = [each.pop("pid") for each in seen]
    assert seen[0] == seen[1]
    assert (pids[0] == pids[1]) is (what not in ("files", "thread"))  # which cannot be undone for certain
    assert Path(paths(tmp_path, its[2]).log).read_text() == "printed\n"


def test_a_process_that_a_body_leaves_running_is_ended_and_named_in_its_log(tmp_path: Path) -> None:
    its = call(tmp_path, "changes", "t", what="child")
    (ended,) = one_after_the_other(tmp_path, its)
    assert ended.left_running == 1
    assert "that the task left running" in Path(paths(tmp_path, its).log).read_text()
