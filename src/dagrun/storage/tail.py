"""Follows files of lines as they grow, reading only what is new, and reads their last lines without those before.

follower = Follower(path)
while True:
    while lines := follower.poll():
        ...
    time.sleep(PAUSE)

It polls: inotify reports nothing on network and container mounts, and a look costs three system calls.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from itertools import chain, count
from pathlib import Path

from dagrun.core.work import Json
from dagrun.errors import EnvironmentFailure
from dagrun.storage import disk, jsonl

POLL_INTERVAL = 0.1  # seconds between two polls of a file
BLOCK = 64 * 1024  # bytes that are read at once from the end of a file
CHUNK_BYTES = 1024 * 1024  # and from its front
MAX_LINE_BYTES = 64 * 1024 * 1024  # a longer line is returned in pieces
_FORMER = 2  # how many replaced files are still polled: live runs keep writing to the file that they opened


class Follower:
    """The lines of one file, each once, without line ends. The file may not exist yet.

    A last line without a line end is returned once it has one. If the file is replaced (renamed, as logrotate does), the
    old one is read to its end, then the new one from its start; if it is truncated, it is read from its start again.
    """

    def __init__(self, path: Path, longest: int | None = None) -> None:
        self.path = path
        self.longest = longest or MAX_LINE_BYTES
        #: How often the file was replaced or truncated.
        self.restarts = 0
        self._files: list[_FollowedFile] = []
        self._read_before = 0

    @property
    def bytes_read(self) -> int:
        """How many bytes were ever read."""
        return self._read_before + sum(file.bytes_read for file in self._files)

    def poll(self) -> list[bytes]:
        """New complete lines, about one mebibyte at most; empty if there are none yet."""
        self._check_files()
        for file in self._files:
            if found := file.lines():
                return found
        return []

    def backwards(self) -> Iterator[bytes]:
        """The complete lines, the newest first, read only as far back as the caller iterates.

        Rotated files follow the current one. `poll` continues after all of them.
        """
        self._check_files()
        # Now, not when the first line is asked for: `poll` continues after the present end.
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
        """The last lines without a line end, if no more will be written."""
        return [rest for file in self._files if (rest := file.take_rest())]

    def close(self) -> None:
        """Close the files. A later `poll` opens them again and continues."""
        for file in self._files:
            file.close()

    def _check_files(self) -> None:
        """Open the file if it is new, and detect whether it was truncated."""
        try:
            status = self.path.stat()
            if not self._files:
                self._files.append(_FollowedFile(self.path, self.longest))
            elif not self._files[-1].is_at(status):
                self.restarts += 1
                self._files += [*self._missed_files(), _FollowedFile(self.path, self.longest)]
                self._forget()
            self.restarts += self._files[-1].starts_again(status)
        except FileNotFoundError:  # not created yet, or renamed and not replaced yet
            return
        except OSError as error:
            raise EnvironmentFailure(f"cannot read {self.path}: {error.strerror}") from error

    def _missed_files(self) -> list[_FollowedFile]:
        """Files that were created and rotated since the last poll, oldest first."""
        found: list[_FollowedFile] = []
        for file in _rotated_files(self.path):
            if file.is_same(self._files[-1]):
                file.close()
                return found[::-1]
            if any(file.is_same(other) for other in found):
                file.close()  # it was renamed meanwhile
            else:
                found.append(file)
        for file in found:  # the known file is not among them: it was renamed differently, or long ago
            file.close()
        return []

    def _forget(self) -> None:
        """Close files that were replaced long ago and read, or that cannot be found by name again."""
        *former, newest = self._files
        recent = former[-_FORMER:]
        kept = [file for file in former if file.is_open and (file in recent or file.has_more())]
        for file in former:
            if file not in kept:
                self._read_before += file.bytes_read
                file.close()
        self._files = [*kept, newest]


class _FollowedFile:
    """One file, whatever its name is now: the position up to which it was read, and the start of an incomplete line."""

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
        """Whether this file has the name now. The inode of an open file is not reused."""
        return (status.st_dev, status.st_ino) == self._identity

    def is_same(self, other: _FollowedFile) -> bool:
        """Whether both are the same file."""
        return self._identity == other._identity

    def has_more(self) -> bool:
        """Whether not all of it was read."""
        return os.fstat(self._open()).st_size > self.offset

    def starts_again(self, status: os.stat_result) -> bool:
        """Start again if the file is now shorter than what was read of it."""
        if status.st_size >= self.offset:
            return False
        self.offset = 0
        self._rest.clear()
        return True

    def lines(self) -> list[bytes]:
        """New complete lines."""
        while data := self._read(CHUNK_BYTES, self.offset):
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
        """The part of an incomplete line that was read."""
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
        """The lines of a block whose last line is complete, then those before its start at position `at`."""
        pieces: list[bytes] = []  # of the line whose start was not read yet, last piece first
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
    """The rotated files, newest first."""
    for number in count(1):
        try:
            yield _FollowedFile(jsonl.rotated_path(path, number))
        except OSError:
            return


class FileTail:
    """The events of a file: the last ones, then those that are added.

    With `names` only events with these names. Lines that are no events are left out and counted.
    """

    def __init__(self, path: Path, names: Collection[str] = ()) -> None:
        self.corrupt = 0
        self._lines = Follower(path)
        self._names = frozenset(names)
        self._needles = [name.encode() for name in names]

    @property
    def bytes_read(self) -> int:
        """How many bytes were read so far."""
        return self._lines.bytes_read

    def last(self, limit: int) -> list[dict[str, Json]]:
        """The last `limit` events, oldest first; `poll` continues after them."""
        found: list[dict[str, Json]] = []
        newest_first = self._lines.backwards()
        while len(found) < limit and (line := next(newest_first, None)) is not None:
            found.extend(self._events([line]))
        return found[::-1]

    def poll(self) -> list[dict[str, Json]]:
        """Some of the new events; empty if there are none yet."""
        while read := self._lines.poll():
            if found := list(self._events(read)):
                return found
        return []

    def finish(self) -> list[dict[str, Json]]:
        """The event on a last line without a line end, if no more will be written."""
        return list(self._events(self._lines.finish()))

    def close(self) -> None:
        """Close the file."""
        self._lines.close()

    def _events(self, read: Iterable[bytes]) -> Iterator[dict[str, Json]]:
        for line in read:
            if not line.strip() or self._has_other_name(line):
                continue
            value = jsonl.parse(line)
            if value is None or not isinstance(value.get("event"), str):
                self.corrupt += 1
            elif not self._names or value["event"] in self._names:
                yield value

    def _has_other_name(self, line: bytes) -> bool:
        """Whether a complete line contains none of the names: a tenth of the cost of parsing it."""
        whole = line.startswith(jsonl.START) and line.endswith(b"}")
        return bool(self._needles) and whole and not any(needle in line for needle in self._needles)
