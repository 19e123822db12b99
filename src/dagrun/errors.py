"""Every error that dagrun raises on purpose. Each class has its own message and exit code.

* DagrunError                 a request that cannot be served                      exit 2
  x UsageError                the request itself is wrong (flags, parameters)
  x NotFoundError             a name that does not exist: DAG, run, task
  x RefusedError              a valid request that is refused (a run id that is taken)
    x NotOwnedError           because the run belongs to another user
  x MachineError              the operating system refused something
  x DamagedError              the records of a run are not what was written
  x DocumentError             one or more documents have errors; contains all findings (documents/yaml)
  x NotStartedError           the process of a run ended before the run began      its own exit code
  x RecordError               an event could not be recorded (disk full); the run stops   exit 1
  x EnvironmentFailure        the machine lacks something that dagrun needs        exit 1

A task that fails is not an exception: it is a value (`core.work.AttemptResult`).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection
from itertools import islice


class DagrunError(Exception):
    """A request that cannot be served. `hint` says what the user can do."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class MachineError(DagrunError):
    """The operating system refused something, for example memory."""


class UsageError(DagrunError):
    """The request itself is wrong."""


class NotFoundError(DagrunError):
    """A name that does not exist, with the nearest names that do."""

    def __init__(self, what: str, name: str, known: Collection[str] = (), *, hint: str = "") -> None:
        super().__init__(f"{what} '{one_line(name)}' not found", hint=did_you_mean(name, known) or hint)


class RefusedError(DagrunError):
    """A valid request that is refused."""


class NotOwnedError(RefusedError):
    """A request to change something that belongs to another user."""


class DamagedError(DagrunError):
    """The records of a run cannot be read any more: they were truncated, changed or removed."""


class NotStartedError(DagrunError):
    """The process of a run ended before the run began. The message is that of the process."""

    def __init__(self, message: str, exit_code: int, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code


class RecordError(DagrunError):
    """An event could not be recorded. The run stops: it never continues unrecorded."""

    exit_code = 1


class EnvironmentFailure(DagrunError):
    """The machine lacks something that dagrun needs."""

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
    """A Python or system error as an error with a readable message; None for an error that is not expected here."""
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
    """The text on one line: control characters, including line ends, are escaped."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else escaped(char) for char in text)


def escaped(char: str) -> str:
    """The escape sequence for a character that must not reach a terminal."""
    if "\udc80" <= char <= "\udcff":  # a byte of a name or an argument that is not UTF-8
        return f"\\x{ord(char) - 0xDC00:02x}"
    return repr(char)[1:-1]


#: With more names than this, only those with a similar beginning or end are compared: a comparison takes microseconds.
MAX_COMPARED = 500


def _alike(name: str, known: Collection[str]) -> list[str]:
    """At most MAX_COMPARED names of similar length that begin or end with the same three letters."""
    start, end, length = name[:3], name[-3:], len(name)
    alike = (
        each
        for each in known
        if abs(len(each) - length) <= 3 and (each.startswith(start) or each.endswith(end))
    )
    return list(islice(alike, MAX_COMPARED))


def nearest(name: str, known: Collection[str]) -> str | None:
    """The known name that is most similar; None when none is similar."""
    import difflib  # slow to import, and only needed for a misspelt name

    names = sorted(known) if len(known) <= MAX_COMPARED else sorted(_alike(name, known))
    matches = difflib.get_close_matches(name, names, n=1, cutoff=0.65)
    if not matches and len(name) > 2:
        matches = [each for each in names if each.startswith(name)]
    return matches[0] if len(matches) == 1 else None


def did_you_mean(name: str, known: Collection[str]) -> str:
    """The suggestion for a misspelt name; empty when there is none."""
    match = nearest(name, known)
    return f"did you mean '{match}'?" if match else ""


def user(uid: int) -> str:
    """A user in a message: `user 'bob'`, or `user 1000` when the system has no name for it."""
    import pwd

    try:
        return f"user '{pwd.getpwuid(uid).pw_name}'"
    except KeyError:
        return f"user {uid}"
