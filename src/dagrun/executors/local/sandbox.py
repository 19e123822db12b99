"""Everything around a body in its worker, prepared before it and restored after it, as if each body were the first."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # signal.getsignal makes an enum of each answer, sixty times a body
import contextlib
import io
import os
import resource
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from dagrun.executors.local import processes
from dagrun.executors.local.channel import Message
from dagrun.executors.local.masking_pipe import open_masking_pipe
from dagrun.executors.local.spool import Spool
from dagrun.executors.outputs import open_log, spool_path
from dagrun.masking import Masker
from dagrun.process import encoding
from dagrun.run_layout import AttemptPaths, RunLayout


class Sandbox:
    """Directory, environment, umask, limits, streams and signal handlers of a body: `enter` sets them, `leave` restores them.

    `run_settings` are the same for all bodies of a run; they come with the first call, and again when they change.
    """

    def __init__(self) -> None:
        self.environment = dict(os.environ)  # at the start of the worker
        self.run_environment: Environment = {}  # with the variables that all bodies of the run share
        self.body_environment: Environment = {}  # with the variables of the current body
        self.run_settings: Message = {}
        self.layout: RunLayout
        self.paths: AttemptPaths
        self.masker = Masker(())
        self.had_secrets = False  # whether a body has had secrets in its environment
        self.streams = sys.stdout, sys.stderr
        self.umask = os.umask(0o022)
        os.umask(self.umask)
        self.handlers = {
            signum: handler
            for signum in signal.valid_signals()
            if (handler := signal.getsignal(signum)) is not None
        }
        self.recursion_limit = sys.getrecursionlimit()
        self.limits = {which: resource.getrlimit(which) for which in _LIMITS}
        self.limits_changed = False
        self.masking_process: int | None = None
        self.spool = Spool()
        self.left_running: list[tuple[int, str]] = []  # by the last body: process ids and names
        self.spooled_log = ""  # the log of the current body if it prints to the spool

    def enter(self, message: Message) -> None:
        """Prepare everything for a body. Raises OSError."""
        if message["run"] is not self.run_settings:
            self._enter_run(message["run"])
        self.paths = self.layout.attempt(message["task"], message["attempt"])
        _open_standard_descriptors()
        masks = self.run_settings["masks"]
        if message["quick"] and not masks:
            self.spooled_log = self.paths.log
            os.dup2(self.spool.fileno(), 1)
            os.dup2(self.spool.fileno(), 2)
        else:
            self._open_log(self.paths.log, masks)
        if message["env"]:
            encoding.put(message["env"])
            self.had_secrets = self.had_secrets or _has_secret(message["env"], masks)
        os.environ["DAGRUN_TASK_ID"] = message["task"]
        os.environ["DAGRUN_ATTEMPT"] = str(message["attempt"])
        self.body_environment = {} if message["env"] else dict(_environment())
        cwd = self.run_settings["cwd"]
        try:
            os.chdir(cwd)
        except OSError as error:
            raise processes.NoDirectory(error.errno, error.strerror, cwd) from None

    def _enter_run(self, settings: Message) -> None:
        self.layout = RunLayout(Path(settings["directory"]))
        self.spool.move(spool_path(str(self.layout.scratch), os.getpid()))
        self.run_settings = settings
        self.masker = Masker(settings["masks"])
        self.had_secrets = _has_secret(settings["env"], settings["masks"])
        for name in settings["unset"]:
            processes.wipe_variable(name)
        os.environ.clear()
        os.environ.update(self.environment)
        for name in settings["unset"]:
            os.environ.pop(name, None)
        encoding.put(settings["env"])
        self.run_environment = dict(_environment())

    def _open_log(self, path: str, masks: Sequence[str]) -> None:
        log = open_log(path)
        if masks:
            unmasked, (log, self.masking_process) = log, open_masking_pipe(log, masks)
            os.close(unmasked)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)

    def restore_limits(self) -> None:
        """Undo what the body did to its own limits, before anything else needs memory or files."""
        sys.setrecursionlimit(self.recursion_limit)
        for which, limits in self.limits.items():
            if resource.getrlimit(which) != limits:
                self.limits_changed = True
                with contextlib.suppress(ValueError, OSError):
                    resource.setrlimit(which, limits)

    def leave(self, *, stopped: bool = False) -> bool:
        """Restore everything; False when that may be incomplete, and the worker should not be used again.

        Processes that the body left running are ended, and named in its log unless the body was `stopped`.
        """
        self._restore_signals()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # the body may have closed or replaced it
                stream.flush()
        if self.streams != (sys.stdout, sys.stderr) or any(stream.closed for stream in self.streams):
            _open_standard_descriptors()
            open_streams()
            self.streams = sys.stdout, sys.stderr
        self.left_running = _end_children(spare=self.masking_process)
        if self.left_running and not stopped:
            with contextlib.suppress(OSError):
                text = f"dagrun: {processes.leftovers_text(self.left_running)}\n"
                os.write(2, text.encode("utf-8", "backslashreplace"))
        if self.spooled_log:
            if self.spool.has_text():
                self.spool.save_as(self.spooled_log)
            self.spooled_log = ""
        self._end_masking()
        os.umask(self.umask)
        if _environment() != self.body_environment:
            self._restore_environment()
        return not self.limits_changed

    def _restore_environment(self) -> None:
        now = _environment()
        for name in [name for name, text in now.items() if self.run_environment.get(name) != text]:
            os.environ.pop(os.fsdecode(name))
        for name, text in self.run_environment.items():
            if name not in now:
                os.environ[os.fsdecode(name)] = os.fsdecode(text)

    def _end_masking(self) -> None:
        """Close this end of the masking pipe, and wait until the last line is written."""
        if self.masking_process is None:
            return
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.close(null)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.masking_process, 0)
        self.masking_process = None

    def _restore_signals(self) -> None:
        signal.set_wakeup_fd(-1)
        signal.setitimer(signal.ITIMER_REAL, 0)
        if [*map(_signal.getsignal, self.handlers)] != [*self.handlers.values()]:
            for signum, handler in self.handlers.items():
                if _signal.getsignal(signum) != handler:
                    signal.signal(signum, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())


def open_streams() -> None:
    """New text streams on descriptors 1 and 2: the old ones may be special, such as the capture of a test."""
    for name, fd in (("stdout", 1), ("stderr", 2)):
        raw = io.FileIO(fd, "w", closefd=False)
        stream = io.TextIOWrapper(
            io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=True
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.stdin = open(os.devnull)  # noqa: SIM115 - stays open as long as the process


def _has_secret(env: Mapping[str, str], masks: Sequence[str]) -> bool:
    return any(mask in text for mask in masks for text in env.values())


#: The environment as the system has it.
Environment = Mapping[bytes, bytes]


def _environment() -> Environment:
    """The mapping inside `os.environ`: to compare sixty variables through its methods costs more than most bodies."""
    data: Environment = os.environ._data  # type: ignore[attr-defined]
    return data


_LIMITS = (
    resource.RLIMIT_AS,
    resource.RLIMIT_CPU,
    resource.RLIMIT_DATA,
    resource.RLIMIT_FSIZE,
    resource.RLIMIT_NOFILE,
)


def _open_standard_descriptors() -> None:
    """Open those that the body has closed: the next file that is opened must not get such a number."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
            os.set_inheritable(fd, True)


def _end_children(spare: int | None = None) -> list[tuple[int, str]]:
    """End what the body left running: SIGTERM, at most a second, SIGKILL. Costs one system call when there is nothing.

    Returns process ids and names.
    """
    found: list[tuple[int, str]] = []
    deadline = time.monotonic() + processes.GRACE
    terminated = False
    while time.monotonic() < deadline + 5.0:  # what is left then is another user's, or hangs in the kernel
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid:
            continue
        left = processes.descendants(os.getpid()) or processes.children(os.getpid())
        left = [pid for pid in left if pid != spare]
        if spare is not None and not left:
            return found
        late = time.monotonic() > deadline
        if not terminated:
            found = [(pid, processes.name_of(pid)) for pid in left]
        if late or not terminated:
            processes.send(left, signal.SIGKILL if late else signal.SIGTERM)
        terminated = True
        time.sleep(0.005)
    return found
