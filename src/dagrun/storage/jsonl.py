"""Files of JSON lines: appended to with one write at a time, read whatever a crash did to them."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagrun.durability import Durability
from dagrun.errors import RecordError
from dagrun.storage import disk

START = b'{"timestamp":'  # every line that dagrun writes begins so
CHECK_INTERVAL = 1.0  # seconds between two looks at what bears a shared file's name


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a shared file is put aside as `<name>.1`: at so many bytes (0: never). `keep` former ones are kept."""

    size: int = 0
    keep: int = 5


def rotated_path(path: Path, number: int) -> Path:
    """What a shared file is called after it was put aside `number` times."""
    return path.with_name(f"{path.name}.{number}")


class LineFile:
    """A file that lines are appended to. Many processes may append to one file; lines never interleave.

    Lines are never written to a file that was removed: with `renew` a new one is begun, else that is an error.
    With `renew` it is also put aside as `rotation` says, and one that was renamed (by another process that did so, or by
    logrotate) is left within a second. Until then lines go to the renamed file, where readers look for them.
    """

    def __init__(
        self,
        path: Path,
        durability: Durability = Durability.OS,
        *,
        renew: bool = False,
        rotation: Rotation = Rotation(),
    ) -> None:
        self.path = path
        self.durability = durability
        self.renew = renew
        self.rotation = rotation
        self._synced = 0.0
        self._looked = -CHECK_INTERVAL
        self._fd = self._open()

    def append(self, data: bytes) -> None:
        """Write whole lines in one call. Raises RecordError when the file does not take all of it."""
        try:
            if not os.fstat(self._fd).st_nlink:
                self._begin_again()
            if self.renew and time.monotonic() - self._looked >= CHECK_INTERVAL:
                self._look()
            written = os.write(self._fd, data)
            while written < len(
                data
            ):  # the disk fills up: what is there is a torn line, which readers survive
                written += os.write(self._fd, data[written:])
        except OSError as error:
            raise self._failure(error) from error
        if self.durability is Durability.FSYNC or (
            self.durability is Durability.BATCH and time.monotonic() - self._synced >= 1
        ):
            self._sync()

    def close(self) -> None:
        """Let go of the file."""
        try:
            if self.durability is Durability.BATCH:
                self._sync()
        finally:
            os.close(self._fd)

    def _begin_again(self) -> None:
        """The file was removed: what is written to it now nobody will ever read."""
        if not self.renew:
            raise FileNotFoundError(errno.ENOENT, "it was removed")
        rotated_path, self._fd = self._fd, self._open()
        os.close(rotated_path)

    def _look(self) -> None:
        """Put the file aside if it is large, and leave it if another bears its name by now."""
        self._looked = time.monotonic()
        if 0 < self.rotation.size <= os.fstat(self._fd).st_size:
            with contextlib.suppress(OSError):  # somebody else is at it; or we may not: then it grows
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                try:
                    self._put_aside()
                finally:
                    fcntl.flock(self._fd, fcntl.LOCK_UN)
        if not self._bears_its_name():
            self._begin_again()

    def _put_aside(self) -> None:
        """Only for the holder of the lock on the file that bears the name: nobody else renames anything meanwhile."""
        if not self._bears_its_name():
            return
        for number in range(max(1, self.rotation.keep) - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                rotated_path(self.path, number).rename(rotated_path(self.path, number + 1))
        self.path.rename(rotated_path(self.path, 1))

    def _bears_its_name(self) -> bool:
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
                os.write(fd, b"\n")  # a torn last line must not swallow the next one
        except OSError as error:
            raise self._failure(error) from error
        return fd

    def _failure(self, error: OSError) -> RecordError:
        return disk.unwritable(self.path, error)


def parse(line: bytes) -> dict[str, Any] | None:
    """The object on a line. A torn line with a whole one after it in the same line yields the whole one.

    None when there is no object to be had.
    """
    for part in _candidates(line):
        try:
            value = json.loads(part)
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
    """Every object in the file, in order, and how many lines are none. A missing file is empty.

    A last line without its end is no damage: it is being written just now, or was when its writer died.
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
