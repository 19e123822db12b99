"""Runs as processes of their own, `dagrun run`: a crash of one takes nothing else down, and none dies with its scheduler."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import IO

from dagrun import own_command
from dagrun.core.requests import Request
from dagrun.errors import DagrunError, DamagedError, NotFoundError, RefusedError
from dagrun.scheduling.open_runs import OpenRun, OpenRuns
from dagrun.scheduling.run_control import DagInfo, RunEnding, RunHandle, RunPhase
from dagrun.scheduling.schedule import Schedule
from dagrun.storage.log_position import last_text
from dagrun.storage.run_store import RunStore
from dagrun.views.report import failures
from dagrun.views.status import RunView, view

PATIENCE = 10.0  # seconds until the last process of a run that was killed must be gone
_LONGEST = 2000  # bytes of what a run that did not begin complained about


class Processes:
    """Starts runs as processes and looks at them through the store of runs."""

    def __init__(
        self, runs: RunStore, open_runs: OpenRuns, root: Path, dag: Callable[[Schedule], DagInfo]
    ) -> None:
        self.runs = runs
        self.open_runs = open_runs
        self.root = root
        self._dag = dag
        #: Its children by process id, until their ends are known.
        self.processes: dict[int, subprocess.Popen[bytes]] = {}

    def dag(self, schedule: Schedule) -> DagInfo:
        """What a schedule runs. Raises DagProblem."""
        return self._dag(schedule)

    def start(self, run: OpenRun, *, again: bool = False) -> RunHandle:
        """`dagrun run`, or `dagrun resume`, in a session of its own: Ctrl-C is the scheduler's."""
        words = ["resume", run.run_id] if again else ["run", run.dag, "--run-id", run.run_id]
        words += ["--fire", str(self.open_runs.path(run.run_id))]
        if not again:
            self._clear(run.run_id)
        complaints = self.open_runs.path(run.run_id).with_suffix(".err")
        with _written(complaints) as file:
            process = subprocess.Popen(
                own_command.command(*words, "--quiet"),
                cwd=self.root, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=file, start_new_session=True,
            )  # fmt: skip
        self.processes = {pid: child for pid, child in self.processes.items() if child.returncode is None} | {
            process.pid: process
        }
        return _Process(self.runs, run.run_id, process, complaints)

    def reap(self) -> None:
        """As process 1: take note of the ends of processes that others have left behind."""
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            child = self.processes.get(ended.si_pid)
            if child is not None and child.returncode is None:
                child.poll()  # so that whoever waits for it learns how it ended
            else:
                os.waitpid(ended.si_pid, os.WNOHANG)

    def watch(self, run_id: str) -> RunHandle:
        """A run that somebody else drives."""
        return _Watched(self.runs, run_id)

    def has_started(self, run_id: str) -> bool:
        """Whether there is a line in its journal."""
        tail = None
        try:
            tail = self.runs.events(run_id, ["dag_start"])
            return bool(tail.poll())
        except DagrunError:
            return False
        finally:
            if tail is not None:
                tail.close()

    def is_live(self, run_id: str) -> bool:
        """Whether its lock is held."""
        return self.runs.is_live(run_id)

    def phase(self, run_id: str) -> RunPhase:
        """What its journal and its lock say."""
        if self.runs.is_live(run_id):
            return RunPhase.LIVE
        try:
            run = self._view(run_id)
        except DamagedError:
            return RunPhase.ENDED
        if run is None or run.started_at is None:
            return RunPhase.LIVE if self.runs.is_live(run_id) else RunPhase.NOT_STARTED
        return RunPhase.INTERRUPTED if run.status == "interrupted" else RunPhase.ENDED

    def ending(self, run_id: str) -> RunEnding:
        """Its status, and its first failure."""
        try:
            run = self._view(run_id)
        except DamagedError as damage:
            return RunEnding("interrupted", error=damage.message)
        if run is None:
            return RunEnding("interrupted", error="its records are gone")
        error = next(iter(failures(run)), run.reason) if run.status != "success" else ""
        return RunEnding(run.status, run.duration, error)

    def last_event_at(self, run_id: str) -> float | None:
        """The moment of the last fact in its journal."""
        try:
            return max((event.timestamp for event in self.runs.read(run_id).events), default=None)
        except NotFoundError:
            return None

    def cancel(self, run_id: str, reason: str) -> bool:
        """Leave a wish with whoever drives the run."""
        if not self.runs.is_live(run_id):
            return False
        try:
            self.runs.send(run_id, Request("cancel", "scheduler", {"reason": reason}))
        except DagrunError:
            return False
        return True

    def _view(self, run_id: str) -> RunView | None:
        try:
            return view(self.runs.read(run_id), time.time())
        except NotFoundError:
            return None

    def _clear(self, run_id: str) -> None:
        """A process died between making the run and its first fact: as if it had never been."""
        with contextlib.suppress(DagrunError):
            writer = self.runs.take_over(run_id)
            if self.has_started(run_id):
                writer.close()
            else:
                writer.discard()


