"""What bodies leave behind besides facts: outputs that are too large for one, and what they print."""

from __future__ import annotations

import hashlib
from pathlib import Path

from dagrun.work import INLINE_BYTES as INLINE_BYTES
from dagrun.work import Blob


def spool_path(directory: str, pid: int) -> str:
    """Where the worker with this process id spools what its quick bodies print."""
    return f"{directory}/worker.{pid}.log"


def store(path: Path, data: bytes) -> Blob:
    """Write outputs so that they are there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".tmp")
    fresh.write_bytes(data)
    fresh.replace(path)
    return Blob(path.name, len(data), hashlib.sha256(data).hexdigest())
