"""The keeper: one small process that owns every other process of a run, and outlives dagrun only to end them.

dagrun forks it before it loads a document. It has one thread and a session of its own; only it forks workers and
spawns commands, and on Linux every orphan below it becomes its child. When its pipe to dagrun closes, whatever the
cause, it ends all that is left (TERM, one second, KILL) and exits.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gc
import os
import select
import shutil
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from dagrun.encoding import to_bytes
from dagrun.executors.local import processes
from dagrun.executors.local.channel import Channel, Message
from dagrun.executors.local.masking_pipe import through_masker
from dagrun.executors.outputs import open_log

#: Signals that Python ignores, and that a command should find as they are.
_SPOILT = (signal.SIGPIPE, signal.SIGXFSZ)
GRACE = 1.0  # seconds between TERM and KILL for what a body leaves behind, and for all when dagrun is gone


def launch() -> tuple[int, Channel]:
    """Fork the keeper; its process id and the channel to it."""
    ours, theirs = socket.socketpair()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        theirs.close()
        return pid, Channel(ours)
    try:
        ours.close()
        Keeper(theirs).run()
    finally:
        os._exit(70)  # not reached: `run` exits


@dataclass(frozen=True, slots=True)
class _Leader:
    """The first process of a worker or a command; its group and session have its number."""

    pid: int
    mark: str
    worker: bool
    masker: int | None = None  # the process that its output goes through


class Keeper:
    """The keeper's side."""

    def __init__(self, sock: socket.socket) -> None:
        self.channel = Channel(sock, blocking=False)
        self.leaders: dict[int, _Leader] = {}
        self.maskers: dict[
            int, Message | None
        ] = {}  # each with the end to tell when it has written the last line
        self.endings: list[tuple[float, _Leader]] = []  # when to KILL what an ended leader has left behind
        self.held: list[int] = []
        self.scratch: list[str] = []
        self._wake = -1
        self._null = -1
        self._unset: list[str] | None = None
        self._inherited: Mapping[bytes, bytes] = {}

    def run(self) -> NoReturn:
        """Serve until dagrun closes the pipe; then, or when anything else goes wrong, end everything."""
        try:
            self._settle_in()
            self._serve()
        finally:
            self._end_everything()
            self._remove_scratch()
            os._exit(0)

    def _serve(self) -> None:
        poll = select.poll()
        poll.register(self.channel.sock, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while True:
            writing = select.POLLOUT if self.channel.is_full() else 0
            poll.modify(self.channel.sock, select.POLLIN | writing)
            ready = dict(poll.poll(self._patience()))
            if self._wake in ready:
                os.read(self._wake, 4096)
            self._reap()
            self._end_leftovers()
            event = ready.get(self.channel.fileno(), 0)
            if event & select.POLLOUT:
                self.channel.flush()
            if event & ~select.POLLOUT:
                messages = self.channel.receive()
                if messages is None:
                    return
                for message in messages:
                    self._handle(message)

    def _settle_in(self) -> None:
        os.setsid()
        processes.call_me(processes.KEEPER)
        processes.adopt_orphans()
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        self._null = 0
        keep = self.channel.fileno()
        os.closerange(3, keep)
        os.closerange(keep + 1, 4096)
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            # Not SIG_IGN: every command would inherit that, and never see the TERM that is to end it.
            signal.signal(signum, lambda *_: None)
        self._wake, writer = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        gc.freeze()

    def _patience(self) -> float | None:
        if not self.endings:
            return None
        return max(0.0, (self.endings[0][0] - time.monotonic()) * 1000)

    # --- requests ------------------------------------------------------------------------------------------

    def _handle(self, message: Message) -> None:
        match message["op"]:
            case "worker":
                self._fork_worker(message)
            case "spawn":
                self._spawn(message)
            case "kill":
                if (
                    message["pid"] in self.leaders
                ):  # else it is reaped already and the number may be another's
                    processes.send_group(message["pid"], message["signal"])
            case "hold":
                self._hold(message["path"])

    def _fork_worker(self, message: Message) -> None:
        from dagrun.executors.local.worker import serve  # once, for all workers; commands have no need of it

        me = os.getpid()
        pipe: tuple[int, ...] = ()
        try:
            ours, theirs = socket.socketpair()
            pipe = tickets, granting = os.pipe()
            os.set_blocking(tickets, False)
            pid = os.fork()
        except OSError as error:
            for fd in pipe:
                os.close(fd)
            why = f"cannot start a worker process: {error.strerror}"
            self._tell({"op": "unforked", "error": why})
            return
        if not pid:
            with contextlib.suppress(BaseException):
                ours.close()
                os.close(granting)
                self._become_child(me)
                serve(theirs, tickets, message)
            os._exit(70)
        theirs.close()
        self.leaders[pid] = _Leader(pid, message["mark"], worker=True)
        self._tell({"op": "worker", "pid": pid}, ours.detach(), tickets, granting)

    def _become_child(self, keeper: int) -> None:
        os.setsid()
        processes.die_with_parent(keeper)
        signal.set_wakeup_fd(-1)
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD):
            signal.signal(signum, signal.SIG_DFL)
        self.channel.close()
        for fd in (*self.held, self._wake):
            os.close(fd)

    def _spawn(self, message: Message) -> None:
        environment = dict(self._environment(message["unset"]))
        environment.update((to_bytes(name), to_bytes(text)) for name, text in message["env"].items())
        argv = [to_bytes(word) for word in message["argv"]]
        shell = os.fsdecode(argv[0])
        masker = None
        try:
            log = open_log(message["log"])
            try:
                program = processes.program(shell, os.fsdecode(environment.get(b"PATH", b"")) or None)
                _enter(message["cwd"])
                if message["masks"]:
                    unmasked, (log, masker) = log, through_masker(log, message["masks"])
                    os.close(unmasked)
                pid = os.posix_spawn(
                    program, argv, environment, setsid=True, setsigdef=_SPOILT, setsigmask=(),
                    file_actions=(
                        (os.POSIX_SPAWN_DUP2, self._null, 0), (os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2),
                    ),
                )  # fmt: skip
            finally:
                os.close(log)
        except (OSError, ValueError) as error:
            why = _why_not(error, shell)
            self._tell({"op": "unspawned", "id": message["id"], "error": why})
            return
        processes.prefer_for_oom(pid)
        self.leaders[pid] = _Leader(pid, message["mark"], worker=False, masker=masker)
        if masker is not None:
            self.maskers[masker] = None
        self._tell({"op": "spawned", "id": message["id"], "pid": pid})

    def _environment(self, unset: list[str]) -> Mapping[bytes, bytes]:
        """The keeper's own, which never changes, less some variables."""
        if self._unset != unset:
            self._unset = unset
            left_out = {to_bytes(name) for name in unset}
            self._inherited = {name: text for name, text in os.environb.items() if name not in left_out}
        return self._inherited

    def _hold(self, path: str) -> None:
        """Lock a file for as long as bodies may live, so that nobody starts the run's next ones before."""
        with contextlib.suppress(OSError):  # a body has removed the run's directory: nobody can resume that
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            self.held.append(fd)
            fcntl.lockf(fd, fcntl.LOCK_EX)
        self.scratch.append(f"{path.rpartition('/')[0]}/scratch")

    # --- ends ----------------------------------------------------------------------------------------------

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid in self.maskers:
                if waiting := self.maskers.pop(pid):
                    self._tell(waiting)
                continue
            leader = self.leaders.pop(pid, None)
            if leader is None:
                continue  # an orphan that a body had left behind
            end: Message = {"op": "exit", "pid": pid, "code": os.waitstatus_to_exitcode(status)}
            if left := self._begin_ending(leader):
                end["left"] = left
            if leader.masker in self.maskers:
                self.maskers[leader.masker] = end
            else:
                self._tell(end)

    def _tell(self, message: Message, *fds: int) -> None:
        with contextlib.suppress(OSError):  # dagrun is gone: the loop sees that next
            self.channel.send(message, *fds)

    def _begin_ending(self, leader: _Leader) -> list[tuple[int, str]]:
        """A body's first process has ended: what it started ends with it. What that is, with its names."""
        strays = self._strays(leader)
        left = [(pid, processes.name_of(pid)) for pid in strays]
        group = processes.send_group(leader.pid, signal.SIGTERM)
        processes.send(strays, signal.SIGTERM)
        if group or strays:
            self.endings.append((time.monotonic() + GRACE, leader))
        return left

    def _strays(self, leader: _Leader) -> list[int]:
        """What is left of an attempt: orphans of it that have become our children, and all below them."""
        orphans = [
            pid
            for pid in processes.children(os.getpid())
            if pid not in self.leaders and pid not in self.maskers
        ]
        # A worker is a fork of ours: what it forks in turn shows our environment, without a mark.
        roots = [
            pid
            for pid in orphans
            if processes.belongs_to(pid, leader.pid, leader.mark, unmarked=leader.worker)
        ]
        return [pid for root in roots for pid in (root, *processes.descendants(root))]

    def _end_leftovers(self) -> None:
        while self.endings and self.endings[0][0] <= time.monotonic():
            _, leader = self.endings.pop(0)
            processes.send_group(leader.pid, signal.SIGKILL)
            processes.send(self._strays(leader), signal.SIGKILL)

    def _end_everything(self) -> None:
        """TERM, one second, KILL, until nothing is left below this process."""
        deadline = time.monotonic() + GRACE
        told: set[int] = set()
        while remaining := self._remaining():
            fresh = [pid for pid in remaining if pid not in told]
            if time.monotonic() < deadline:
                processes.send(fresh, signal.SIGTERM)
                processes.send(fresh, signal.SIGCONT)  # a stopped process would sleep through its TERM
                told.update(fresh)
            else:
                processes.send(remaining, signal.SIGKILL)
                if time.monotonic() > deadline + 5 * GRACE:
                    return  # another user's process, or one that hangs in the kernel: nobody can end it
            time.sleep(0.01)

    def _remove_scratch(self) -> None:
        """Files of attempts hold parameters and outputs as they are, with secrets. If dagrun died, nobody else removes them."""
        for path in self.scratch:
            shutil.rmtree(path, ignore_errors=True)

    def _remaining(self) -> list[int]:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if processes.LINUX:
            return processes.descendants(os.getpid())
        return [pid for pid in self.leaders if processes.send_group(pid, 0)]


def _enter(directory: str) -> None:
    """Be where the next command is to run: the keeper itself is at home anywhere."""
    try:
        os.chdir(directory)
    except OSError as error:
        raise processes.NoDirectory(error.errno, error.strerror, directory) from None


def _why_not(error: OSError | ValueError, shell: str) -> str:
    if isinstance(error, processes.NoDirectory):
        return str(error)
    if not isinstance(error, OSError):
        return f"cannot run '{shell}': {error}"
    if error.errno == errno.E2BIG:
        return (
            f"cannot run '{shell}': the script, or the task's environment, is too long for one command line"
        )
    about = f" ({error.filename})" if error.filename not in (None, shell) else ""
    return f"cannot run '{shell}': {error.strerror}{about}"
