"""The keeper: one small process that owns every other process of a run, and outlives dagrun only to end them.

It has one thread and a session of its own. Only the keeper forks workers and spawns commands, and on Linux every orphan
among its descendants becomes its child. When the channel to dagrun closes, for whatever reason, the keeper ends everything
that is left (SIGTERM, one second, SIGKILL) and exits.
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
import time
from collections import ChainMap, deque
from collections.abc import Mapping
from typing import Any, NoReturn

import msgspec

from dagrun.executors.local import processes
from dagrun.executors.local.channel import Channel, Message, pack
from dagrun.executors.local.leftovers import Leftovers
from dagrun.executors.local.masking_pipe import open_masking_pipe
from dagrun.executors.local.spool import CommandSpools, Spool
from dagrun.executors.outputs import open_existing_log, open_log
from dagrun.process.encoding import to_bytes

#: Signals that Python ignores. Commands get the default action back.
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
#: Signals that must not end the keeper. Its children get the default action back.
_SURVIVED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
#: Seconds after which a command is not short. Then its log gets its name, and dagrun is sent its process id.
_SHORT = 0.01


class _Leader(msgspec.Struct, eq=False):
    """The first process of a worker or a command. Its process group and session have its number."""

    pid: int
    mark: str
    command: int | None = None  # the number of the request for it; None for a worker
    masker: int | None = None  # the process that masks its output
    log: str = ""
    spool: Spool | None = None  # where it prints while it may be short
    started: float = msgspec.field(default_factory=time.monotonic)

    @property
    def name(self) -> Message:
        """How dagrun knows it."""
        return {"pid": self.pid} if self.command is None else {"id": self.command}


class Keeper:
    """Serves the requests that come through a socket from dagrun."""

    def __init__(self, sock: socket.socket) -> None:
        self.channel = Channel(sock, blocking=False)
        self.leaders: dict[int, _Leader] = {}
        #: The commands among them by the numbers of the requests for them.
        self.commands: dict[int, _Leader] = {}
        #: Commands that were started within the last _SHORT seconds, in order; some have ended.
        self.short: deque[_Leader] = deque()
        #: Each masking process, with the `exit` message to send once it has written the last line.
        self.maskers: dict[int, Message | None] = {}
        #: When to kill what an ended leader has left behind, earliest first.
        self.kill_times: deque[tuple[float, _Leader]] = deque()
        #: By path; the file is open as long as it is locked.
        self.locks: dict[str, int] = {}
        self.scratch_directories: dict[str, str] = {}
        self._spools = CommandSpools()
        self._unsent: list[bytes] = []  # messages of this turn
        self._leftovers: Leftovers
        self._oom: processes.OomPreference
        self._known = ChainMap[int, Any](self.leaders, self.maskers)
        self._wake = -1
        self._unset: list[str] | None = None
        self._inherited: Mapping[bytes, bytes] = {}

    def run(self) -> NoReturn:
        """Serve until dagrun closes the channel; then, or when anything else goes wrong, end everything and exit."""
        try:
            self._set_up()
            self._serve()
        finally:
            processes.end_all(self._remaining)
            self._remove_scratch()
            os._exit(0)

    def _serve(self) -> None:
        poll = select.poll()
        poll.register(self.channel.sock, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while True:
            writing = select.POLLOUT if self.channel.has_unsent() else 0
            poll.modify(self.channel.sock, select.POLLIN | writing)
            ready = dict(poll.poll(self._poll_timeout()))
            if self._wake in ready:
                os.read(self._wake, 4096)
                self._reap()
            self._kill_leftovers()
            self._announce()
            self._send_unsent()
            event = ready.get(self.channel.fileno(), 0)
            if event & select.POLLOUT:
                self.channel.flush()
            if event & ~select.POLLOUT:
                messages = self.channel.receive()
                if messages is None:
                    return
                for message in messages:
                    self._handle(message)
                self._send_unsent()

    def _set_up(self) -> None:
        signal.set_wakeup_fd(-1)  # that of the process which forked this one
        if os.getsid(0) != os.getpid():
            os.setsid()
        processes.set_name(processes.KEEPER)
        processes.adopt_orphans()
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.set_inheritable(
            0, True
        )  # the standard input of commands; `dup2` of a descriptor to itself does not do this
        processes.close_other_files(self.channel.fileno())
        for signum in (*_SURVIVED, signal.SIGCHLD):
            # Not SIG_IGN: every command would inherit that, and never see the SIGTERM that should end it.
            signal.signal(signum, lambda *_: None)
        self._wake, writer = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        self._leftovers = Leftovers()
        self._oom = processes.OomPreference()
        gc.freeze()

    def _poll_timeout(self) -> float | None:
        """Milliseconds until the next process has to be killed, or is not short any more."""
        times = [self.kill_times[0][0]] if self.kill_times else []
        if self.short:
            times.append(self.short[0].started + _SHORT)
        return max(0.0, (min(times) - time.monotonic()) * 1000) if times else None

    # --- requests ------------------------------------------------------------------------------------------

    def _handle(self, message: Message) -> None:
        match message["op"]:
            case "fork_worker":
                self._fork_worker(message)
            case "spawn":
                self._spawn(message)
            case "signal":
                leaders, name = (
                    (self.commands, message["id"]) if "id" in message else (self.leaders, message["pid"])
                )
                if leader := leaders.get(name):  # else it is reaped, and another process may have its number
                    processes.send_group(leader.pid, message["signal"])
            case "lock":
                self._lock(message["path"])
            case "unlock":
                self._unlock(message["path"])

    def _fork_worker(self, message: Message) -> None:
        from dagrun.executors.local.worker import serve  # once for all workers; commands do not need it

        me = os.getpid()
        pipe: tuple[int, ...] = ()
        try:
            ours, theirs = socket.socketpair()
            pipe = ticket_reader, ticket_writer = os.pipe()
            os.set_blocking(ticket_reader, False)
            self._oom.prefer()
            try:
                pid = os.fork()
            finally:
                if os.getpid() == me:
                    self._oom.restore()
        except OSError as error:
            for fd in pipe:
                os.close(fd)
            reason = f"cannot start a worker process: {error.strerror}"
            self._send({"op": "worker_failed", "error": reason})
            return
        if not pid:
            with contextlib.suppress(BaseException):
                ours.close()
                self._become_child(me, theirs.fileno(), ticket_reader)
                serve(theirs, ticket_reader, message)
            os._exit(70)
        theirs.close()
        self.leaders[pid] = _Leader(pid, message["mark"])
        self._send({"op": "worker", "pid": pid}, ours.detach(), ticket_reader, ticket_writer)

    def _become_child(self, keeper: int, *keep: int) -> None:
        os.setsid()
        processes.die_with_parent(keeper)
        signal.set_wakeup_fd(-1)
        for signum in (*_SURVIVED, signal.SIGCHLD):
            signal.signal(signum, signal.SIG_DFL)
        self.channel.close()
        processes.close_other_files(*keep)

    def _spawn(self, message: Message) -> None:
        environment = dict(self._environment(message["unset"]))
        environment.update((to_bytes(name), to_bytes(text)) for name, text in message["env"].items())
        argv = [to_bytes(word) for word in message["argv"]]
        shell = os.fsdecode(argv[0])
        masker = spool = None
        try:
            log, spool = self._open_log(message)
            try:
                program = processes.program(shell, os.fsdecode(environment.get(b"PATH", b"")) or None)
                _change_directory(message["cwd"])
                if message["masks"]:
                    unmasked, (log, masker) = log, open_masking_pipe(log, message["masks"])
                    os.close(unmasked)
                self._oom.prefer()
                pid = os.posix_spawn(  # which is a vfork: it copies nothing of this process
                    program, argv, environment, setsid=True, setsigdef=_IGNORED_BY_PYTHON, setsigmask=(),
                    file_actions=((os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)),
                )  # fmt: skip
            finally:
                self._oom.restore()
                if spool is None:
                    os.close(log)
        except (OSError, ValueError) as error:
            if spool is not None:
                self._spools.give_back(spool)
            self._send({"op": "spawn_failed", "id": message["id"], "error": _spawn_error(error, shell)})
            return
        leader = _Leader(pid, message["mark"], message["id"], masker, message["log"], spool)
        self.leaders[pid] = self.commands[message["id"]] = leader
        self.short.append(leader)
        if masker is not None:
            self.maskers[masker] = None

    def _open_log(self, message: Message) -> tuple[int, Spool | None]:
        """Where a command prints: its log, or a spool that becomes its log if it is needed. Raises OSError."""
        if message["spools"] and not message["masks"] and processes.LINUX:
            try:
                return open_existing_log(message["log"]), None
            except FileNotFoundError:
                if (spool := self._spools.take(message["spools"])) is not None:
                    return spool.fileno(), spool
        return open_log(message["log"]), None

    def _announce(self) -> None:
        """Name the logs of commands that are not short, for those who follow them, and report their process ids."""
        latest = time.monotonic() - _SHORT
        while self.short and self.short[0].started <= latest:
            leader = self.short.popleft()
            if self.leaders.get(leader.pid) is leader:
                self._end_spool(leader, shared=True)
                self._send({"op": "spawned", "id": leader.command, "pid": leader.pid})

    def _environment(self, unset: list[str]) -> Mapping[bytes, bytes]:
        """The keeper's own environment, which never changes, without some variables."""
        if self._unset != unset:
            self._unset = unset
            left_out = {to_bytes(name) for name in unset}
            self._inherited = {name: text for name, text in os.environb.items() if name not in left_out}
        return self._inherited

    def _lock(self, path: str) -> None:
        """Lock a file for as long as bodies may be alive, so that nobody starts the run's next ones before."""
        with contextlib.suppress(OSError):  # a body has removed the run's directory: nobody can resume that
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            self.locks[path] = fd
            fcntl.lockf(fd, fcntl.LOCK_EX)
        self.scratch_directories[path] = f"{path.rpartition('/')[0]}/scratch"

    def _unlock(self, path: str) -> None:
        """A child run has ended, and no body of it is left."""
        self.scratch_directories.pop(path, None)
        fd = self.locks.pop(path, None)
        if fd is not None:
            os.close(fd)

    def _send(self, message: Message, *fds: int) -> None:
        """Send a message, with all others of this turn if it has no descriptors."""
        self._unsent.append(pack(message))
        if fds:
            self._send_unsent(*fds)

    def _send_unsent(self, *fds: int) -> None:
        if self._unsent:
            data = b"".join(self._unsent)
            self._unsent.clear()
            with contextlib.suppress(OSError):  # dagrun is dead: the loop notices next
                self.channel.send_packed(data, *fds)

    # --- ends ----------------------------------------------------------------------------------------------

    def _reap(self) -> None:
        ended: list[tuple[_Leader, Message]] = []
        with contextlib.suppress(ChildProcessError):
            while (child := os.waitpid(-1, os.WNOHANG))[0]:
                pid, status = child
                self._leftovers.forget(pid)
                if pid in self.maskers:
                    if waiting := self.maskers.pop(pid):
                        self._send(waiting)
                elif (leader := self.leaders.pop(pid, None)) is not None:
                    code = os.waitstatus_to_exitcode(status)
                    ended.append((leader, {"op": "exit", "code": code, **leader.name}))
                    if leader.command is not None:
                        del self.commands[leader.command]
        if ended:
            self._leftovers.look(self._known)
        for leader, message in ended:
            if left := self._terminate_leftovers(leader):
                message["left"] = left
            if leader.masker in self.maskers:
                self.maskers[leader.masker] = message
            else:
                self._send(message)

    def _terminate_leftovers(self, leader: _Leader) -> list[tuple[int, str]]:
        """The first process of a body has ended: what it started ends with it. Returns ids and names of that."""
        if self._leftovers.are_none():
            self._end_spool(leader)
            return []
        left = self._leftovers.of(leader.pid, leader.mark, unmarked=leader.command is None)
        group = processes.send_group(leader.pid, signal.SIGTERM)
        processes.send(left, signal.SIGTERM)
        if group or left:
            self.kill_times.append((time.monotonic() + processes.GRACE, leader))
        self._end_spool(leader, shared=True)
        return [*left.items()]

    def _end_spool(self, leader: _Leader, *, shared: bool = False) -> None:
        """What a command has printed becomes its log, and its spool if it is `shared` with processes that may live."""
        if leader.spool is not None:
            if shared or leader.spool.has_text():
                leader.spool.save_as(leader.log)
            self._spools.give_back(leader.spool)
            leader.spool = None

    def _kill_leftovers(self) -> None:
        now = time.monotonic()
        if self.kill_times and self.kill_times[0][0] <= now:
            self._leftovers.look(self._known)
        while self.kill_times and self.kill_times[0][0] <= now:
            _, leader = self.kill_times.popleft()
            processes.send_group(leader.pid, signal.SIGKILL)
            left = self._leftovers.of(leader.pid, leader.mark, unmarked=leader.command is None)
            processes.send(left, signal.SIGKILL)

    def _remaining(self) -> list[int]:
        """Every living process below this one."""
        _reap_all()
        if processes.LINUX:
            remaining = processes.descendants(os.getpid())
        else:
            remaining = [pid for pid in self.leaders if processes.send_group(pid, 0)]
        if not remaining:
            _reap_all()  # those that have ended since: else dagrun would inherit them, and never reap them
        return remaining

    def _remove_scratch(self) -> None:
        """The files of attempts have parameters and outputs with secrets. If dagrun died, nobody else removes them."""
        for path in self.scratch_directories.values():
            shutil.rmtree(path, ignore_errors=True)


def _reap_all() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _change_directory(directory: str) -> None:
    """Enter the working directory of the next command. The keeper itself uses absolute paths only."""
    try:
        os.chdir(directory)
    except OSError as error:
        raise processes.NoDirectory(error.errno, error.strerror, directory) from None


def _spawn_error(error: OSError | ValueError, shell: str) -> str:
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
