"""What bodies leave behind besides facts: outputs that are too large for one, and what they print."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

from dagrun.blobs import open_regular, write_regular
from dagrun.core.work import INLINE_BYTES as INLINE_BYTES
from dagrun.core.work import Blob
from dagrun.masking import Masker


def note(log: str, masks: Sequence[str], sentence: str) -> None:
    """Add a line of dagrun's own to the log of an attempt. Raises OSError."""
    line = f"dagrun: {Masker(masks).text(sentence)}\n"
    with open(open_log(log), "wb") as file:
        file.write(line.encode("utf-8", "backslashreplace"))


def spool_path(directory: str, pid: int) -> str:
    """Where the worker with this process id spools what its quick bodies print."""
    return f"{directory}/worker.{pid}.log"


def store(path: Path, data: bytes) -> Blob:
    """Write outputs so that they are there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".tmp")
    digest = hashlib.sha256()
    hashing = Thread(target=digest.update, args=(data,))  # while the file is written: both leave Python alone
    hashing.start()
    try:
        fresh.unlink(missing_ok=True)  # whatever a body has put there
        write_regular(fresh, data)
    finally:
        hashing.join()
    fresh.replace(path)
    return Blob(path.name, len(data), digest.hexdigest())


def open_log(path: str) -> int:
    """A log to append to. Raises OSError."""
    return open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
