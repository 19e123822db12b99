"""Directories and files of a project: created with the right permissions, synced, and refused if they are another user's."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from dagrun.errors import RecordError, user

FILE_MODE = 0o666  # less the umask, by which users decide who may read and write a project's files


def make_directory(path: Path) -> None:
    """Create a directory and its parents. Raises RecordError, which names what is in the way."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error, is_directory=True) from error


def make_durable_directory(path: Path) -> None:
    """The same, so that the new directories survive a power loss. Raises RecordError."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    make_directory(path)
    try:
        for each in missing:
            sync_directory(each.parent)
    except OSError as error:
        raise unwritable(path, error) from error


def make_private_directory(path: Path) -> None:
    """Create a directory for this user alone (0700), or also for its group if the umask lets the group write (0770).

    Raises FileExistsError if something has that name, whatever it is.
    """
    path.mkdir(mode=0o770)
    if not path.stat().st_mode & stat.S_IWGRP:
        path.chmod(0o700)


def why_not_private(path: Path) -> str:
    """Why a directory is not one that this user made with `make_private_directory`; empty if it is."""
    status = path.lstat()
    if why := _why_not_a_directory_of(status, {os.geteuid()}):
        return why
    if status.st_mode & 0o007:
        return f"is open to all users (mode {stat.S_IMODE(status.st_mode):04o})"
    return ""


def why_not_shared(path: Path) -> str:
    """Why this user must not run what is recorded in a directory (another user owns it, no group shares it); else empty."""
    status = path.lstat()
    owners = {os.geteuid()}
    if status.st_mode & stat.S_IWGRP and status.st_gid in {os.getegid(), *os.getgroups()}:
        owners.add(status.st_uid)
    if why := _why_not_a_directory_of(status, owners):
        return why
    if status.st_mode & stat.S_IWOTH:
        return f"may be written to by all users (mode {stat.S_IMODE(status.st_mode):04o})"
    return ""


def _why_not_a_directory_of(status: os.stat_result, owners: set[int]) -> str:
    if stat.S_ISLNK(status.st_mode):
        return "is a link"
    if not stat.S_ISDIR(status.st_mode):
        return "is not a directory"
    return "" if status.st_uid in owners else f"belongs to {user(status.st_uid)}"


def open_to_read(path: Path) -> int:
    """Open a file without ever blocking, as opening a pipe would. Raises OSError, also for directories and pipes."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    mode = os.fstat(fd).st_mode
    if stat.S_ISDIR(mode) or stat.S_ISFIFO(mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is not a file", str(path))
    return fd


def read_file(path: Path) -> bytes:
    """The content of a file; never blocks. Raises OSError."""
    with os.fdopen(open_to_read(path), "rb") as file:
        return file.read()


def sync_directory(path: Path) -> None:
    """Make the names in a directory survive a power loss. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_file(path: Path) -> None:
    """Make the content of a file survive a power loss. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def unwritable(path: Path | str, error: OSError, *, is_directory: bool = False) -> RecordError:
    """The error for a file that cannot be written; it names what is in the way."""
    directories = [Path(path), *Path(path).parents][0 if is_directory else 1 :]
    return RecordError(
        f"cannot write {path}: {_in_the_way(directories) or error.strerror or error}",
        hint="free some space, or check who may write there",
    )


def _in_the_way(directories: Sequence[Path]) -> str:
    """What is in the place of the first of these directories that exists; empty if that is a directory."""
    for each in directories:
        # These, unlike the methods of Path, never raise.
        if os.path.islink(each) and not os.path.exists(each):  # noqa: PTH110, PTH114
            return f"{each} is a link to {each.readlink()}, which does not exist"
        if os.path.lexists(each):
            return "" if os.path.isdir(each) else f"{each} is not a directory"  # noqa: PTH112
    return ""
