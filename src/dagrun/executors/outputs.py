"""Files that bodies leave behind: outputs that are too large for an event, and logs."""

from __future__ import annotations

import contextlib
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
    """The file to which the worker with this process id lets its quick bodies print."""
    return f"{directory}/worker.{pid}.log"


def keep_spool(log: str, scratch: str, pid: int) -> None:
    """A worker has died: what its last body has printed to the file of `spool_path` becomes the body's log."""
    spool = Path(spool_path(scratch.rpartition("/")[0], pid))
    with contextlib.suppress(OSError):
        if spool.stat().st_size:
            spool.rename(log)


def store(path: Path, data: bytes) -> Blob:
    """Write outputs to a file, which exists completely or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".tmp")
    digest = hashlib.sha256()
    hashing = Thread(
        target=digest.update, args=(data,)
    )  # while the file is written; neither needs the interpreter lock
    hashing.start()
    try:
        fresh.unlink(missing_ok=True)  # a body may have put something there
        write_regular(fresh, data)
    finally:
        hashing.join()
    fresh.replace(path)
    return Blob(path.name, len(data), digest.hexdigest())


def open_existing_log(path: str) -> int:
    """The same for a log that exists. Raises FileNotFoundError and OSError."""
    return open_regular(path, os.O_WRONLY | os.O_APPEND)


def open_log(path: str) -> int:
    """A descriptor to append to a log. Raises OSError."""
    return open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
