"""What a run left running after both dagrun and its keeper were killed: found by what it bears, and ended (Linux)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from dagrun.executors import processes
from dagrun.executors.processes import Process

MARK = "DAGRUN_RUN_DIR"  # in the environment of every body: ids may be the same in two projects, directories are not
GRACE = 1.0  # seconds between TERM and KILL


def end(run: Path) -> None:
    """End every process of a run that nobody drives any more: TERM, one second, KILL."""
    directory = os.path.realpath(run)
    deadline = time.monotonic() + GRACE
    told: set[int] = set()
    while pids := _of(directory):
        late = time.monotonic() > deadline
        fresh = [pid for pid in pids if late or pid not in told]
        processes.send(fresh, signal.SIGKILL if late else signal.SIGTERM)
        processes.send(fresh, signal.SIGCONT)  # a stopped process would sleep through its TERM
        told.update(fresh)
        if time.monotonic() > deadline + 5 * GRACE:
            return  # another user's process: not ours to end
        time.sleep(0.02)


def _of(directory: str) -> list[int]:
    """The living processes of the run: never this one, nor one above or below it."""
    table = processes.table()
    spared = {os.getpid(), *processes.descendants(os.getpid()), *_above(os.getpid(), table)}
    return [
        pid
        for pid, each in table.items()
        if not each.dead
        and pid not in spared
        and (_bears(pid, directory) or _is_a_workers_orphan(pid, table))
    ]


def _above(pid: int, table: Mapping[int, Process]) -> list[int]:
    found = []
    while (process := table.get(pid)) is not None and process.parent not in found:
        pid = process.parent
        found.append(pid)
    return found


def _bears(pid: int, directory: str) -> bool:
    """Whether its environment names the run's directory."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return False
    prefix = f"{MARK}=".encode()
    marked = next((each[len(prefix) :] for each in variables if each.startswith(prefix)), None)
    return marked is not None and os.path.realpath(os.fsdecode(marked)) == directory


def _is_a_workers_orphan(pid: int, table: Mapping[int, Process]) -> bool:
    """Whether a workflow forked it and no keeper is above it any more: whatever its run was, nobody owns it.

    A fork shows the environment that dagrun itself was started with, so that says nothing; its name does.
    """
    return processes.name_of(pid) == processes.WORKER and not any(
        processes.name_of(parent) == processes.KEEPER for parent in _above(pid, table)
    )
