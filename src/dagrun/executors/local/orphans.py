"""What a run left running after both dagrun and its keeper were killed: found by the run's own marks, and ended (Linux).

Before an executor starts a run's first body, it writes down in the run's directory how its processes can be recognised.
Nothing else is ever ended: process ids are used again, and any process may have any name.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from dagrun.blobs import open_regular, read_regular
from dagrun.executors.local import processes
from dagrun.executors.local.processes import Process

GRACE = 1.0  # seconds between TERM and KILL


@dataclass(frozen=True, slots=True)
class Owner:
    """How the processes of one executor can be recognised."""

    #: What the mark in the environment of its commands, and of all that they start, begins with.
    mark: str
    #: The name of its workers, which what they fork has too; drawn by lot. Their environment is that of dagrun itself.
    name: str
    #: When it began, in the system's own count, and of which start of the system that is the count.
    since: int
    boot: str


def owner(mark: str, name: str) -> Owner:
    """The executor of this process; whatever it starts begins after this moment."""
    return Owner(mark, name, processes.started(os.getpid()), processes.boot())


def record(owner: Owner, path: Path) -> None:
    """Add a line to a file of the run. Raises OSError."""
    with open(open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "wb") as file:
        file.write(json.dumps(asdict(owner)).encode() + b"\n")


def recorded(path: Path) -> list[Owner]:
    """The executors that the run has had; a line that says something else says nothing."""
    try:
        lines = read_regular(path).splitlines()
    except OSError:
        return []
    return [owner for owner in map(_parsed, lines) if owner is not None]


def _parsed(line: bytes) -> Owner | None:
    try:
        said = json.loads(line)
        mark, name, since, boot = said["mark"], said["name"], said["since"], said["boot"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    whole = type(since) is int and all(type(text) is str and text for text in (mark, name, boot))
    return Owner(mark, name, since, boot) if whole and name.startswith(processes.WORKER) else None


def end(path: Path) -> None:
    """End every process of the executors in that file, none of which drives the run any more: TERM, one second, KILL."""
    owners = [owner for owner in recorded(path) if owner.boot == processes.boot()]
    deadline = time.monotonic() + GRACE
    told: set[int] = set()
    while owners and (pids := _of(owners)):
        late = time.monotonic() > deadline
        fresh = [pid for pid in pids if late or pid not in told]
        processes.send(fresh, signal.SIGKILL if late else signal.SIGTERM)
        processes.send(fresh, signal.SIGCONT)  # a stopped process would sleep through its TERM
        told.update(fresh)
        if time.monotonic() > deadline + 5 * GRACE:
            return  # another user's process: not ours to end
        time.sleep(0.02)


def _of(owners: Sequence[Owner]) -> list[int]:
    """The living processes that the owners have started, and all below them: never this one, nor one above or below it."""
    table = processes.table()
    spared = {os.getpid(), *_below([os.getpid()], table), *_above(os.getpid(), table)}
    own = [
        pid
        for pid, each in table.items()
        if pid not in spared and any(_is_of(owner, each) for owner in owners)
    ]
    return [
        pid for pid in dict.fromkeys([*own, *_below(own, table)]) if not table[pid].dead and pid not in spared
    ]


def _is_of(owner: Owner, process: Process) -> bool:
    if process.dead or process.started < owner.since:
        return False
    if process.name == owner.name:
        return True
    mark = processes.mark_of(process.pid)
    return mark is not None and (mark == owner.mark or mark.startswith(f"{owner.mark}-"))


def _above(pid: int, table: Mapping[int, Process]) -> list[int]:
    found = []
    while (process := table.get(pid)) is not None and process.parent not in found:
        pid = process.parent
        found.append(pid)
    return found


def _below(roots: Iterable[int], table: Mapping[int, Process]) -> list[int]:
    return [pid for root in roots for pid in processes.below(root, table)]
