"""Information that the system has about processes, and the Linux features that dagrun uses to control them."""

from __future__ import annotations

import base64
import contextlib
import ctypes
import errno
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

from dagrun.errors import one_line
from dagrun.value import Value

LINUX = sys.platform == "linux"
KEEPER = "dagrun-keeper"  # the name that `ps` shows; processes that the keeper forks inherit it
WORKER = "dagrun-w"  # the beginning of the name of every worker
BODY = (
    "DAGRUN_BODY"  # in the environment of everything that an attempt starts; its value is the attempt's mark
)

#: Seconds between SIGTERM and SIGKILL for what a body leaves behind, and for everything once dagrun is dead.
GRACE = 1.0
_MAX_NAMES = 10  # in one line of a log
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NAME = 15


def _prctl(option: int, value: int | bytes) -> None:
    if LINUX:
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def adopt_orphans() -> None:
    """Make this process, instead of init, the parent of every orphan among its descendants (Linux)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Be killed when the parent dies (Linux); exit at once if it is dead already.

    The signal is sent when the *thread* that forked ends; the keeper has only one.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def set_name(name: str) -> None:
    """Set the name that `ps` and `top` show for this process."""
    _prctl(_PR_SET_NAME, name.encode()[:15])


def thread_count() -> int:
    """The number of threads of this process. On Linux those that libraries have started without Python count too."""
    try:
        return len(os.listdir("/proc/self/task"))  # noqa: PTH208
    except OSError:
        return threading.active_count()


def close_other_files(keep: int) -> None:
    """Close every descriptor of this process except the standard streams and `keep`."""
    try:  # not a range: the limit of open files may be a thousand million
        found = [int(name) for name in os.listdir("/dev/fd")]  # noqa: PTH208
    except OSError:
        found = [*range(4096)]
    for fd in found:
        if fd > 2 and fd != keep:
            with contextlib.suppress(OSError):
                os.close(fd)


def wipe_variable(name: str) -> None:
    """Overwrite a variable of this process in `/proc/<pid>/environ`, which does not change when it is unset."""
    with contextlib.suppress(OSError, AttributeError):
        getenv = ctypes.CDLL(None).getenv
        getenv.restype = ctypes.c_void_p
        if address := getenv(os.fsencode(name)):
            ctypes.memset(address, ord("*"), len(ctypes.string_at(address)))


def prefer_for_oom(pid: int | str = "self") -> None:
    """When memory runs out, let the system kill a body before dagrun itself (Linux)."""
    with contextlib.suppress(OSError):
        fd = os.open(f"/proc/{pid}/oom_score_adj", os.O_WRONLY)
        try:
            os.write(fd, b"500")
        finally:
            os.close(fd)


def worker_name() -> str:
    """A random name for the workers of one executor. Processes that they fork inherit it, and have no other mark."""
    return WORKER + base64.b32encode(os.urandom(5)).decode().lower()[:7]  # the system takes 15 characters


@cache
def boot_id() -> str:
    """An id that changes with every boot of the system; empty where it is unknown."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def start_time(pid: int) -> int:
    """When a process started, in clock ticks since boot; 0 where that is unknown."""
    process = read(pid)
    return process.started if process is not None else 0


class ProcessInfo(Value):
    """A row of the process table. `started` is in clock ticks since boot; with `pid` it identifies a process for certain."""

    pid: int
    parent: int
    group: int
    session: int
    dead: bool
    started: int
    name: str


def table() -> dict[int, ProcessInfo]:
    """The process table (Linux; empty elsewhere)."""
    found: dict[int, ProcessInfo] = {}
    if not LINUX:
        return found
    for entry in os.listdir("/proc"):  # noqa: PTH208 - names only; a Path for each costs more than the read
        if entry.isdigit() and (process := read(int(entry))):
            found[process.pid] = process
    return found


def read(pid: int) -> ProcessInfo | None:
    """One row of the process table; None when there is no such process (or no such table)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    start, end = text.index(b"(") + 1, text.rindex(b")")  # a name may contain either
    state, parent, group, session, *rest = text[end + 2 :].split()
    dead, name = state in (b"Z", b"X"), text[start:end].decode(errors="replace")
    return ProcessInfo(pid, int(parent), int(group), int(session), dead, int(rest[15]), name)


def descendants(root: int) -> list[int]:
    """Every living process below `root`, parents before children. Reads the whole process table."""
    return below(root, table())


def below(root: int, processes: Mapping[int, ProcessInfo]) -> list[int]:
    """The same from a table that was read before."""
    children: dict[int, list[int]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process.pid)
    found, queue = [], [root]
    while queue:
        for pid in children.get(queue.pop(), ()):
            queue.append(pid)
            if not processes[pid].dead:
                found.append(pid)
    return found


def children(pid: int) -> list[int]:
    """The direct children of a process, without reading the whole process table (Linux; empty elsewhere)."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    except OSError:  # the process, or one of its threads, has ended
        pass
    return found


def own_children() -> list[int]:
    """The direct children of this process, which has one thread (Linux; empty elsewhere). One file, however many there are."""
    try:
        with open("/proc/thread-self/children", "rb") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def mark_of(pid: int) -> str | None:
    """The mark of the attempt that started a process; None when its environment has none."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return None
    prefix = f"{BODY}=".encode()
    return next((each[len(prefix) :].decode() for each in variables if each.startswith(prefix)), None)


def name_of(pid: int) -> str:
    """The name that `ps` shows for a process; empty when there is no such process."""
    process = read(pid)
    return process.name if process is not None else ""


@cache
def program(name: str, path: str | None) -> str:
    """The file of the command `name` with this PATH. Raises FileNotFoundError."""
    found = name if "/" in name else shutil.which(name, path=path)
    if found is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    return found


class NoDirectory(OSError):
    """The working directory of a body cannot be entered."""

    def __str__(self) -> str:
        return f"working_dir {self.filename}: {self.strerror}"


def leftovers_text(left: Sequence[tuple[int, str]]) -> str:
    """The message in the log about processes that a task left running: their ids and names."""
    what = "1 process" if len(left) == 1 else f"{len(left)} processes"
    names = ", ".join(f"{pid} {one_line(name)}" for pid, name in left[:_MAX_NAMES])
    more = f" and {len(left) - _MAX_NAMES} more" if len(left) > _MAX_NAMES else ""
    return f"ended {what} that the task left running: {names}{more}"


def send(pids: Iterable[int], signum: int) -> None:
    """Send a signal to each process that still exists."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signum)


def end_all(find: Callable[[], Sequence[int]]) -> None:
    """End the processes that `find` returns, until it returns none: SIGTERM, GRACE, SIGKILL.

    Gives up after some seconds: what is left then is another user's, or hangs in the kernel.
    """
    deadline = time.monotonic() + GRACE
    terminated: set[int] = set()
    while pids := find():
        if time.monotonic() < deadline:
            fresh = [pid for pid in pids if pid not in terminated]
            send(fresh, signal.SIGTERM)
            send(fresh, signal.SIGCONT)  # a stopped process would not handle its SIGTERM
            terminated.update(fresh)
        else:
            send(pids, signal.SIGKILL)
            if time.monotonic() > deadline + 5 * GRACE:
                return
        time.sleep(0.01)


def send_group(leader: int, signum: int) -> bool:
    """Send a signal to a process group; False when the group has no process left."""
    try:
        os.killpg(leader, signum)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS reports this for a group of which only the unreaped leader is left
        return LINUX
    return True


def signal_name(number: int) -> str:
    """`SIGSEGV` for 11."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
