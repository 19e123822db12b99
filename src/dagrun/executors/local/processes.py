"""What the system knows about processes: who descends from whom, and the knobs that Linux has for it."""

from __future__ import annotations

import base64
import contextlib
import ctypes
import errno
import os
import shutil
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from dagrun.errors import one_line

LINUX = sys.platform == "linux"
KEEPER = "dagrun-keeper"  # the name that the system shows; what it forks has it too
WORKER = "dagrun-w"  # what a worker's name begins with
BODY = "DAGRUN_BODY"  # in the environment of everything that an attempt starts

_MOST_NAMES = 10  # in one line of a log
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NAME = 15


def _prctl(option: int, value: int | bytes) -> None:
    if LINUX:
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def adopt_orphans() -> None:
    """Let every orphan below this process become its child, not init's (Linux)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Be killed when the parent dies (Linux); exit at once if it is dead already.

    The signal follows the parent's *thread* that forked; the keeper has only one.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def call_me(name: str) -> None:
    """The name that `ps` and `top` show."""
    _prctl(_PR_SET_NAME, name.encode()[:15])


def wipe_variable(name: str) -> None:
    """Overwrite a variable of this process where the system shows it, in `/proc/<pid>/environ`: unsetting it does not."""
    with contextlib.suppress(OSError, AttributeError):
        getenv = ctypes.CDLL(None).getenv
        getenv.restype = ctypes.c_void_p
        if address := getenv(os.fsencode(name)):
            ctypes.memset(address, ord("*"), len(ctypes.string_at(address)))


def prefer_for_oom(pid: int | str = "self") -> None:
    """When memory runs out, let the system end a body before dagrun itself (Linux)."""
    with contextlib.suppress(OSError):
        fd = os.open(f"/proc/{pid}/oom_score_adj", os.O_WRONLY)
        try:
            os.write(fd, b"500")
        finally:
            os.close(fd)


def worker_name() -> str:
    """A name for the workers of one executor. What they fork has it too, and shows nothing else of where it comes from."""
    return WORKER + base64.b32encode(os.urandom(5)).decode().lower()[:7]  # the system takes 15 characters


@cache
def boot() -> str:
    """Which start of the system this is; empty where that cannot be told."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def started(pid: int) -> int:
    """When a process began, in the system's own count; 0 where that cannot be told."""
    process = _read(pid)
    return process.started if process is not None else 0


@dataclass(frozen=True, slots=True)
class Process:
    """One line of the process table. `started` counts from the system's start; with the id it tells a process for sure."""

    pid: int
    parent: int
    group: int
    session: int
    dead: bool
    started: int
    name: str


def table() -> dict[int, Process]:
    """The process table (Linux; empty elsewhere)."""
    found: dict[int, Process] = {}
    if not LINUX:
        return found
    for entry in os.listdir("/proc"):  # noqa: PTH208 - names only; a Path for each costs more than the read
        if entry.isdigit() and (process := _read(int(entry))):
            found[process.pid] = process
    return found


def _read(pid: int) -> Process | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    start, end = text.index(b"(") + 1, text.rindex(b")")  # a name may hold either
    state, parent, group, session, *rest = text[end + 2 :].split()
    dead, name = state in (b"Z", b"X"), text[start:end].decode(errors="replace")
    return Process(pid, int(parent), int(group), int(session), dead, int(rest[15]), name)


def descendants(root: int) -> list[int]:
    """Every living process below `root`, parents before children."""
    return below(root, table())


def below(root: int, processes: Mapping[int, Process]) -> list[int]:
    """The same, by a table that was read before."""
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
    """The direct children of a process with one thread; cheap (Linux; empty elsewhere)."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def belongs_to(pid: int, leader: int, body: str, *, unmarked: bool = False) -> bool:
    """Whether a process was started by the attempt whose first process was `leader` and whose mark is `body`.

    With `unmarked` also one that bears no mark at all will do.
    """
    process = _read(pid)
    if process is None or process.dead:
        return False
    if leader in (process.group, process.session):
        return True
    found = mark_of(pid)
    return found == body or (unmarked and found is None)


def mark_of(pid: int) -> str | None:
    """The mark of the attempt that started a process; None when its environment shows none."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return None
    prefix = f"{BODY}=".encode()
    return next((each[len(prefix) :].decode() for each in variables if each.startswith(prefix)), None)


def name_of(pid: int) -> str:
    """The name that `call_me` gave a process, or one that it was forked from."""
    process = _read(pid)
    return process.name if process is not None else ""


@cache
def program(name: str, path: str | None) -> str:
    """The file that `name` means with this PATH. Raises FileNotFoundError."""
    found = name if "/" in name else shutil.which(name, path=path)
    if found is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    return found


class NoDirectory(OSError):
    """A body cannot run in the directory that it is to run in."""

    def __str__(self) -> str:
        return f"working_dir {self.filename}: {self.strerror}"


def ended_line(left: Sequence[tuple[int, str]]) -> str:
    """What the log says of processes that a task left running."""
    what = "1 process" if len(left) == 1 else f"{len(left)} processes"
    names = ", ".join(f"{pid} {one_line(name)}" for pid, name in left[:_MOST_NAMES])
    more = f" and {len(left) - _MOST_NAMES} more" if len(left) > _MOST_NAMES else ""
    return f"dagrun: ended {what} that the task left running: {names}{more}\n"


def send(pids: Iterable[int], signum: int) -> None:
    """Signal each process that is still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signum)


def send_group(leader: int, signum: int) -> bool:
    """Signal a process group; False when nothing is left of it."""
    try:
        os.killpg(leader, signum)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says so for a group of which only the unreaped leader is left
        return LINUX
    return True


def signal_name(number: int) -> str:
    """`SIGSEGV` for 11."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
