"""Which schedulers are alive: each holds a lock file of its own (`.alive/<scheduler>`), and the lock ends with its process."""

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

_turn = threading.Lock()  # taking a lock is two steps, which threads must not interleave


class SchedulerLock:
    """The lock of one scheduler, taken when it is made. Raises RecordError if it cannot be."""

    def __init__(self, directory: Path, now: float) -> None:
        self.directory = directory
        self.name = ""
        try:
            while not self.name:
                name = f"{new_run_id(now)}{secrets.token_hex(4)}"
                # Between the creation of the file and the lock it looks dead, so another scheduler may be deleting it.
                self.name = name if self._take(name) else ""
        except OSError as error:
            raise RecordError(f"cannot write {directory}: {error.strerror}") from error

    def path(self, name: str) -> Path:
        """The lock file of a scheduler."""
        return self.directory / file_name(name or "nobody")

    def release(self) -> None:
        """Release the lock: other schedulers take over what is still open."""
        self._release(self.name)

    def is_alive(self, name: str) -> bool:
        """Whether a scheduler, this one included, is alive."""
        with _turn:
            return lock.is_held(self.path(name))

    def dead_schedulers(self) -> Iterator[str]:
        """Schedulers that have died and whose lock files are still there."""
        try:
            names = sorted(os.listdir(self.directory))  # noqa: PTH208 - names are all that is asked
        except FileNotFoundError:  # the directory was deleted
            return
        for name in names:
            if name != self.name and not self.is_alive(name):
                yield name

    @contextmanager
    def taking_over(self, name: str) -> Iterator[bool]:
        """Lock out others while the runs of a dead scheduler are taken over; yields False if another one is doing so."""
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
        """Delete the file before its lock is released: whoever opens it later opens a new one."""
        with _turn:
            self.path(name).unlink(missing_ok=True)
            with contextlib.suppress(KeyError):
                lock.release(self.path(name))
