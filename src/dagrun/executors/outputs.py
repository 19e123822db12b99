"""What bodies leave behind besides facts: outputs that are too large for one, and what they print."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from threading import Thread

from dagrun.masking import Masker
from dagrun.work import INLINE_BYTES as INLINE_BYTES
from dagrun.work import Blob, Json, Work


def note(work: Work, sentence: str) -> None:
    """Say something in the attempt's log, on a line of its own. Raises OSError."""
    log = os.open(work.attempt.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        line = f"dagrun: {Masker(work.masks).text(sentence)}\n"
        os.write(log, line.encode("utf-8", "backslashreplace"))
    finally:
        os.close(log)


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
        fresh.write_bytes(data)
    finally:
        hashing.join()
    fresh.replace(path)
    return Blob(path.name, len(data), digest.hexdigest())


def load(path: Path) -> dict[str, Json]:
    """Outputs that were stored."""
    # From text: given bytes, `json` first guesses their encoding, and decodes them more slowly than this.
    outputs: dict[str, Json] = json.loads(path.read_bytes().decode())
    return outputs
