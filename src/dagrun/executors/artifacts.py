"""What a task keeps: the files that its artifacts name, copied into the run's directory when its body has ended."""

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
from dataclasses import replace
from pathlib import Path

from dagrun.core.work import AttemptResult, Work
from dagrun.executors.outputs import note
from dagrun.run_layout import AttemptPaths

_MAGIC = re.compile(r"[*?[]")
_CHUNK = 1 << 20


class MissingArtifact(ValueError):
    """What an artifact names is not there."""


class BadArtifact(ValueError):
    """What an artifact names cannot be kept."""


class _Halted(Exception):
    """The attempt was asked to end."""


def set_aside(directory: str, to: str) -> None:
    """Before a further attempt: what an earlier one has left is not this one's. Raises OSError."""
    if Path(directory).is_dir():
        Path(to).parent.mkdir(parents=True, exist_ok=True)
        Path(directory).rename(to)


def collected(work: Work, paths: AttemptPaths, ended: AttemptResult, halt: threading.Event) -> AttemptResult:
    """The end of an attempt once its artifacts are kept: all of them, or none; of one that failed those that are there.

    One that failed keeps its own error; its log says what could not be kept. It may take long; another thread sets
    `halt` to make it stop.
    """
    begun = time.perf_counter()
    failed = ended.error is not None
    problem: tuple[str, str] | None = None
    try:
        if missing := _collect(work, paths, halt, all_or_none=not failed):
            problem = missing, MissingArtifact.__name__
    except _Halted:
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


def _collect(work: Work, paths: AttemptPaths, halt: threading.Event, *, all_or_none: bool) -> str:
    """Keep what is found; what is wrong with that which is not."""
    fresh, own = Path(f"{paths.scratch}.artifacts"), Path(f"{paths.scratch}.own")
    search = _Search(work, Path(paths.directory).parent, halt)
    try:
        found = search.found()
        if search.missing and (all_or_none or not found):
            return search.missing
        _copy(found, fresh, halt)
        _put(fresh, Path(paths.artifacts), own)
        return search.missing
    finally:
        for left in (fresh, own):
            shutil.rmtree(left, ignore_errors=True)


class _Search:
    """Finds what a task's artifacts name.

    A link that is named is followed, within the working directory; one that lies in a directory that is kept is kept as
    a link. The directory of the runs is left out: it holds what earlier runs have kept, and the copies themselves.
    """

    def __init__(self, work: Work, runs: Path, halt: threading.Event) -> None:
        self.patterns = work.artifacts
        self.cwd = work.cwd
        self.top = _real(work.cwd)
        self.halt = halt
        runs = _real(runs)
        self.runs = None if self.top.is_relative_to(runs) else runs
        #: What is to be said about patterns that found nothing.
        self.missing = ""

    def found(self) -> Mapping[Path, Path]:
        """Every directory, file and link that is to be kept, by the path under which it is kept."""
        found: dict[Path, Path] = {}
        missing = [pattern for pattern in self.patterns if not self._add(pattern, found)]
        where = {pattern: "" if Path(pattern).is_absolute() else f" in {self.cwd}" for pattern in missing}
        self.missing = "; ".join(f"artifact '{pattern}' found nothing{where[pattern]}" for pattern in missing)
        return found

    def _add(self, pattern: str, found: dict[Path, Path]) -> bool:
        """Add what one pattern finds; whether that is anything."""
        anything = False
        for path, name in self._named(os.path.normpath(pattern)):
            for each, kept in self._below(_real(path), name):
                anything = True
                if found.setdefault(kept, each) != each:
                    raise BadArtifact(f"'{found[kept]}' and '{each}' would both be kept as '{kept}'")
        return anything

    def _named(self, pattern: str) -> Iterator[tuple[Path, Path]]:
        """What a pattern names, and the path under which each is kept: its own, or the last part of an absolute one."""
        whole = self.top / pattern
        if Path(pattern).is_absolute():
            yield from ((path, Path(path.name)) for path in self._matches(whole, Path(whole.anchor)))
            return
        for path in self._matches(whole, self.top):
            if not _real(path).is_relative_to(self.top):
                raise BadArtifact(f"artifact '{pattern}' leads out of {self.cwd}")
            yield path, path.relative_to(self.top)

    def _matches(self, whole: Path, base: Path) -> Iterator[Path]:
        """One that is there as it is written, also with a bracket in its name; else what the pattern fits."""
        if os.path.lexists(whole):
            return iter((whole,))
        return self._fits(base, whole.relative_to(base).parts)

    def _fits(self, directory: Path, parts: Sequence[str]) -> Iterator[Path]:
        if not parts:
            yield directory
            return
        first, rest = parts[0], parts[1:]
        if first == "**":
            yield from self._fits(directory, rest)
            for entry in self._entries(directory):
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                    yield from self._fits(directory / entry.name, parts)
        elif _MAGIC.search(first):
            for entry in self._entries(directory):
                hidden = entry.name.startswith(".") and not first.startswith(".")
                if not hidden and fnmatch.fnmatchcase(entry.name, first):
                    yield from self._fits(directory / entry.name, rest)
        elif os.path.lexists(directory / first):
            yield from self._fits(directory / first, rest)

    def _entries(self, directory: Path) -> Sequence[os.DirEntry[str]]:
        """What lies in a directory, by name; nothing, where it is none or may not be read."""
        _go_on(self.halt)
        if directory == self.runs:
            return ()
        try:
            with os.scandir(directory) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError:
            return ()

    def _below(self, path: Path, name: Path) -> Iterator[tuple[Path, Path]]:
        """A path and all that lies below it, each with the path under which it is kept. Raises OSError."""
        pile = [(path, name)] if path.exists() else []
        while pile:
            _go_on(self.halt)
            path, name = pile.pop()
            if self.runs is not None and path.is_relative_to(self.runs):
                continue
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode):
                pile += [(each, name / each.name) for each in path.iterdir()]
            if stat.S_ISDIR(mode) or stat.S_ISREG(mode) or stat.S_ISLNK(mode):
                yield path, name


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve raises where links go round


def _go_on(halt: threading.Event) -> None:
    if halt.is_set():
        raise _Halted


def _copy(found: Mapping[Path, Path], fresh: Path, halt: threading.Event) -> None:
    fresh.mkdir(parents=True, exist_ok=True)
    for name, path in found.items():
        _go_on(halt)
        target = fresh / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            target.symlink_to(path.readlink())
        elif path.is_dir():
            target.mkdir(exist_ok=True)
        else:
            _copy_file(path, target, halt)
    _go_on(halt)


def _copy_file(path: Path, target: Path, halt: threading.Event) -> None:
    with (
        open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW)) as source,
        target.open("xb") as copy,
    ):
        while chunk := source.read(_CHUNK):
            _go_on(halt)
            copy.write(chunk)
        os.fchmod(copy.fileno(), stat.S_IMODE(os.fstat(source.fileno()).st_mode) & 0o777)


def _put(fresh: Path, directory: Path, own: Path) -> None:
    """Give what was copied its name, at once; what the body itself has put there stays beside it."""
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
