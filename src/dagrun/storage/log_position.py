"""Reads logs in blocks, whatever their size: their last lines, their text, and their end as `test.3.log:41`."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from dagrun.storage import disk

#: Larger logs are named without a line number: counting would take too long.
MAX_COUNTED_BYTES: Final = 64 * 1024 * 1024

#: What `log_tail` of a task has.
TAIL_LINES: Final = 20
TAIL_BYTES: Final = 16 * 1024

BLOCK: Final = 64 * 1024


def _opened(path: Path) -> BinaryIO:
    return os.fdopen(disk.open_to_read(path), "rb")


def tail_start(path: Path, lines: int) -> int:
    """The offset of the last `lines` lines of a file; reads blocks from its end. Raises OSError."""
    with _opened(path) as file:
        size = at = file.seek(0, os.SEEK_END)
        if lines <= 0:
            return size
        while at > 0:
            start = max(0, at - BLOCK)
            file.seek(start)
            block = file.read(at - start)
            end = len(block)
            if at == size and block.endswith(b"\n"):  # the end of the last line
                end -= 1
            while (end := block.rfind(b"\n", 0, end)) >= 0:
                lines -= 1
                if not lines:
                    return start + end + 1
            at = start
    return 0


def text_blocks(path: Path, start: int = 0) -> Iterator[str]:
    """The text of a file from an offset on, in blocks; invalid UTF-8 is replaced. Raises OSError."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    with _opened(path) as file:
        file.seek(start)
        while block := file.read(BLOCK):
            yield decoder.decode(block)
        yield decoder.decode(b"", final=True)


def prefixed(texts: Iterable[str], prefix: str) -> Iterator[str]:
    """Text with a prefix before each line; the last line gets a line end too."""
    begun, held = False, ""
    for text in texts:
        text = held + text
        held = text[-1:] if text.endswith("\r") else ""  # a "\n" may follow
        shown = text[: len(text) - len(held)]
        for line, whole in zip(shown.splitlines(), shown.splitlines(keepends=True), strict=True):
            ends = len(line) < len(whole)
            yield ("" if begun else prefix) + line + ("\n" if ends else "")
            begun = not ends
    if begun or held:
        yield ("" if begun else prefix) + "\n"


def last_text(path: Path, most: int) -> str:
    """The last `most` bytes of a file as text. Raises OSError."""
    with _opened(path) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - most))
        return file.read(most).decode("utf-8", "replace")


def last_lines(path: Path, lines: int = TAIL_LINES, most: int = TAIL_BYTES) -> str | None:
    """The last `lines` lines of a log, at most `most` bytes of them; None if there is no log, or it is empty."""
    try:
        text = last_text(path, most)
    except OSError:
        return None
    return "\n".join(text.splitlines()[-lines:]) or None


def log_end(path: Path) -> str:
    """The name of a log and the number of its last line; the name alone if it is very large, empty if the log is empty."""
    try:
        if path.stat().st_size >= MAX_COUNTED_BYTES:
            return path.name
        lines, last = _count(path)
    except OSError:
        return ""
    lines += last not in (b"", b"\n")
    return f"{path.name}:{lines}" if lines else ""


def _count(path: Path) -> tuple[int, bytes]:
    """The number of line ends in the file, and its last byte."""
    lines, last = 0, b""
    with _opened(path) as file:
        while chunk := file.read(1 << 20):
            lines += chunk.count(b"\n")
            last = chunk[-1:]
    return lines, last
