"""Files of JSON lines: appended to with one write at a time, read whatever a crash did to them."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dagrun.durability import Durability
from dagrun.errors import RecordError

START = b'{"timestamp":'  # every line that dagrun writes begins so


class LineFile:
    """A file that lines are appended to. Many processes may append to one file; lines never interleave.

    Lines are never written to a file that was removed: with `renew` a new one is begun, else that is an error.
    """

    def __init__(self, path: Path, durability: Durability = Durability.OS, *, renew: bool = False) -> None:
        self.path = path
        self.durability = durability
        self.renew = renew
        self._synced = 0.0
        self._fd = self._open()

    def append(self, data: bytes) -> None:
        """Write whole lines in one call. Raises RecordError when the file does not take all of it."""
        try:
            if not os.fstat(self._fd).st_nlink:
                self._begin_again()
            written = os.write(self._fd, data)
            while written < len(data):  # the disk is filling up: what is there now is a torn line, which readers survive
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
        os.close(self._fd)
        self._fd = self._open()

    def _sync(self) -> None:
        self._synced = time.monotonic()
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise self._failure(error) from error

    def _open(self) -> int:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            size = os.fstat(fd).st_size
            if size and os.pread(fd, 1, size - 1) != b"\n":
                os.write(fd, b"\n")  # a torn last line must not swallow the next one
        except OSError as error:
            raise self._failure(error) from error
        return fd

    def _failure(self, error: OSError) -> RecordError:
        return RecordError(
            f"cannot write {self.path}: {error.strerror}",
            hint="free some space, or check who may write there",
        )


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
    """Every object in the file, in order, and how many lines are none. A missing file is empty."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    found, corrupt = [], 0
    for line in data.split(b"\n"):
        if not line.strip():
            continue
        value = parse(line)
        if value is None:
            corrupt += 1
        else:
            found.append(value)
    return found, corrupt
