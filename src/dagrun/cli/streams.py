"""Standard output and standard error of the command line, safe to print to whatever they are.

All that is printed passes through here, what Typer, argparse and Rich print included:

* A descriptor that is closed when dagrun starts is opened on /dev/null, so that no other file gets its number.
* A stream that is set to non-blocking, by another process that shares it, is waited for.
* Characters that the stream's encoding lacks are written as escapes (`\\xfc`).
* Control characters that come from a document, a name or a message are shown and not obeyed.
* A stream that can no longer be written to (`| head -1`, a full disk, a closed terminal) is lost: what is
  printed later goes nowhere. Losing stderr never matters. Losing stdout raises OutputLost, which ends a command that
  only prints; where a run or a scheduler goes on, `enduring` says that it must not.
* While a run is under way, `unhurried` keeps what nobody reads just now instead of waiting for the reader.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from _thread import RLock
from contextlib import contextmanager

from dagrun.errors import EnvironmentFailure, escaped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TextIO

#: Bytes that are kept for a reader who does not read while a run is under way. What comes then is dropped.
MOST_KEPT = 1024 * 1024
#: At most this much is written at once to a stream that must not block: POSIX promises room for it.
_PIECE = 512


class OutputLost(EnvironmentFailure):
    """Standard output can no longer be written to, so that the command's answer is not complete."""

    def __init__(self, problem: OSError) -> None:
        super().__init__(
            f"cannot write to standard output: {problem.strerror or problem}",
            hint="the answer is not complete",
        )
        #: Nobody reads any more, as with `| head -1`: nothing to complain about.
        self.is_unread = problem.errno in (errno.EPIPE, errno.EIO)
        if self.is_unread:
            self.exit_code = 141  # as if SIGPIPE had ended the process


class _Descriptor(io.RawIOBase):
    """Writes to a file descriptor; it takes all that it is given, or loses the stream."""

    def __init__(self, fd: int, *, strict: bool, was_closed: bool) -> None:
        super().__init__()
        self.fd = fd
        self.strict = strict  # raise OutputLost when the stream is lost
        self.waits = True  # for a reader who is slow
        self.lost: OSError | None = None
        self.dropped = 0  # writes
        self._was_closed = was_closed
        self._left = bytearray()
        self._lock = RLock()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.fd

    def isatty(self) -> bool:
        return os.isatty(self.fd)

    def write(self, data: Any) -> int:
        with self._lock:
            if self.lost is None:
                if self._was_closed:
                    self._lose(OSError(errno.EBADF, "it is closed"))
                elif not self.waits and len(self._left) > MOST_KEPT:
                    self.dropped += 1
                else:
                    self._left += data
            self._drain()
        return len(data)

    def flush(self) -> None:
        with self._lock:
            self._drain()

    def forget(self) -> None:
        """In a forked process: what is left is the parent's."""
        self._left = bytearray()
        self._lock = RLock()

    def drain(self, patience: float) -> None:
        """Write what is left to a reader who may not read, in so many seconds at most."""
        import time

        deadline = time.monotonic() + patience
        with self._lock:
            while self._left and (rest := deadline - time.monotonic()) > 0 and self._has_room(rest):
                self._drain()
            self._left.clear()

    def _drain(self) -> None:
        while self._left:
            if not self.waits and not self._has_room(0):
                return
            try:
                # The whole of it: a terminal draws what comes in one write without flicker.
                written = os.write(self.fd, self._left if self.waits else self._left[:_PIECE])
            except BlockingIOError:
                if not self.waits:
                    return
                self._has_room(None)
                continue
            except OSError as problem:
                self._lose(problem)
                return
            del self._left[:written]
        if self.dropped:
            number, self.dropped = self.dropped, 0
            self._left += f"... {number} lines were left out: nobody read them in time\n".encode()

    def _has_room(self, seconds: float | None) -> bool:
        import select

        return bool(select.select([], [self.fd], [], seconds)[1])

    def _lose(self, problem: OSError) -> None:
        self.lost = problem
        self._left.clear()
        if self.strict:
            raise OutputLost(problem)


class _Text(io.TextIOWrapper):
    """Text for people: control characters are made visible, all but line ends, tabs and dagrun's own colours."""

    def __init__(self, raw: _Descriptor, encoding: str, *, by_line: bool) -> None:
        super().__init__(raw, encoding=encoding, errors="backslashreplace", line_buffering=by_line)  # type: ignore[arg-type]
        self.raw = raw
        self._keep = OWN_COLOURS if is_colourful(self) else ""

    def write(self, text: str) -> int:
        super().write(visible(text, self._keep))
        return len(text)

    def write_obeyed(self, text: str) -> int:
        """Write text whose control characters are meant."""
        return super().write(text)


