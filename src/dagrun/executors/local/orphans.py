"""Ends the processes that a run left when both dagrun and its keeper were killed. They are found by the run's own marks (Linux).

Before an executor starts the first body of a run, it writes to a file in the run's directory how its processes can be
recognised. No other process is ever ended: process ids are reused, and any process may have any name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from dagrun.blobs import open_regular, read_regular
from dagrun.executors.local import processes
from dagrun.executors.local.processes import ProcessInfo
from dagrun.value import Value, asdict


class Signature(Value):
    """How the processes of one executor can be recognised. Its fields are the keys in the file."""

    #: The beginning of the mark in the environment of its commands and everything that these start.
    mark: str
    #: The random name of its workers, which processes that they fork inherit. Their environment has no mark.
    name: str
    #: When the executor's process started, in clock ticks since boot, and the id of that boot.
    since: int
    boot: str

    def matches(self, process: ProcessInfo, mark_of: Callable[[int], str | None] = processes.mark_of) -> bool:
        """Whether that executor has started the process. `mark_of` is called only if the name does not show it."""
        if process.dead or process.started < self.since:
            return False
        if process.name == self.name:
            return True
        mark = mark_of(process.pid)
        return mark is not None and (mark == self.mark or mark.startswith(f"{self.mark}-"))


def signature(mark: str, name: str) -> Signature:
    """The signature of an executor in this process; everything that it starts, starts after this process."""
    return Signature(mark, name, processes.start_time(os.getpid()), processes.boot_id())


def record(signature: Signature, path: Path) -> None:
    """Append a line to a file of the run. Raises OSError."""
    with open(open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "wb") as file:
        file.write(json.dumps(asdict(signature)).encode() + b"\n")


def recorded(path: Path) -> list[Signature]:
    """The signatures in a file of the run; lines that are something else are ignored."""
    try:
        lines = read_regular(path).splitlines()
    except OSError:
        return []
    return [signature for line in lines if (signature := _parsed(line)) is not None]


def _parsed(line: bytes) -> Signature | None:
    try:
        data = json.loads(line)
        mark, name, since, boot = data["mark"], data["name"], data["since"], data["boot"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    is_valid = type(since) is int and all(type(text) is str and text for text in (mark, name, boot))
    return Signature(mark, name, since, boot) if is_valid and name.startswith(processes.WORKER) else None


def end(path: Path) -> None:
    """End every process of the executors in that file, none of which drives the run any more: SIGTERM, one second, SIGKILL."""
    signatures = [each for each in recorded(path) if each.boot == processes.boot_id()]
    if signatures:
        processes.end_all(lambda: _of(signatures))


def _of(signatures: Sequence[Signature]) -> list[int]:
    """The living processes with these signatures, and all below them; never this process, or one above or below it."""
    table = processes.table()
    spared = {os.getpid(), *_below([os.getpid()], table), *_above(os.getpid(), table)}
    own = [
        pid
        for pid, each in table.items()
        if pid not in spared and any(signature.matches(each) for signature in signatures)
    ]
    return [
        pid for pid in dict.fromkeys([*own, *_below(own, table)]) if not table[pid].dead and pid not in spared
    ]


def _above(pid: int, table: Mapping[int, ProcessInfo]) -> list[int]:
    found = []
    while (process := table.get(pid)) is not None and process.parent not in found:
        pid = process.parent
        found.append(pid)
    return found


def _below(roots: Iterable[int], table: Mapping[int, ProcessInfo]) -> list[int]:
    return [pid for root in roots for pid in processes.below(root, table)]
