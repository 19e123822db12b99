"""The paths of the files of a run, and safe file names for the names in documents. Touches no file."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

_UNSAFE = re.compile(rb"[^a-z0-9_.-]")
_SAFE = re.compile(r"[a-z0-9_-][a-z0-9_.-]*")
_LONGEST = 150


def file_name(name: str) -> str:
    """`name` as a file name: bytes outside [a-z0-9_.-] are percent-encoded; a result over 150 bytes is cut and hashed.

    Two names never share a file, not even on a file system that ignores case.
    """
    if len(name) <= _LONGEST and _SAFE.fullmatch(name):
        return name
    data = name.encode()
    safe = _UNSAFE.sub(lambda match: f"%{match[0][0]:02X}".encode(), data).decode()
    if safe in (".", ".."):
        safe = safe.replace(".", "%2E")
    if len(safe) > _LONGEST:
        # An uncut name never has '%' before anything but hex digits, so it cannot equal a cut one.
        safe = safe[: _LONGEST - 18] + "%-" + hashlib.sha256(data).hexdigest()[:16]
    return safe


@dataclass(frozen=True, slots=True)
class AttemptPaths:
    """The files of one attempt, as text, because they are used as text for every task.

    `artifacts` belongs to the task and is the same for all its attempts. Files that only the attempt itself needs have
    names that begin with `scratch`. `directory` is the directory of the run.
    """

    log: str
    artifacts: str
    outputs: str
    scratch: str
    directory: str


class RunLayout:
    """The paths in the directory of one run."""

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

    def attempt(self, task_id: str, number: int) -> AttemptPaths:
        """The files of attempt `number` of a task."""
        name = file_name(task_id)
        logs, artifacts, outputs, scratch, directory = self._texts
        return AttemptPaths(
            f"{logs}/{name}.{number}.log", f"{artifacts}/{name}", f"{outputs}/{name}.{number}.json",
            f"{scratch}/{name}.{number}", directory,
        )  # fmt: skip

    def log(self, task_id: str, attempt: int) -> Path:
        """The log of one attempt."""
        return self.logs / f"{file_name(task_id)}.{attempt}.log"
