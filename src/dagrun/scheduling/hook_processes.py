"""The hooks that a scheduler runs: for interrupted runs, and for fires that could not become runs. Processes of their own."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from dagrun.core.hooks import ON_INTERRUPTED, ON_SCHEDULE_ERROR
from dagrun.process import own_command

if TYPE_CHECKING:
    from dagrun.core.work import Json

#: The module that runs the hooks of one key. It reads what happened from its standard input.
MODULE = "dagrun.app.scheduler_hooks"
MAX_RUNNING = 16
LONGEST_ERROR = 2000  # bytes


class SchedulerHooks(Protocol):
    """Runs hooks of the project, beside the runs of a scheduler. No method raises."""

    def interrupted(self, run_id: str) -> None:
        """A run was interrupted."""
        ...

    def schedule_error(self, schedule_id: str, minute: str, reason: str, error: str) -> None:
        """A fire could not become a run."""
        ...

    def poll(self) -> bool:
        """Report the hooks that have failed; whether any still runs."""
        ...


class NoHooks:
    """A project without such hooks."""

    def interrupted(self, run_id: str) -> None:
        """Nothing runs."""

    def schedule_error(self, schedule_id: str, minute: str, reason: str, error: str) -> None:
        """Nothing runs."""

    def poll(self) -> bool:
        """Nothing runs."""
        return False


class HookProcesses:
    """Starts a process for the hooks of each event, at most `MAX_RUNNING` at a time. `keys` are the keys that have hooks."""

    def __init__(self, root: Path, keys: Collection[str], report: Callable[[str], None]) -> None:
        self._root = root
        self._keys = keys
        self._report = report
        self._waiting: list[tuple[str, Mapping[str, Json]]] = []
        self._running: list[tuple[subprocess.Popen[bytes], IO[bytes]]] = []

    def interrupted(self, run_id: str) -> None:
        """A run was interrupted."""
        self._add(ON_INTERRUPTED, {"run_id": run_id})

    def schedule_error(self, schedule_id: str, minute: str, reason: str, error: str) -> None:
        """A fire could not become a run."""
        schedule = {"id": schedule_id, "minute": minute, "reason": reason, "error": error}
        self._add(ON_SCHEDULE_ERROR, {"schedule": schedule})

    def poll(self) -> bool:
        """Report the hooks that have failed; whether any still runs."""
        for process, output in [each for each in self._running if each[0].poll() is not None]:
            self._running.remove((process, output))
            with output:
                output.seek(0)
                text = output.read(LONGEST_ERROR).decode("utf-8", "replace").strip()
            if process.returncode:
                self._report(
                    text or f"Warning: a hook of the project ended with exit code {process.returncode}"
                )
        while self._waiting and len(self._running) < MAX_RUNNING:
            self._start(*self._waiting.pop(0))
        return bool(self._running)

    def _add(self, key: str, about: Mapping[str, Json]) -> None:
        if key in self._keys:
            self._waiting.append((key, about))
            self.poll()

    def _start(self, key: str, about: Mapping[str, Json]) -> None:
        try:
            output = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the process has ended
            process = subprocess.Popen(
                own_command.module(MODULE), cwd=self._root, stdin=subprocess.PIPE, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
            assert process.stdin is not None
            with process.stdin as given:
                given.write(json.dumps({"key": key, **about}).encode())
        except OSError as error:
            self._report(f"Warning: cannot run the hooks {key} of the project: {error.strerror}")
            return
        self._running.append((process, output))
