"""Processes that bodies leave behind, as the keeper sees them: orphans that have become its children (Linux)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container

from dagrun.executors.local import processes


class Leftovers:
    """Finds the leftovers of an attempt. Looks up each orphan once, so the cost is linear in the number of orphans.

    An orphan belongs to an attempt by its process group, its session or the mark in its environment. Its id cannot be
    reused before the keeper has reaped it, so a lookup stays valid until `forget`.
    """

    def __init__(self) -> None:
        self._children = processes.OwnChildren()
        self._keys: dict[int, tuple[int | str | None, ...]] = {}
        self._pids: defaultdict[int | str | None, set[int]] = defaultdict(set)

    def look(self, known: Container[int]) -> None:
        """Look up the children of this process that are new and not `known`."""
        for pid in self._children.ids():
            if pid in self._keys or pid in known:
                continue
            process = processes.read(pid)
            if process is not None and not process.dead:
                keys = (process.group, process.session, processes.mark_of(pid))
                self._keys[pid] = keys
                for key in keys:
                    self._pids[key].add(pid)

    def are_none(self) -> bool:
        """Whether no process was left behind, of whatever attempt; False where that is not known.

        What belongs to the process group of an attempt is below its first process, and when that ends, below this one.
        """
        return self._children.are_known() and not self._keys

    def forget(self, pid: int) -> None:
        """A child of this process has been reaped."""
        for key in self._keys.pop(pid, ()):
            self._pids[key].discard(pid)
            if not self._pids[key]:
                del self._pids[key]

    def of(self, leader: int, mark: str, *, unmarked: bool = False) -> dict[int, str]:
        """The living leftovers of the attempt with this first process and this mark, parents first: names by process id.

        With `unmarked` orphans without any mark are included.
        """
        roots: set[int] = set()
        for key in (leader, mark, *((None,) if unmarked else ())):
            roots |= self._pids.get(key, set())
        found: dict[int, str] = {}
        pending = sorted(roots, reverse=True)
        while pending:
            pid = pending.pop()
            process = processes.read(pid)
            if process is not None and pid not in found:
                if not process.dead:
                    found[pid] = process.name
                pending += processes.children(pid)
        return found
