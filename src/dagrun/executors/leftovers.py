"""What a run left running after both dagrun and its keeper were killed: found by the mark in its environment, and ended."""

from __future__ import annotations

import os
import signal
import time

from dagrun.executors import processes

MARK = "DAGRUN_RUN_ID"
GRACE = 1.0  # seconds between TERM and KILL


def end(run_id: str) -> None:
    """End every process of a run that nobody drives any more: TERM, one second, KILL (Linux)."""
    deadline = time.monotonic() + GRACE
    told: set[int] = set()
    while pids := _of(run_id):
        late = time.monotonic() > deadline
        fresh = [pid for pid in pids if late or pid not in told]
        processes.send(fresh, signal.SIGKILL if late else signal.SIGTERM)
        processes.send(fresh, signal.SIGCONT)
        told.update(fresh)
        if time.monotonic() > deadline + 5 * GRACE:
            return  # another user's process: not ours to end
        time.sleep(0.02)


def _of(run_id: str) -> list[int]:
    """The living processes whose environment says that they belong to the run; never this one or one above it."""
    table = processes.table()
    spared, pid = set(), os.getpid()
    while pid in table:
        spared.add(pid)
        pid = table[pid].parent
    mark = f"{MARK}={run_id}".encode()
    return [pid for pid, each in table.items() if not each.dead and pid not in spared and _has(pid, mark)]


def _has(pid: int, mark: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return mark in file.read().split(b"\0")
    except OSError:
        return False
