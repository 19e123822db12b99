"""Where an attempt's log ends, as people name a place in a file: `test.3.log:41`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

#: Larger logs are named without a line: counting would take longer than anybody waits.
MOST_BYTES: Final = 64 * 1024 * 1024


def log_end(path: Path) -> str:
    """The log's name and the number of its last line; the name alone when it is too large to count, nothing when nothing was printed."""
    try:
        if path.stat().st_size >= MOST_BYTES:
            return path.name
        lines, last = _count(path)
    except OSError:
        return ""
    lines += last not in (b"", b"\n")
    return f"{path.name}:{lines}" if lines else ""


def _count(path: Path) -> tuple[int, bytes]:
    """The line ends in the file, and its last byte."""
    lines, last = 0, b""
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            lines += chunk.count(b"\n")
            last = chunk[-1:]
    return lines, last
