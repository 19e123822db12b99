"""The paths below the directory of a run, and file names for names from documents."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from dagrun.core.work import Attempt

_UNSAFE = re.compile(rb"[^a-z0-9_.-]")
_SAFE = re.compile(r"[a-z0-9_-][a-z0-9_.-]*")
_LONGEST = 150


def file_name(name: str) -> str:
    """`name` as a file name: everything outside [a-z0-9_.-] percent-encoded; over 150 bytes truncated, with a hash.

    Two names never share a file, even if the file system ignores case.
    """
    if len(name) <= _LONGEST and _SAFE.fullmatch(name):
        return name
    data = name.encode()
    safe = _UNSAFE.sub(lambda match: f"%{match[0][0]:02X}".encode(), data).decode()
    if safe in (".", ".."):
        safe = safe.replace(".", "%2E")
    if len(safe) > _LONGEST:
        # Only truncated names have a '%' without hex digits after it, so no other name can be the same.
        safe = safe[: _LONGEST - 18] + "%-" + hashlib.sha256(data).hexdigest()[:16]
    return safe


class RunLayout:
    """The paths of one run."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.journal = directory / "events.jsonl"
        self.dag = directory / "dag.json"
        self.lock = directory / "lock"
        self.bodies_lock = directory / "bodies.lock"
        self.inbox = directory / "inbox"
        self.logs = directory / "logs"
        self.artifacts = directory / "artifacts"
        self.outputs = directory / "outputs"
        self.scratch = directory / "scratch"
        self._texts = tuple(map(str, (self.logs, self.artifacts, self.outputs, self.scratch, directory)))

    def attempt(self, run_id: str, task_id: str, number: int, timeout: float | None) -> Attempt:
        """An attempt with its paths."""
        name = file_name(task_id)
        logs, artifacts, outputs, scratch, directory = self._texts
        return Attempt(
            run_id=run_id, task_id=task_id, number=number, timeout=timeout, log=f"{logs}/{name}.{number}.log",
            artifacts=f"{artifacts}/{name}", outputs=f"{outputs}/{name}.{number}.json",
            scratch=f"{scratch}/{name}.{number}", directory=directory,
        )  # fmt: skip

    def log(self, task_id: str, attempt: int) -> Path:
        """The log of one attempt."""
        return self.logs / f"{file_name(task_id)}.{attempt}.log"
