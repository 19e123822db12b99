"""Files of JSON lines: appended to in single writes, and readable whatever a crash left in them."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dagrun.durability import Durability
from dagrun.errors import RecordError
from dagrun.fast_json import decode
from dagrun.storage import disk
from dagrun.value import Value

START = b'{"timestamp":'  # the start of every line that dagrun writes
CHECK_INTERVAL = 1.0  # seconds between two checks whether a shared file is too large or was renamed


class Rotation(Value):
    """When a shared file is renamed to `<name>.1`: at `size` bytes (0: never). The last `keep` files are kept."""

    size: int = 0
    keep: int = 5


def rotated_path(path: Path, number: int) -> Path:
    """The name of a shared file that was rotated `number` times."""
    return path.with_name(f"{path.name}.{number}")


_NO_ROTATION = Rotation()


class LineFile:
    """A file to append lines to. Many processes may append to one file; lines never interleave.

    Lines are never written to a file that was removed: with `renew` a new file is created, else it is an error.
    With `renew` the file is also rotated, and if another process or logrotate has renamed it, a new one is used within a
    second. Until then lines go to the renamed file, where readers find them.
    """

    def __init__(
        self,
        path: Path,
        durability: Durability = Durability.OS,
        *,
        renew: bool = False,
        rotation: Rotation = _NO_ROTATION,
    ) -> None:
        self.path = path
        self.durability = durability
        self._syncs = durability is not Durability.OS
        self.renew = renew
        self.rotation = rotation
        self._synced = 0.0
        self._checked = -CHECK_INTERVAL
        self._fd = self._open()

    def append(self, data: bytes) -> None:
        """Write complete lines in one call. Raises RecordError if not all of them can be written."""
        try:
            if not os.fstat(self._fd).st_nlink:
                self._reopen()
            if self.renew and time.monotonic() - self._checked >= CHECK_INTERVAL:
                self._check_file()
            written, size = os.write(self._fd, data), len(data)
            while written < size:  # the disk is filling up
                written += os.write(self._fd, data[written:])
        except OSError as error:
            raise self._failure(error) from error
        if self._syncs and (self.durability is Durability.FSYNC or time.monotonic() - self._synced >= 1):
            self._sync()

    def close(self) -> None:
        """Let go of the file."""
        try:
            if self.durability is Durability.BATCH:
                self._sync()
        finally:
            os.close(self._fd)

    def _reopen(self) -> None:
        """Open the file anew: it was removed or renamed."""
        if not self.renew:
            raise FileNotFoundError(errno.ENOENT, "it was removed")
        former, self._fd = self._fd, self._open()
        os.close(former)

    def _check_file(self) -> None:
        """Rotate the file if it is large, and reopen it if it no longer has its name."""
        self._checked = time.monotonic()
        if 0 < self.rotation.size <= os.fstat(self._fd).st_size:
            with contextlib.suppress(
                OSError
            ):  # another process is rotating, or this one may not: then the file grows
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                try:
                    self._rotate()
                finally:
                    fcntl.flock(self._fd, fcntl.LOCK_UN)
        if not self._has_its_name():
            self._reopen()

    def _rotate(self) -> None:
        """Rename the files. The lock on the current file keeps other processes from doing the same."""
        if not self._has_its_name():
            return
        for number in range(max(1, self.rotation.keep) - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                rotated_path(self.path, number).rename(rotated_path(self.path, number + 1))
        self.path.rename(rotated_path(self.path, 1))

    def _has_its_name(self) -> bool:
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self._fd))
        except FileNotFoundError:
            return False

    def _sync(self) -> None:
        self._synced = time.monotonic()
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise self._failure(error) from error

    def _open(self) -> int:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, disk.FILE_MODE)
            size = os.fstat(fd).st_size
            if size and os.pread(fd, 1, size - 1) != b"\n":
                os.write(fd, b"\n")  # a torn last line must not damage the next one
        except OSError as error:
            raise self._failure(error) from error
        return fd

    def _failure(self, error: OSError) -> RecordError:
        return disk.unwritable(self.path, error)


def parse(line: bytes) -> dict[str, Any] | None:
    """The object on a line; None if there is none. If a complete line follows a torn one on the same line, that one is used."""
    for part in _candidates(line):
        try:
            value = decode(part)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            return value
    return None


def _candidates(line: bytes) -> Iterator[bytes]:
    yield line
    at = line.rfind(START)
    if at > 0:
        yield line[at:]


def read(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Every object in the file, in order, and how many lines are damaged. A missing file is empty.

    A last line without a line end does not count as damaged: it is being written, or was when its writer died.
    """
    try:
        data = disk.read_file(path)
    except FileNotFoundError:
        return [], 0
    found, corrupt = [], 0
    *whole, last = data.split(b"\n")
    for line in whole:
        if not line.strip():
            continue
        value = parse(line)
        if value is None:
            corrupt += 1
        else:
            found.append(value)
    if (value := parse(last)) is not None:
        found.append(value)
    return found, corrupt
