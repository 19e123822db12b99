"""The artifacts of a task: files that are copied into the run's directory when its body has ended."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import re
import shutil
import stat
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dagrun.core.work import AttemptResult, Work
from dagrun.executors.outputs import note
from dagrun.run_layout import AttemptPaths
from dagrun.value import replace

_MAGIC = re.compile(r"[*?[]")
CHUNK_BYTES = 1 << 20


class MissingArtifact(ValueError):
    """A pattern of `artifacts` matches nothing."""


class BadArtifact(ValueError):
    """A pattern of `artifacts` matches something that cannot be kept."""


class _Stopped(Exception):
    """The attempt should end."""


def set_aside(directory: str, to: str) -> None:
    """Before another attempt: move away what an earlier one has left in the directory of artifacts. Raises OSError."""
    if Path(directory).is_dir():
        Path(to).parent.mkdir(parents=True, exist_ok=True)
        Path(directory).rename(to)


def collect(work: Work, paths: AttemptPaths, ended: AttemptResult, stop: threading.Event) -> AttemptResult:
    """Copy the artifacts of an attempt whose body has ended; returns how the attempt ended after that.

    After a success all artifacts are kept, or none and the attempt fails. After a failure those that exist are kept, the
    attempt keeps its own error, and its log names those that are missing. This may take long; another thread can set
    `stop` to end it.
    """
    begun = time.perf_counter()
    failed = ended.error is not None
    problem: tuple[str, str] | None = None
    try:
        if missing := _collect(work, paths, stop, all_or_none=not failed):
            problem = missing, MissingArtifact.__name__
    except _Stopped:
        problem = "ended by SIGTERM", "Terminated"
    except BadArtifact as error:
        problem = str(error), type(error).__name__
    except Exception as error:  # the disk is full, a file may not be read, it vanished, ...
        problem = f"the artifacts cannot be kept: {error}", type(error).__name__
    ended = replace(ended, duration=round(ended.duration + time.perf_counter() - begun, 6))
    if problem is None:
        return ended
    if failed:
        with contextlib.suppress(OSError):
            note(paths.log, work.masks, problem[0])
        return ended
    return replace(ended, error=problem[0], error_type=problem[1])


def _collect(work: Work, paths: AttemptPaths, stop: threading.Event, *, all_or_none: bool) -> str:
    """Keep what the patterns match. Returns an error message about those that match nothing."""
    fresh, own = Path(f"{paths.scratch}.artifacts"), Path(f"{paths.scratch}.own")
    search = _Search(work, Path(paths.directory).parent, stop)
    try:
        found = search.found()
        if search.missing and (all_or_none or not found):
            return search.missing
        _copy(found, fresh, stop)
        _put(fresh, Path(paths.artifacts), own)
        return search.missing
    finally:
        for left in (fresh, own):
            shutil.rmtree(left, ignore_errors=True)


class _Search:
    """Finds the files that the patterns of a task match.

    A link that a pattern matches is followed, within the working directory; a link inside a directory is kept as a link.
    The directory of all runs is left out: it has the artifacts of earlier runs, and the copies themselves.
    """

    def __init__(self, work: Work, runs: Path, stop: threading.Event) -> None:
        self.patterns = work.artifacts
        self.cwd = work.cwd
        self.top = _real(work.cwd)
        self.stop = stop
        runs = _real(runs)
        self.runs = None if self.top.is_relative_to(runs) else runs
        #: An error message about patterns that match nothing.
        self.missing = ""

    def found(self) -> Mapping[Path, Path]:
        """Every directory, file and link to keep: its source by its target path."""
        found: dict[Path, Path] = {}
        missing = [pattern for pattern in self.patterns if not self._add(pattern, found)]
        where = {pattern: "" if Path(pattern).is_absolute() else f" in {self.cwd}" for pattern in missing}
        self.missing = "; ".join(f"artifact '{pattern}' found nothing{where[pattern]}" for pattern in missing)
        return found

    def _add(self, pattern: str, found: dict[Path, Path]) -> bool:
        """Add what one pattern matches; False when that is nothing."""
        matches = False
        for path, name in self._named(os.path.normpath(pattern)):
            for source, target in self._below(_real(path), name):
                matches = True
                if found.setdefault(target, source) != source:
                    raise BadArtifact(f"'{found[target]}' and '{source}' would both be kept as '{target}'")
        return matches

    def _named(self, pattern: str) -> Iterator[tuple[Path, Path]]:
        """The paths that a pattern matches, each with its target: the path itself, or the last part of an absolute one."""
        whole = self.top / pattern
        if Path(pattern).is_absolute():
            yield from ((path, Path(path.name)) for path in self._matches(whole, Path(whole.anchor)))
            return
        for path in self._matches(whole, self.top):
            if not _real(path).is_relative_to(self.top):
                raise BadArtifact(f"artifact '{pattern}' leads out of {self.cwd}")
            yield path, path.relative_to(self.top)

    def _matches(self, whole: Path, base: Path) -> Iterator[Path]:
        """The path that is written like the pattern, if it exists (a name may have a bracket); else the paths that match."""
        if os.path.lexists(whole):
            return iter((whole,))
        return self._glob(base, whole.relative_to(base).parts)

    def _glob(self, directory: Path, parts: Sequence[str]) -> Iterator[Path]:
        if not parts:
            yield directory
            return
        first, rest = parts[0], parts[1:]
        if first == "**":
            yield from self._glob(directory, rest)
            for entry in self._entries(directory):
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                    yield from self._glob(directory / entry.name, parts)
        elif _MAGIC.search(first):
            for entry in self._entries(directory):
                hidden = entry.name.startswith(".") and not first.startswith(".")
                if not hidden and fnmatch.fnmatchcase(entry.name, first):
                    yield from self._glob(directory / entry.name, rest)
        elif os.path.lexists(directory / first):
            yield from self._glob(directory / first, rest)

    def _entries(self, directory: Path) -> Sequence[os.DirEntry[str]]:
        """The entries of a directory, sorted; none if it is not a directory or cannot be read."""
        _check(self.stop)
        if directory == self.runs:
            return ()
        try:
            with os.scandir(directory) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError:
            return ()

    def _below(self, path: Path, name: Path) -> Iterator[tuple[Path, Path]]:
        """A path and everything below it, each with its target path. Raises OSError."""
        pending = [(path, name)] if path.exists() else []
        while pending:
            _check(self.stop)
            path, name = pending.pop()
            if self.runs is not None and path.is_relative_to(self.runs):
                continue
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode):
                pending += [(each, name / each.name) for each in path.iterdir()]
            if stat.S_ISDIR(mode) or stat.S_ISREG(mode) or stat.S_ISLNK(mode):
                yield path, name


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve raises for a cycle of links


def _check(stop: threading.Event) -> None:
    """Raise _Stopped if another thread has asked for it."""
    if stop.is_set():
        raise _Stopped


def _copy(found: Mapping[Path, Path], fresh: Path, stop: threading.Event) -> None:
    fresh.mkdir(parents=True, exist_ok=True)
    for name, path in found.items():
        _check(stop)
        target = fresh / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            target.symlink_to(path.readlink())
        elif path.is_dir():
            target.mkdir(exist_ok=True)
        else:
            copy_file(path, target, stop)
    _check(stop)


def copy_file(path: Path, target: Path, stop: threading.Event) -> None:
    with (
        open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW)) as source,
        target.open("xb") as copy,
    ):
        while chunk := source.read(CHUNK_BYTES):
            _check(stop)
            copy.write(chunk)
        os.fchmod(copy.fileno(), stat.S_IMODE(os.fstat(source.fileno()).st_mode) & 0o777)


def _put(fresh: Path, directory: Path, own: Path) -> None:
    """Rename the directory of copies to its final name. Files that the body itself has put there are kept too."""
    if directory.is_dir():
        directory.rename(own)
        _move(own, fresh)
    directory.parent.mkdir(parents=True, exist_ok=True)
    fresh.rename(directory)


def _move(source: Path, target: Path) -> None:
    for path in source.iterdir():
        there = target / path.name
        if not os.path.lexists(there):
            path.rename(there)
        elif path.is_dir() and there.is_dir() and not path.is_symlink():
            _move(path, there)
