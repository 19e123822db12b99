"""Locks on files (fcntl record locks): a lock ends with its process, and child processes do not inherit it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import sys
import threading
from pathlib import Path

from dagrun.storage.disk import FILE_MODE

# Closing *any* descriptor of a locked file drops the process's lock on it. So each lock file is opened once per
# process and remembered here, and a reader in the owner's own process asks this table, not the file.
_held: dict[str, int] = {}
# Held while a lock file is open and not in the table: otherwise one thread could lock a file that another has open to
# look at it, and lose the lock when that one closes it.
_mutex = threading.Lock()

# struct flock: Linux has type, whence, start, len, pid; macOS has start, len, pid, type, whence.
_LINUX = struct.Struct("@hhqqi4x")
_MACOS = struct.Struct("@qqihh")


def take(path: Path) -> bool:
    """Lock the file for this process, and create it if it is missing. Returns False if the lock is held. Raises OSError.

    Whoever releases a lock may delete its file first. A file that was opened before that and locked afterwards is a lock
    that nobody sees: then the file that has the name now is locked.
    """
    with _mutex:
        if _is_ours(path):
            return False
        while True:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
            try:
                fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(fd)
                return False
            if _has_name(path, fd):
                _held[str(path)] = fd
                return True
            os.close(fd)


def release(path: Path) -> None:
    """Release a lock that this process holds."""
    with _mutex:
        os.close(_held.pop(str(path)))


def is_held(path: Path) -> bool:
    """Whether some process, this one included, holds the lock. Does not take it."""
    with _mutex:
        if _is_ours(path):
            return True
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            return _is_locked(fd)
        finally:
            os.close(fd)


def _forget_locks() -> None:
    """In a child process: the locks of its parent are not its own, so close the descriptors."""
    for fd in _held.values():
        with contextlib.suppress(OSError):
            os.close(fd)
    _held.clear()
    _mutex.release()


os.register_at_fork(before=_mutex.acquire, after_in_parent=_mutex.release, after_in_child=_forget_locks)


def _has_name(path: Path, fd: int) -> bool:
    """Whether the open file still has that name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except FileNotFoundError:
        return False


def _is_ours(path: Path) -> bool:
    """Whether this process holds the lock, by any path to the file: a link, `logs/../logs`."""
    if str(path) in _held:
        return True
    try:
        status = path.stat()
    except OSError:
        return False
    return any(os.path.samestat(status, os.fstat(fd)) for fd in _held.values())


def _is_locked(fd: int) -> bool:
    if sys.platform == "darwin":
        answer = fcntl.fcntl(fd, fcntl.F_GETLK, _MACOS.pack(0, 0, 0, fcntl.F_WRLCK, 0))
        return bool(_MACOS.unpack(answer)[3] != fcntl.F_UNLCK)
    answer = fcntl.fcntl(fd, fcntl.F_GETLK, _LINUX.pack(fcntl.F_WRLCK, 0, 0, 0, 0))
    return bool(_LINUX.unpack(answer)[0] != fcntl.F_UNLCK)