@contextlib.contextmanager
def _written(path: Path) -> Iterator[IO[bytes] | int]:
    """A file to write to; nowhere, when there is no room for one."""
    try:
        file = path.open("wb")
    except OSError:
        yield subprocess.DEVNULL
        return
    with file:
        yield file


class _Process:
    """A run in a process of ours."""

    own = True

    def __init__(
        self, runs: RunStore, run_id: str, process: subprocess.Popen[bytes], complaints: Path
    ) -> None:
        self._runs = runs
        self._run_id = run_id
        self._process = process
        self._complaints = complaints

    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """SIGKILL: no cancel is recorded. Its keeper then ends what it has started; that is waited for."""
        self._process.kill()
        self._process.wait()
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                self._runs.take_over(self._run_id).close()
                break
            except RefusedError:
                time.sleep(0.05)
            except DagrunError:
                break

    def error(self) -> str:
        """The end of its stderr."""
        try:
            text = last_text(self._complaints, _LONGEST).strip()
        except OSError:
            text = ""
        code = self._process.returncode
        if not text and code is not None and code < 0:
            text = f"ended by {signal.Signals(-code).name}"
        return text.removeprefix("Error: ")


class _Watched:
    """A run that somebody else drives."""

    own = False

    def __init__(self, runs: RunStore, run_id: str) -> None:
        self._runs = runs
        self._run_id = run_id

    def has_ended(self) -> bool:
        """Whether its lock is free."""
        return not self._runs.is_live(self._run_id)

    def kill(self) -> None:
        """It is not ours."""

    def error(self) -> str:
        """Nobody told us."""
        return ""


class SignalBell:
    """Rung by SIGINT, SIGTERM and SIGHUP, and whenever a child ends. Only for the main thread.

    As process 1, which every process without a parent becomes a child of, it calls `reap` whenever it wakes up.
    """

    def __init__(self, reap: Callable[[], None] = lambda: None) -> None:
        self.stops = 0
        self.reloads = 0
        self._reap = reap if os.getpid() == 1 and hasattr(os, "waitid") else lambda: None
        self._reader, self._writer = (
            os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else _pipe()
        )
        self._before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._handlers = {
            signum: signal.signal(signum, self._stop)
            for signum in (signal.SIGINT, signal.SIGTERM)
            if signal.getsignal(signum) is not signal.SIG_IGN  # started in the background of a script
        }
        self._handlers[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._reload)
        self._handlers[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)

    def wait(self, seconds: float) -> None:
        """Until something rings."""
        readable, _, _ = select.select([self._reader], [], [], seconds)
        if readable:
            with contextlib.suppress(BlockingIOError):
                os.read(self._reader, 4096)
        with contextlib.suppress(ChildProcessError):  # there is no child at all
            self._reap()

    def close(self) -> None:
        """Signals mean again what they meant before."""
        for signum, handler in self._handlers.items():
            signal.signal(signum, handler)
        signal.set_wakeup_fd(self._before)
        os.close(self._reader)
        os.close(self._writer)

    def _stop(self, _signum: int, _frame: FrameType | None) -> None:
        self.stops += 1

    def _reload(self, _signum: int, _frame: FrameType | None) -> None:
        self.reloads += 1


def _pipe() -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends
