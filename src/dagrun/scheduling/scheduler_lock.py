"""Which schedulers are alive: each holds the lock of one file, which ends with its process."""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dagrun.errors import RecordError
from dagrun.run_layout import file_name
from dagrun.storage import lock
from dagrun.storage.run_store import new_run_id

_turn = threading.Lock()  # taking a lock is two steps, and threads must not mix theirs


class SchedulerLock:
    """One scheduler's life: a lock that ends with it, however it ends."""

    def __init__(self, directory: Path, now: float) -> None:
        self.directory = directory
        self.name = ""
        try:
            while not self.name:
                name = f"{new_run_id(now)}{secrets.token_hex(4)}"
                # Between the making of its file and its lock it looks dead: somebody may be burying it just now.
                self.name = name if self._take(name) else ""
        except OSError as error:
            raise RecordError(f"cannot write {directory}: {error.strerror}") from error

    def path(self, name: str) -> Path:
        """The lock of a scheduler."""
        return self.directory / file_name(name or "nobody")

    def release(self) -> None:
        """Die in peace."""
        self._release(self.name)

    def is_alive(self, name: str) -> bool:
        """Whether a scheduler lives; this one does."""
        with _turn:
            return lock.is_held(self.path(name))

    def dead_schedulers(self) -> Iterator[str]:
        """Schedulers that have died and that nobody has buried."""
        try:
            names = sorted(os.listdir(self.directory))  # noqa: PTH208 - names are all that is asked
        except FileNotFoundError:  # somebody has tidied up
            return
        for name in names:
            if name != self.name and not self.is_alive(name):
                yield name

    @contextmanager
    def taking_over(self, name: str) -> Iterator[bool]:
        """Whether this scheduler alone may take what a dead one left; then the dead one is buried."""
        if not self._take(name):
            yield False
            return
        try:
            yield True
        finally:
            self._release(name)

    def _take(self, name: str) -> bool:
        self.directory.mkdir(parents=True, exist_ok=True)
        with _turn:
            return lock.take(self.path(name))

    def _release(self, name: str) -> None:
        """The file goes first: whoever opens it later opens another one."""
        with _turn:
            self.path(name).unlink(missing_ok=True)
            with contextlib.suppress(KeyError):
                lock.release(self.path(name))
