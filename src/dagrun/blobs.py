"""Opens ordinary files only, and reads outputs that are stored in files: only if they are as they were recorded."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path
from threading import Thread

from dagrun.core.work import Blob, Json
from dagrun.errors import DamagedError
from dagrun.fast_json import decode

_HASH_IN_THREAD = 1 << 20  # bytes from which hashing in a thread is faster


def open_regular(path: str | os.PathLike[str], flags: int, mode: int = 0o666) -> int:
    """Open an ordinary file. Raises OSError, also for a pipe or a device, as opening that could block."""
    try:
        fd = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY, mode)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a pipe without a reader, or a socket
            raise _not_ordinary(path) from None
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise _not_ordinary(path)
    os.set_blocking(fd, True)
    return fd


def _not_ordinary(path: str | os.PathLike[str]) -> OSError:
    return OSError(errno.EINVAL, "it is not an ordinary file", os.fspath(path))


def read_regular(path: str | os.PathLike[str]) -> bytes:
    """All bytes of an ordinary file. Raises OSError."""
    with open(open_regular(path, os.O_RDONLY), "rb") as file:
        return file.read()


def write_regular(path: str | os.PathLike[str], data: bytes) -> None:
    """Write an ordinary file. Raises OSError."""
    with open(open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
        file.write(data)


def load(directory: str | os.PathLike[str], blob: Blob) -> dict[str, Json]:
    """The outputs in the file of `blob` in the run's directory of outputs. Raises DamagedError if the file has changed."""
    path = Path(directory, blob.file)
    try:
        data = read_regular(path)
    except FileNotFoundError:
        raise DamagedError(f"the outputs file {path} is missing") from None
    except OSError as error:
        raise DamagedError(f"the outputs file {path} cannot be read: {error.strerror}") from None
    if len(data) != blob.size:
        raise DamagedError(
            f"the outputs file {path} was changed: it has {len(data)} bytes, and {blob.size} were recorded"
        )
    digest = hashlib.sha256()
    hashing = Thread(target=digest.update, args=(data,)) if len(data) >= _HASH_IN_THREAD else None
    if hashing is None:
        digest.update(data)
    else:
        hashing.start()  # while the text is decoded; hashing does not need the interpreter lock
    found: dict[str, Json] = {}
    problem: Exception | None = None
    try:
        found = decode(data)
    except (ValueError, RecursionError) as error:
        problem = error
    if hashing is not None:
        hashing.join()
    if digest.hexdigest() != blob.sha256:
        raise DamagedError(
            f"the outputs file {path} was changed: its SHA-256 is not the one that was recorded"
        )
    if problem is not None:
        raise DamagedError(f"the outputs file {path} cannot be read: {problem}")
    return found