def print_as_is(text: str) -> None:
    """Print what a task has printed to stdout: unchanged, but on a terminal nothing beyond colours is obeyed."""
    stream = sys.stdout
    if stream.isatty():
        text = visible(text.replace("\r\n", "\n"), ANY_COLOUR if is_colourful(stream) else "")
    getattr(stream, "write_obeyed", stream.write)(text)


class Obeyed:
    """A stream for Rich, whose control characters are meant."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.write = getattr(stream, "write_obeyed", stream.write)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def is_colourful(stream: TextIO) -> bool:
    """Whether colour is welcome: on a terminal, never with NO_COLOR."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


_streams: list[_Descriptor] = []


def install() -> None:
    """Make this process's standard streams safe. To be called before any file is opened that stays open."""
    closed = [fd for fd in (0, 1, 2) if _is_closed(fd)]
    for fd in closed:
        _open_on_nothing(fd)
    for fd, name in ((1, "stdout"), (2, "stderr")):
        raw = _Descriptor(fd, strict=fd == 1, was_closed=fd in closed)
        encoding = getattr(getattr(sys, name), "encoding", None) or "utf-8"
        setattr(sys, name, _Text(raw, encoding, by_line=fd == 2 or raw.isatty()))
        _streams.append(raw)
        os.register_at_fork(after_in_child=raw.forget)


def _is_closed(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return True
    return False


def _open_on_nothing(fd: int) -> None:
    try:
        null = os.open(os.devnull, os.O_RDWR)
    except OSError:  # no /dev here: a pipe that nobody reads keeps the number as well
        reader, null = os.pipe()
        if reader == fd:
            reader, null = null, reader
        os.close(reader)
    if null != fd:
        os.dup2(null, fd)
        os.close(null)
    os.set_inheritable(fd, True)


@contextmanager
def enduring() -> Iterator[None]:
    """Within the block a lost stdout stops nothing: the command does more than print."""
    with _changed("strict"):
        yield


@contextmanager
def unhurried(patience: float | None = None) -> Iterator[None]:
    """Within the block nothing waits for whoever reads the streams; what is not read in time is kept, up to a bound.

    After it the rest is written, in `patience` seconds at most.
    """
    try:
        with _changed("waits"):
            yield
    finally:
        for stream in _streams:
            if patience is None:
                stream.flush()
            else:
                stream.drain(patience)


@contextmanager
def _changed(attribute: str) -> Iterator[None]:
    before = [getattr(stream, attribute) for stream in _streams]
    for stream in _streams:
        setattr(stream, attribute, False)
    try:
        yield
    finally:
        for stream, value in zip(_streams, before, strict=True):
            setattr(stream, attribute, value)


def finish() -> int:
    """Write what is left of stdout, as the last thing a command does: 0, or the exit code for an incomplete answer."""
    try:
        sys.stdout.flush()
    except OutputLost as lost:
        return complain(lost)
    return 0


def complain(lost: OutputLost) -> int:
    """Say that the answer is not complete, unless it is its reader who has seen enough; the exit code."""
    if not lost.is_unread:
        print(f"Error: {lost.message}\n  {lost.hint}", file=sys.stderr)
    return lost.exit_code


def lost_output() -> OutputLost | None:
    """What became of stdout, if it can no longer be written to."""
    lost = next((stream.lost for stream in _streams if stream.fd == 1), None)
    return None if lost is None else OutputLost(lost)


#: The colours that dagrun uses, and every colour.
OWN_COLOURS = r"\x1b\[(?:[012]|3[1236])m"
ANY_COLOUR = r"\x1b\[[0-9;:]*m"
_CONTROLS = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"


def visible(text: str, keep: str = "") -> str:
    """The text with control characters as escapes: what would move the cursor, retitle the window or reverse a line.

    Line ends and tabs stay, and sequences that match the pattern `keep`.
    """
    if text.isprintable() or text.replace("\n", "").isprintable():
        return text
    import re  # not needed for most of what is printed

    if not keep:
        return re.sub(_CONTROLS, lambda match: escaped(match[0]), text)
    return re.sub(f"({keep})|{_CONTROLS}", lambda match: match[1] or escaped(match[0]), text)
