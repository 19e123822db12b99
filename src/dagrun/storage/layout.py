"""The paths below the directory of a run, and file names for names from documents."""

from __future__ import annotations

import hashlib
import re
from functools import cached_property
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
    """The paths of one run. Each is made when it is asked for: listing makes a layout for every run, and reads two files."""

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
