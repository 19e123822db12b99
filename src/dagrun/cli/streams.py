"""Standard output and standard error of the command line, for every kind of file they may be.

All output passes through here, including that of Typer and Rich:

* A descriptor that is closed when dagrun starts is opened on /dev/null, so that no other file gets its number.
* A stream that another process has set to non-blocking is waited for.
* Characters that the encoding of the stream lacks are escaped (`\\xfc`).
* Control characters in documents, names and messages are escaped.
* A stream that cannot be written to any more (`| head -1`, a full disk, a closed terminal) is lost: later output is
  dropped. A lost stderr is ignored. A lost stdout raises OutputLost, which ends a command that only prints. Within
  `enduring` it does not, because a run or a scheduler must continue.
* Within `unhurried`, output that nobody reads is kept instead of waiting for the reader.
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

#: Bytes that are kept for a slow reader within `unhurried`. Later output is dropped.
MAX_KEPT = 1024 * 1024
#: Bytes per write to a stream that must not block: POSIX guarantees room for them.
_PIECE = 512


class OutputLost(EnvironmentFailure):
    """Standard output cannot be written to any more, so the answer of the command is incomplete."""

    def __init__(self, problem: OSError) -> None:
        super().__init__(
            f"cannot write to standard output: {problem.strerror or problem}",
            hint="the answer is incomplete",
        )
        #: The reader has seen enough, as with `| head -1`: no reason for an error message.
        self.is_unread = problem.errno in (errno.EPIPE, errno.EIO)
        if self.is_unread:
            self.exit_code = 141  # as if SIGPIPE had ended the process


class Descriptor(io.RawIOBase):
    """Writes to a file descriptor. It accepts everything, or loses the stream."""

    def __init__(self, fd: int, *, strict: bool, was_closed: bool) -> None:
        super().__init__()
        self.fd = fd
        self.strict = strict  # raise OutputLost when the stream is lost
        self.waits = True  # for a slow reader
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
                elif not self.waits and len(self._left) > MAX_KEPT:
                    self.dropped += 1
                else:
                    self._left += data
            self._drain()
        return len(data)

    def flush(self) -> None:
        with self._lock:
            self._drain()

    def forget(self) -> None:
        """In a forked process: unwritten output belongs to the parent."""
        self._left = bytearray()
        self._lock = RLock()

    def drain(self, patience: float) -> None:
        """Write what is left, for at most `patience` seconds, because the reader may not read."""
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
                # All at once: a terminal draws one write without flicker.
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


class TextStream(io.TextIOWrapper):
    """Text for people: control characters are escaped, except line ends, tabs and dagrun's own colours."""

    def __init__(self, raw: Descriptor, encoding: str, *, by_line: bool) -> None:
        super().__init__(raw, encoding=encoding, errors="backslashreplace", line_buffering=by_line)  # type: ignore[arg-type]
        self.raw = raw
        self._keep = OWN_COLOURS if is_colourful(self) else ""

    def write(self, text: str) -> int:
        super().write(visible(text, self._keep))
        return len(text)

    def write_obeyed(self, text: str) -> int:
        """Write text with its control characters."""
        return super().write(text)


def print_as_is(text: str) -> None:
    """Print the output of a task to stdout: unchanged, but on a terminal only its colours take effect."""
    stream = sys.stdout
    if stream.isatty():
        text = visible(text.replace("\r\n", "\n"), ANY_COLOUR if is_colourful(stream) else "")
    getattr(stream, "write_obeyed", stream.write)(text)


class Obeyed:
    """A stream for Rich, which passes control characters on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.write = getattr(stream, "write_obeyed", stream.write)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def is_colourful(stream: TextIO) -> bool:
    """Whether to print colours: on a terminal, never with NO_COLOR."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


_streams: list[Descriptor] = []


def install() -> None:
    """Replace the standard streams of this process. Call this before opening any file that stays open."""
    closed = [fd for fd in (0, 1, 2) if _is_closed(fd)]
    for fd in closed:
        open_on_nothing(fd)
    for fd, name in ((1, "stdout"), (2, "stderr")):
        raw = Descriptor(fd, strict=fd == 1, was_closed=fd in closed)
        encoding = getattr(getattr(sys, name), "encoding", None) or "utf-8"
        setattr(sys, name, TextStream(raw, encoding, by_line=fd == 2 or raw.isatty()))
        _streams.append(raw)
        os.register_at_fork(after_in_child=raw.forget)


def _is_closed(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return True
    return False


def open_on_nothing(fd: int) -> None:
    """Open a closed descriptor, so that no file gets its number: what is written to it is lost, and it reads as empty."""
    try:
        null = os.open(os.devnull, os.O_RDWR)
    except OSError:  # there is no /dev: an unused pipe occupies the number as well
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
    """Within the block a lost stdout is ignored: the command does more than print."""
    with _changed("strict"):
        yield


@contextmanager
def unhurried(patience: float | None = None) -> Iterator[None]:
    """Within the block nothing waits for the readers of the streams. Unread output is kept, up to a limit.

    After the block the rest is written, for at most `patience` seconds; None means no limit.
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
    """Write the rest of stdout at the end of a command. Returns 0, or the exit code for an incomplete answer."""
    try:
        sys.stdout.flush()
    except OutputLost as lost:
        return complain(lost)
    return 0


def complain(lost: OutputLost) -> int:
    """Print an error, unless the reader has seen enough. Returns the exit code."""
    if not lost.is_unread:
        print(f"Error: {lost.message}\n  {lost.hint}", file=sys.stderr)
    return lost.exit_code


def lost_output() -> OutputLost | None:
    """Why stdout cannot be written to any more; None while it can."""
    lost = next((stream.lost for stream in _streams if stream.fd == 1), None)
    return None if lost is None else OutputLost(lost)


#: Patterns for the colours that dagrun uses, and for every colour.
OWN_COLOURS = r"\x1b\[(?:[012]|3[1236])m"
ANY_COLOUR = r"\x1b\[[0-9;:]*m"
_CONTROLS = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"


def visible(text: str, keep: str = "") -> str:
    """The text with escaped control characters, which could move the cursor, retitle the window or reverse a line.

    Line ends, tabs and sequences that match the pattern `keep` are not changed.
    """
    if text.isprintable() or text.replace("\n", "").isprintable():
        return text
    import re  # rarely needed

    if not keep:
        return re.sub(_CONTROLS, lambda match: escaped(match[0]), text)
    return re.sub(f"({keep})|{_CONTROLS}", lambda match: match[1] or escaped(match[0]), text)
