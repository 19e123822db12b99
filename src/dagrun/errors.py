"""Every error that dagrun raises on purpose; each owns its sentence and its exit code.

* DagrunError                 a request that cannot be served                      exit 2
  x UsageError                the request itself is wrong (flags, parameters)
  x NotFoundError             a name that does not exist: DAG, run, task
  x RefusedError              a request that is understood and refused (a run id that is taken)
    x NotOwnedError           because it is about a run of another user
  x MachineError              the system, or its memory, refused something
  x DamagedError              what is recorded about a run is not what was written
  x DocumentError             one or more documents have errors; holds all findings (source.py)
  x RecordError               a fact could not be recorded (disk full); the run stops   exit 1
  x EnvironmentFailure        the machine lacks what dagrun needs to go on              exit 1

A task that fails is not an error of this tree: it is a value (`work.Ended`).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection
from itertools import islice


class DagrunError(Exception):
    """A request that cannot be served. `hint` says what to do about it."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class MachineError(DagrunError):
    """The system, or its memory, refused something."""


class UsageError(DagrunError):
    """The request itself is wrong."""


class NotFoundError(DagrunError):
    """A name that does not exist, with the nearest names that do."""

    def __init__(self, what: str, name: str, known: Collection[str] = (), *, hint: str = "") -> None:
        super().__init__(f"{what} '{one_line(name)}' not found", hint=did_you_mean(name, known) or hint)


class RefusedError(DagrunError):
    """A request that is understood and refused."""


class NotOwnedError(RefusedError):
    """What is to be changed belongs to another user."""


class DamagedError(DagrunError):
    """What is recorded about a run cannot be read any more: it was cut short, changed or removed."""


class RecordError(DagrunError):
    """A fact could not be recorded; the run stops rather than going on unrecorded."""

    exit_code = 1


class EnvironmentFailure(DagrunError):
    """The machine lacks what dagrun needs to go on."""

    exit_code = 1


MORE_FILES = "raise the limit, for example with `ulimit -n 1024`"
_REMEDIES = {
    errno.ENOSPC: "free some space, or choose another place",
    errno.EDQUOT: "free some space, or choose another place",
    errno.EROFS: "choose a place that can be written to",
    errno.EACCES: "check who owns it, and its permissions",
    errno.EPERM: "check who owns it, and its permissions",
    errno.EMFILE: MORE_FILES,
    errno.ENFILE: "the system has no more open files to give",
    errno.ENOMEM: "the machine has too little memory",
    errno.EAGAIN: "raise the limit of processes (`ulimit -u`)",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "remove the symbolic links that point at each other",
    errno.ENOTDIR: "one of the names on the way is a file",
    errno.EISDIR: "name a file, not a directory",
    errno.EIO: "check the disk, or the connection to it",
}


def of_the_machine(error: BaseException) -> DagrunError | None:
    """The error of the system that no more special message was found for, worded for people; None for any other."""
    match error:
        case FileNotFoundError(filename=None) if _is_nowhere():
            return UsageError(
                "the current directory does not exist any more", hint="change to another one, or give -C DIR"
            )
        case OSError():
            names = [str(name) for name in (error.filename, error.filename2) if name is not None]
            what = f"{' -> '.join(names)}: " if names else ""
            hint = _REMEDIES.get(error.errno or 0, "`--debug` shows where it happened")
            return MachineError(f"{what}{error.strerror or str(error) or type(error).__name__}", hint=hint)
        case MemoryError():
            return MachineError("there is not enough memory", hint="raise its limit, or ask for less at once")
        case RecursionError():
            return MachineError("something is nested too deep", hint="`--debug` shows where")
        case UnicodeError():
            return MachineError(f"a text cannot be read or written: {error}", hint="`--debug` shows where")
        case ValueError() if "null byte" in str(error) or "null character" in str(error):
            return MachineError("a name or a path contains a null character", hint="leave it out")
        case _:
            return None


def _is_nowhere() -> bool:
    try:
        os.getcwd()  # noqa: PTH109
    except FileNotFoundError:
        return True
    return False


def one_line(text: str) -> str:
    """Text for one line: control characters, line ends among them, are shown and not obeyed."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else escaped(char) for char in text)


def escaped(char: str) -> str:
    """How a character that must not reach a terminal is shown."""
    if "\udc80" <= char <= "\udcff":  # a byte of a name or an argument that is not UTF-8
        return f"\\x{ord(char) - 0xDC00:02x}"
    return repr(char)[1:-1]


#: Among more names than these, only those are compared that begin or end alike: each comparison takes some microseconds.
MOST_COMPARED = 500


def _alike(name: str, known: Collection[str]) -> list[str]:
    """The names that begin with the same three letters or end with them, and are nearly as long; not too many."""
    start, end, length = name[:3], name[-3:], len(name)
    alike = (
        each
        for each in known
        if abs(len(each) - length) <= 3 and (each.startswith(start) or each.endswith(end))
    )
    return list(islice(alike, MOST_COMPARED))


def nearest(name: str, known: Collection[str]) -> str | None:
    """The known name a person most likely meant, if any is near."""
    import difflib  # only a misspelt name needs it; start-up does not

    names = sorted(known) if len(known) <= MOST_COMPARED else sorted(_alike(name, known))
    matches = difflib.get_close_matches(name, names, n=1, cutoff=0.65)
    if not matches and len(name) > 2:
        matches = [each for each in names if each.startswith(name)]
    return matches[0] if len(matches) == 1 else None


def did_you_mean(name: str, known: Collection[str]) -> str:
    """The suggestion for a misspelt name; empty when nothing is near."""
    match = nearest(name, known)
    return f"did you mean '{match}'?" if match else ""


def user(uid: int) -> str:
    """A user for people: `user 'bob'`, or a number where the system knows no name."""
    import pwd  # start-up does not need it

    try:
        return f"user '{pwd.getpwuid(uid).pw_name}'"
    except KeyError:
        return f"user {uid}"
