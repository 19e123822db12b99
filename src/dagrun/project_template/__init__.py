"""The project that `dagrun init` writes: the files below `project/`."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from dagrun.errors import RefusedError, UsageError

#: The files, in the order in which they are written; the templates have the same names.
FILES: Final = (
    "dagrun.toml",
    "workflows.py",
    "configs/dags/backup.yaml",
    "configs/schedules/backup.yaml",
    ".gitignore",
)


def template(name: str) -> bytes:
    """The contents of a file of the project. The template of `.gitignore` has no dot, or git would apply it here."""
    from importlib.resources import files

    return files(__name__).joinpath("project", *name.lstrip(".").split("/")).read_bytes()


def write(directory: Path) -> list[Path]:
    """Write all files of the project, or none, and return them.

    Raises RefusedError if one of them exists, UsageError if they cannot be written.
    """
    paths = [directory / name for name in FILES]
    made: list[Path] = []
    try:
        if existing := [path for path in paths if path.is_symlink() or path.exists()]:
            raise RefusedError(
                "\n".join(f"{path} already exists" for path in existing),
                hint="nothing was written: move these files away, or name another directory",
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
            hint="nothing was written: name a directory that you can write to",
        ) from None
    return paths


def _make_directory(directory: Path, made: list[Path]) -> None:
    """Create a directory and its parents; those that did not exist are added to `made`."""
    if directory.is_dir():
        return
    if directory.is_symlink() or directory.exists():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(directory))
    _make_directory(directory.parent, made)
    directory.mkdir()
    made.append(directory)


def _remove(made: Sequence[Path]) -> None:
    """Remove what was created, in reverse order."""
    for path in reversed(made):
        with contextlib.suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink()
