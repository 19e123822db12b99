"""Runs as processes of their own: started by schedulers, by `run --detach`, and by whatever must not end with its run."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from dagrun.errors import DagrunError, RefusedError
from dagrun.process import own_command
from dagrun.runtime.run_request import RunRequest
from dagrun.storage.log_position import last_text
from dagrun.storage.run_store import RunStore

KILL_TIMEOUT = 10.0  # seconds until the last process of a killed run must have ended
POLL_INTERVAL = 0.02  # seconds
LONGEST_ERROR = 2000  # bytes
REQUEST_OPTION = "--request-from-stdin"


class Launcher:
    """Starts `dagrun run` and `dagrun resume`, each in a session of its own: Ctrl-C and the end of this process do not end them."""

    def __init__(self, runs: RunStore, directory: Path) -> None:
        self._runs = runs
        self._directory = directory  # the project root, in which the commands find their settings
        self._children: dict[int, subprocess.Popen[bytes]] = {}  # by process id, until their ends are known

    def start(
        self,
        request: RunRequest,
        run_id: str,
        log: Path,
        *,
        resume: bool = False,
        options: Sequence[str] = (),
    ) -> LaunchedRun:
        """Start a process that drives the run; its output, errors only, goes to `log`. Raises OSError.

        The request may contain secrets, and everybody can see the arguments of a process: so the process reads the
        request from its standard input, a file that has no name.
        """
        what = ["resume", run_id] if resume else ["run", request.dag, "--run-id", run_id]
        with _nameless(request.to_json().encode()) as given, _private(log) as output:
            process = subprocess.Popen(
                own_command.command(*what, *options, "--quiet", REQUEST_OPTION),
                cwd=self._directory, stdin=given, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        self._children = {pid: child for pid, child in self._children.items() if child.poll() is None}
        self._children[process.pid] = process
        return LaunchedRun(self._runs, run_id, process, log)

    def cancel(self, run_id: str, reason: str) -> None:
        """Start a process that cancels a run which no process drives, and runs its hooks. Raises OSError."""
        process = subprocess.Popen(
            own_command.command("cancel", run_id, "--reason", reason), cwd=self._directory, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self._children[process.pid] = process

    def reap(self) -> None:
        """As process 1, which adopts every orphan: collect the ends of processes. Raises ChildProcessError if there is none."""
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            child = self._children.get(ended.si_pid)
            if child is not None and child.returncode is None:
                child.poll()  # it keeps the exit code for its LaunchedRun
            else:
                os.waitpid(ended.si_pid, os.WNOHANG)

    def close(self) -> None:
        """Forget the processes, which continue."""
        for child in self._children.values():
            if child.poll() is None:
                child.returncode = 0  # else Popen warns that nobody waits for it
        self._children.clear()


class LaunchedRun:
    """A run in a process that was started here."""

    own = True

    def __init__(self, runs: RunStore, run_id: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self._runs = runs
        self._run_id = run_id
        self._process = process
        self._log = log

    @property
    def exit_code(self) -> int | None:
        """The exit code of its process, negative for a signal; None while it runs."""
        return self._process.poll()

    def has_ended(self) -> bool:
        """Whether its process has ended."""
        return self.exit_code is not None

    def wait_until_begun(self, timeout: float) -> bool:
        """Wait for its first event. False when its process ends without one, or after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not has_started(self._runs, self._run_id):
            if self.has_ended():
                return has_started(self._runs, self._run_id)  # it may have begun since
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_INTERVAL)
        return True

    def kill(self) -> None:
        """Kill its process with SIGKILL, so that no cancel is recorded; returns when all processes of the run have ended."""
        self._process.kill()
        self._process.wait()
        deadline = time.monotonic() + KILL_TIMEOUT
        while time.monotonic() < deadline:
            try:
                self._runs.take_over(self._run_id).close()
                break
            except RefusedError:
                time.sleep(POLL_INTERVAL)
            except DagrunError:
                break

    def error(self, longest: int = LONGEST_ERROR) -> str:
        """The end of its output, or the signal that ended its process."""
        try:
            text = last_text(self._log, longest).strip()
        except OSError:
            text = ""
        code = self._process.returncode
        if not text and code is not None and code < 0:
            text = f"ended by {signal.Signals(-code).name}"
        return text.removeprefix("Error: ")


def has_started(runs: RunStore, run_id: str) -> bool:
    """Whether the first event of a run is recorded. Reads little, however long its journal is."""
    tail = None
    try:
        tail = runs.events(run_id, ["dag_start"])
        return bool(tail.poll())
    except DagrunError:
        return False
    finally:
        if tail is not None:
            tail.close()


@contextlib.contextmanager
def _nameless(data: bytes) -> Iterator[IO[bytes]]:
    """A file without a name that contains `data`, in memory where the system has such files. At its beginning."""
    file: IO[bytes]
    if hasattr(os, "memfd_create"):
        file = os.fdopen(os.memfd_create("request"), "w+b")  # needs no room on a disk
    else:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
    with file:
        file.write(data)
        file.flush()
        file.seek(0)
        yield file


@contextlib.contextmanager
def _private(path: Path) -> Iterator[IO[bytes] | int]:
    """A new file that only this user can read; the null device when it cannot be created, as on a full disk."""
    try:
        path.unlink(missing_ok=True)
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
    except OSError:
        yield subprocess.DEVNULL
        return
    with file:
        yield file
