"""A project to begin with: the files below `project/`, as they are written into somebody's directory."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from dagrun.errors import RefusedError, UsageError

#: What is written, in this order; the templates bear the same names.
FILES: Final = (
    "dagrun.toml",
    "workflows.py",
    "configs/dags/backup.yaml",
    "configs/schedules/backup.yaml",
    ".gitignore",
)


def template(name: str) -> bytes:
    """What is written into a file of the project. `.gitignore` goes without its dot, or git would obey it here."""
    from importlib.resources import files

    return files(__name__).joinpath("project", *name.lstrip(".").split("/")).read_bytes()


def write(directory: Path) -> list[Path]:
    """Write the project, all of it or nothing; its files. Raises RefusedError if one is there, UsageError if it cannot."""
    paths = [directory / name for name in FILES]
    made: list[Path] = []
    try:
        if there := [path for path in paths if path.is_symlink() or path.exists()]:
            raise RefusedError(
                "\n".join(f"{path} is there already" for path in there),
                hint="nothing was written: move what is there away, or name another directory",
            )
        for name, path in zip(FILES, paths, strict=True):
            _make_directory(path.parent, made)
            with path.open("xb") as file:
                made.append(path)
                file.write(template(name))
    except OSError as error:
        _remove(made)
        raise UsageError(
            f"cannot write {error.filename or directory}: {error.strerror}",
            hint="nothing was written: name a directory that you may write to",
        ) from None
    return paths


def _make_directory(directory: Path, made: list[Path]) -> None:
    """Make a directory and those above it; each that was not there is added to what was made."""
    if directory.is_dir():
        return
    if directory.is_symlink() or directory.exists():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(directory))
    _make_directory(directory.parent, made)
    directory.mkdir()
    made.append(directory)


def _remove(made: Sequence[Path]) -> None:
    """Take back what was made, the last first."""
    for path in reversed(made):
        with contextlib.suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink()
