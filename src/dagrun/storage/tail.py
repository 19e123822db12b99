"""Following files of lines that grow: only what is new is read, and the last lines without those before them.

follower = Follower(path)
while True:
    while lines := follower.poll():
        ...
    time.sleep(PAUSE)

There is no inotify in here: it says nothing on network and container mounts, and asking costs three system calls.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from itertools import chain, count
from pathlib import Path

from dagrun.core.work import Json
from dagrun.errors import EnvironmentFailure
from dagrun.storage import disk, jsonl

POLL_INTERVAL = 0.1  # seconds between two looks at a file
BLOCK = 64 * 1024  # bytes that are read at once from the end of a file
_CHUNK = 1024 * 1024  # and from its front
MAX_LINE_BYTES = 64 * 1024 * 1024  # bytes of a line; a longer one is handed out in pieces
_FORMER = (
    2  # replaced files that are still looked at: a run that is alive writes on to the file it has opened
)


class Follower:
    """The lines of one file, each once, without their ends. The file need not be there yet.

    A last line that has no end yet waits for it. A file that was replaced (by rename, as logrotate does) is
    finished, then the new one is read from its start; one that was cut short is read from its start again.
    """

    def __init__(self, path: Path, longest: int | None = None) -> None:
        self.path = path
        self.longest = longest or MAX_LINE_BYTES
        #: How often the file was replaced or cut short.
        self.restarts = 0
        self._files: list[_FollowedFile] = []
        self._read_before = 0

    @property
    def bytes_read(self) -> int:
        """All that was ever read: following costs what was added, whatever lies before it."""
        return self._read_before + sum(file.bytes_read for file in self._files)

    def poll(self) -> list[bytes]:
        """New whole lines, about a mebibyte of them at most; empty when there are none for now."""
        self._look()
        for file in self._files:
            if found := file.lines():
                return found
        return []

    def backwards(self) -> Iterator[bytes]:
        """The whole lines that are there, the newest first, read as far back as they are asked for.

        Files that were put aside come after the one that bears the name. `poll` goes on after all of them.
        """
        self._look()
        # At once, not when the first line is asked for: `poll` goes on after what is there now.
        newest = self._files[-1].backwards() if self._files else iter(())
        return chain(newest, self._former_backwards())

    def _former_backwards(self) -> Iterator[bytes]:
        for file in _rotated_files(self.path):
            try:
                if not any(file.is_same(other) for other in self._files):
                    whole, rest = file.backwards(), file.take_rest()
                    yield from chain([rest] if rest else [], whole)
            finally:
                self._read_before += file.bytes_read
                file.close()

    def finish(self) -> list[bytes]:
        """The last lines that have no end, for when none will come."""
        return [rest for file in self._files if (rest := file.take_rest())]

    def close(self) -> None:
        """Let go of the file. A later `poll` opens it again and goes on where this one stopped."""
        for file in self._files:
            file.close()

    def _look(self) -> None:
        """Open the file if it is new, and see whether the last one was cut short."""
        try:
            status = self.path.stat()
            if not self._files:
                self._files.append(_FollowedFile(self.path, self.longest))
            elif not self._files[-1].is_at(status):
                self.restarts += 1
                self._files += [*self._passed_over(), _FollowedFile(self.path, self.longest)]
                self._forget()
            self.restarts += self._files[-1].starts_again(status)
        except FileNotFoundError:  # not there yet, or renamed and not replaced yet
            return
        except OSError as error:
            raise EnvironmentFailure(f"cannot read {self.path}: {error.strerror}") from error

    def _passed_over(self) -> list[_FollowedFile]:
        """Files that came and were put aside since the last look, oldest first."""
        found: list[_FollowedFile] = []
        for file in _rotated_files(self.path):
            if file.is_same(self._files[-1]):
                file.close()
                return found[::-1]
            if any(file.is_same(other) for other in found):
                file.close()  # it was renamed while we looked
            else:
                found.append(file)
        for file in found:  # none of them is known: it was put aside by another name, or long ago
            file.close()
        return []

    def _forget(self) -> None:
        """Let go of what was replaced long ago and read, and of what cannot be found again under its name."""
        *former, newest = self._files
        recent = former[-_FORMER:]
        kept = [file for file in former if file.is_open and (file in recent or file.has_more())]
        for file in former:
            if file not in kept:
                self._read_before += file.bytes_read
                file.close()
        self._files = [*kept, newest]


class _FollowedFile:
    """One file, whatever it is called by now: how far it was read, and what a line without its end has so far."""

    def __init__(self, path: Path, longest: int | None = None) -> None:
        self.path = path
        self.longest = longest or MAX_LINE_BYTES
        self.offset = 0
        self.bytes_read = 0
        self._rest: list[bytes] = []
        self._fd: int | None = None
        status = os.fstat(self._open())
        self._identity = (status.st_dev, status.st_ino)

    @property
    def is_open(self) -> bool:
        return self._fd is not None

    def is_at(self, status: os.stat_result) -> bool:
        """Whether this is the file that now bears the name. An open file's number is given to no other."""
        return (status.st_dev, status.st_ino) == self._identity

    def is_same(self, other: _FollowedFile) -> bool:
        """Whether both are one file."""
        return self._identity == other._identity

    def has_more(self) -> bool:
        """Whether there is something that was not read."""
        return os.fstat(self._open()).st_size > self.offset

    def starts_again(self, status: os.stat_result) -> bool:
        """Begin at the start again if the file has become shorter than what was read of it."""
        if status.st_size >= self.offset:
            return False
        self.offset = 0
        self._rest.clear()
        return True

    def lines(self) -> list[bytes]:
        """Whole lines that are new."""
        while data := self._read(_CHUNK, self.offset):
            self.offset += len(data)
            *whole, rest = data.split(b"\n")
            if whole:
                whole[0] = self.take_rest() + whole[0]
            if rest:
                self._rest.append(rest)
            if sum(map(len, self._rest)) > self.longest:
                whole.append(self.take_rest())
            if whole:
                return whole
        return []

    def take_rest(self) -> bytes:
        """What there is of a line without its end."""
        rest = b"".join(self._rest)
        self._rest.clear()
        return rest

    def backwards(self) -> Iterator[bytes]:
        at = self.offset = os.fstat(self._open()).st_size
        blocks: list[bytes] = []
        while at > 0 and not (blocks and b"\n" in blocks[-1]):
            at, block = self._before(at)
            blocks.append(block)
        head, end, rest = b"".join(reversed(blocks)).rpartition(b"\n")
        self._rest = [rest] if rest else []
        return self._lines_before(at, head) if end else iter(())

    def _lines_before(self, at: int, block: bytes) -> Iterator[bytes]:
        """The lines of a block whose last line is whole, then those before position `at`, where it begins."""
        pieces: list[bytes] = []  # of the line whose start has not been read yet, from the back
        while True:
            first, *others = block.split(b"\n")
            if others:
                pieces.append(others.pop())
                yield b"".join(reversed(pieces))
                yield from reversed(others)
                pieces.clear()
            pieces.append(first)
            if at == 0:
                break
            at, block = self._before(at)
        yield b"".join(reversed(pieces))

    def _before(self, at: int) -> tuple[int, bytes]:
        size = min(BLOCK, at)
        return at - size, self._read(size, at - size)

    def _read(self, size: int, offset: int) -> bytes:
        data = os.pread(self._open(), size, offset)
        self.bytes_read += len(data)
        return data

    def _open(self) -> int:
        if self._fd is None:
            self._fd = disk.open_to_read(self.path)
        return self._fd

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _rotated_files(path: Path) -> Iterator[_FollowedFile]:
    """The files that once bore the name, newest first."""
    for number in count(1):
        try:
            yield _FollowedFile(jsonl.rotated_path(path, number))
        except OSError:
            return


