"""Files to which bodies print, kept open from one body to the next: each becomes a log only when something was printed.

Creating a file costs more than most bodies that print nothing.
"""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path

from dagrun.executors.outputs import open_log

_MOST = 256


class Spool:
    """A file in the scratch directory of a run, which becomes the log of the body that has printed to it."""

    def __init__(self, path: str = "") -> None:
        self.path = path
        self._fd = -1

    def move(self, path: str) -> None:
        """Be the file `path` from now on."""
        self.close()
        self.path = path

    def fileno(self) -> int:
        """A descriptor to append to the file, which is created if it is missing. Raises OSError."""
        if self._fd < 0:
            Path(self.path).parent.mkdir(parents=True, exist_ok=True)
            self._fd = open_log(self.path)
        return self._fd

    def has_text(self) -> bool:
        """Whether anything was printed to it."""
        return self._fd >= 0 and os.fstat(self._fd).st_size > 0

    def is_open(self) -> bool:
        """Whether the next body can print to it: it has not become a log."""
        return self._fd >= 0

    def exists(self) -> bool:
        """Whether the file still has a name: a body may have deleted it."""
        return self._fd >= 0 and os.fstat(self._fd).st_nlink == 1

    def save_as(self, log: str) -> None:
        """Become the file `log`, whoever still prints to it; the next body gets a new file."""
        with contextlib.suppress(OSError):  # the run's directory was deleted
            try:
                os.rename(self.path, log)  # noqa: PTH104 - called for every body that prints
            except FileNotFoundError:  # a body may have deleted the directory of the logs
                Path(log).parent.mkdir(parents=True, exist_ok=True)
                os.rename(self.path, log)  # noqa: PTH104
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class CommandSpools:
    """The spools of commands that run at the same time. A spool has one command at a time.

    There are at most as many as a quarter of the files that this process may open.
    """

    def __init__(self) -> None:
        self.most = min(_MOST, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)
        self._taken = 0
        self._free: list[Spool] = []
        self._directory = ""
        self._count = 0

    def take(self, directory: str) -> Spool | None:
        """An empty spool in the scratch directory of a run; None if too many are taken. Raises OSError when it cannot be created."""
        if self._taken >= self.most:
            return None
        spool = self._next(directory)
        self._taken += 1
        return spool

    def _next(self, directory: str) -> Spool:
        if directory != self._directory:
            self._directory = directory
            for spool in self._free:
                spool.close()
            self._free.clear()
        while self._free:
            spool = self._free.pop()
            if spool.exists():
                return spool
            spool.close()
        self._count += 1
        spool = Spool(f"{directory}/command.{os.getpid()}.{self._count}.log")
        spool.fileno()
        return spool

    def give_back(self, spool: Spool) -> None:
        """The command has ended, or is not short. Keep the spool for the next one, unless it has become a log."""
        self._taken -= 1
        if spool.is_open() and spool.path.startswith(f"{self._directory}/"):
            self._free.append(spool)
        else:
            spool.close()
