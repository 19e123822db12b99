"""The paths of the files of a run, and safe file names for the names in documents. Touches no file."""

from __future__ import annotations

import hashlib
import re
from functools import cached_property
from pathlib import Path

from dagrun.value import Value

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


class AttemptPaths(Value):
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
    """The paths in the directory of one run, each made when it is used: a listing makes a layout for every run."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.journal = directory / "events.jsonl"
        self.dag = directory / "dag.json"
        self.lock = directory / "lock"

    @cached_property
    def bodies_lock(self) -> Path:
        """Locked for as long as a process of the run may live."""
        return self.directory / "bodies.lock"

    @cached_property
    def inbox(self) -> Path:
        """The requests to the owner of the run."""
        return self.directory / "inbox"

    @cached_property
    def logs(self) -> Path:
        """The logs of attempts."""
        return self.directory / "logs"

    @cached_property
    def artifacts(self) -> Path:
        """A directory for each task that has artifacts."""
        return self.directory / "artifacts"

    @cached_property
    def outputs(self) -> Path:
        """Outputs that are too large for an event."""
        return self.directory / "outputs"

    @cached_property
    def scratch(self) -> Path:
        """Files of attempts while they run."""
        return self.directory / "scratch"

    @cached_property
    def _texts(self) -> tuple[str, str, str, str, str]:
        """As text, since there are many attempts and a Path costs microseconds."""
        directory = str(self.directory)
        return (
            f"{directory}/logs",
            f"{directory}/artifacts",
            f"{directory}/outputs",
            f"{directory}/scratch",
            directory,
        )

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
