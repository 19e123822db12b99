"""What a body finds, and what is put back after it, so that each is as if it were the worker's first."""

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

from dagrun import encoding
from dagrun.executors.local import processes
from dagrun.executors.local.channel import Message
from dagrun.executors.local.masking_pipe import through_masker
from dagrun.executors.outputs import open_log, spool_path
from dagrun.masking import Masker
from dagrun.run_layout import AttemptPaths, RunLayout


class Spool:
    """Where quick bodies print: a file that is kept open, and gets a log's name only when there is something in it.

    Creating a file costs more than most of these bodies.
    """

    def __init__(self) -> None:
        self.path = ""
        self._fd = -1

    def open(self, directory: str) -> None:
        """Be below this directory from now on. Raises OSError."""
        self._close()
        self.path = spool_path(directory, os.getpid())

    def fileno(self) -> int:
        """A descriptor to print to. Raises OSError."""
        if self._fd < 0:
            Path(self.path).parent.mkdir(parents=True, exist_ok=True)
            self._fd = open_log(self.path)
        return self._fd

    def put(self, log: str) -> None:
        """What a body has printed, if anything, is its log."""
        if self._fd >= 0 and os.fstat(self._fd).st_size:
            with contextlib.suppress(OSError):  # the run's directory vanished
                os.rename(self.path, log)  # noqa: PTH104
            self._close()

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Home:
    """What a body finds and what is put back after it: directory, environment, umask, streams, signal handlers.

    `surroundings` are what the bodies of one run have in common; they come with the first call and when they change.
    """

    def __init__(self) -> None:
        self.environment = dict(os.environ)  # what the worker was forked with
        self.common: Environment = {}  # with what the bodies of this run have in common
        self.given: Environment = {}  # with what the present body was given besides
        self.surroundings: Message = {}
        self.layout: RunLayout
        self.paths: AttemptPaths
        self.masker = Masker(())
        self.told = False  # whether secrets were handed out
        self.streams = sys.stdout, sys.stderr
        self.umask = os.umask(0o022)
        os.umask(self.umask)
        self.handlers = {
            signum: handler
            for signum in signal.valid_signals()
            if (handler := signal.getsignal(signum)) is not None
        }
        self.recursion = sys.getrecursionlimit()
        self.limits = {which: resource.getrlimit(which) for which in _LIMITS}
        self.limited = False
        self.masking: int | None = None  # the process that the body's output goes through
        self.spool = Spool()
        self.left: list[tuple[int, str]] = []  # what the last body left running
        self.log = ""  # what the spool becomes when the present body has printed something

    def enter(self, message: Message) -> None:
        """Get everything ready for a body. Raises OSError."""
        if message["in"] is not self.surroundings:
            self._surround(message["in"])
        self.paths = self.layout.attempt(message["task"], message["try"])
        _open_closed()
        masks = self.surroundings["masks"]
        if message["quick"] and not masks:
            self.log = self.paths.log
            os.dup2(self.spool.fileno(), 1)
            os.dup2(self.spool.fileno(), 2)
        else:
            self._open_log(self.paths.log, masks)
        if message["env"]:
            encoding.put(message["env"])
            self.told = self.told or _tells(message["env"], masks)
        os.environ["DAGRUN_TASK_ID"] = message["task"]
        os.environ["DAGRUN_ATTEMPT"] = str(message["try"])
        self.given = {} if message["env"] else dict(_environment())
        cwd = self.surroundings["cwd"]
        try:
            os.chdir(cwd)
        except OSError as error:
            raise processes.NoDirectory(error.errno, error.strerror, cwd) from None

    def _open_log(self, path: str, masks: Sequence[str]) -> None:
        log = open_log(path)
        if masks:
            unmasked, (log, self.masking) = log, through_masker(log, masks)
            os.close(unmasked)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)

    def _surround(self, surroundings: Message) -> None:
        self.layout = RunLayout(Path(surroundings["directory"]))
        self.spool.open(str(self.layout.scratch))
        self.surroundings = surroundings
        self.masker = Masker(surroundings["masks"])
        self.told = _tells(surroundings["env"], surroundings["masks"])
        for name in surroundings["unset"]:
            processes.wipe_variable(name)
        os.environ.clear()
        os.environ.update(self.environment)
        for name in surroundings["unset"]:
            os.environ.pop(name, None)
        encoding.put(surroundings["env"])
        self.common = dict(_environment())

    def lift_limits(self) -> None:
        """Undo what the body did to its own limits, before anything else needs memory or files."""
        sys.setrecursionlimit(self.recursion)
        for which, limits in self.limits.items():
            if resource.getrlimit(which) != limits:
                self.limited = True
                with contextlib.suppress(ValueError, OSError):
                    resource.setrlimit(which, limits)

    def leave(self, *, stopped: bool = False) -> bool:
        """Put everything back; False when that cannot be trusted and the worker should not be used again.

        What the body left running is ended, and told in its log unless it was `stopped` itself.
        """
        self._restore_signals()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # the body may have closed or replaced it
                stream.flush()
        if self.streams != (sys.stdout, sys.stderr) or any(stream.closed for stream in self.streams):
            _open_closed()
            open_streams()
            self.streams = sys.stdout, sys.stderr
        self.left = _end_children(spare=self.masking)
        if self.left and not stopped:
            with contextlib.suppress(OSError):
                os.write(2, processes.ended_line(self.left).encode("utf-8", "backslashreplace"))
        if self.log:
            self.spool.put(self.log)
            self.log = ""
        self._end_masker()
        os.umask(self.umask)
        if _environment() != self.given:
            self._restore_environment()
        return not self.limited

    def _restore_environment(self) -> None:
        now = _environment()
        for name in [name for name, text in now.items() if self.common.get(name) != text]:
            os.environ.pop(os.fsdecode(name))
        for name, text in self.common.items():
            if name not in now:
                os.environ[os.fsdecode(name)] = os.fsdecode(text)

    def _end_masker(self) -> None:
        """Close our end of its pipe, and wait until it has written the last line."""
        if self.masking is None:
            return
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.close(null)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.masking, 0)
        self.masking = None

    def _restore_signals(self) -> None:
        signal.set_wakeup_fd(-1)
        signal.setitimer(signal.ITIMER_REAL, 0)
        if [*map(_signal.getsignal, self.handlers)] != [*self.handlers.values()]:
            for signum, handler in self.handlers.items():
                if _signal.getsignal(signum) != handler:
                    signal.signal(signum, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())