class FileTail:
    """The events on the lines of a file: the last of those that are there, then those that come.

    With `names` only the events of these names. Lines that are none are left out and counted.
    """

    def __init__(self, path: Path, names: Collection[str] = ()) -> None:
        self.corrupt = 0
        self._lines = Follower(path)
        self._names = frozenset(names)
        self._needles = [name.encode() for name in names]

    @property
    def bytes_read(self) -> int:
        """All that was read so far."""
        return self._lines.bytes_read

    def last(self, limit: int) -> list[dict[str, Json]]:
        """The last `limit` events that are there, oldest first; `poll` goes on after them."""
        found: list[dict[str, Json]] = []
        newest_first = self._lines.backwards()
        while len(found) < limit and (line := next(newest_first, None)) is not None:
            found.extend(self._events([line]))
        return found[::-1]

    def poll(self) -> list[dict[str, Json]]:
        """New events, some at a time; empty when there are none for now."""
        while read := self._lines.poll():
            if found := list(self._events(read)):
                return found
        return []

    def finish(self) -> list[dict[str, Json]]:
        """What a last line without its end holds, for when the end will not come."""
        return list(self._events(self._lines.finish()))

    def close(self) -> None:
        """Let go of the file."""
        self._lines.close()

    def _events(self, read: Iterable[bytes]) -> Iterator[dict[str, Json]]:
        for line in read:
            if not line.strip() or self._is_surely_another(line):
                continue
            value = jsonl.parse(line)
            if value is None or not isinstance(value.get("event"), str):
                self.corrupt += 1
            elif not self._names or value["event"] in self._names:
                yield value

    def _is_surely_another(self, line: bytes) -> bool:
        """A whole line that does not even contain a wanted name: seen at a tenth of the cost of reading it."""
        whole = line.startswith(jsonl.START) and line.endswith(b"}")
        return bool(self._needles) and whole and not any(needle in line for needle in self._needles)