def open_streams() -> None:
    """New text streams on descriptors 1 and 2: what dagrun had there is not ours (a test's capture, say)."""
    for name, fd in (("stdout", 1), ("stderr", 2)):
        raw = io.FileIO(fd, "w", closefd=False)
        stream = io.TextIOWrapper(
            io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=True
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.stdin = open(os.devnull)  # noqa: SIM115 - stays open as long as the process


def _tells(env: Mapping[str, str], masks: Sequence[str]) -> bool:
    return any(mask in text for mask in masks for text in env.values())


#: The environment as the system has it.
Environment = Mapping[bytes, bytes]


def _environment() -> Environment:
    """What `os.environ` holds, itself: to compare sixty variables through its methods costs more than most bodies."""
    data: Environment = os.environ._data  # type: ignore[attr-defined]
    return data


_LIMITS = (
    resource.RLIMIT_AS,
    resource.RLIMIT_CPU,
    resource.RLIMIT_DATA,
    resource.RLIMIT_FSIZE,
    resource.RLIMIT_NOFILE,
)


def _open_closed() -> None:
    """A body may have closed a standard descriptor: the next file opened must not get its number."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
            os.set_inheritable(fd, True)


def _end_children(spare: int | None = None) -> list[tuple[int, str]]:
    """End what the body left running: TERM, at most a second, KILL. Costs one system call when there is nothing.

    Returns what that was, with its names.
    """
    found: list[tuple[int, str]] = []
    deadline = time.monotonic() + 1.0
    told = False
    while time.monotonic() < deadline + 5.0:  # then it is another user's, or hangs in the kernel
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
        if not told:
            found = [(pid, processes.name_of(pid)) for pid in left]
        if late or not told:
            processes.send(left, signal.SIGKILL if late else signal.SIGTERM)
        told = True
        time.sleep(0.005)
    return found
