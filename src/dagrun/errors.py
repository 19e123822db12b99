"""Every error that dagrun raises on purpose; each owns its sentence and its exit code.

* DagrunError                 a request that cannot be served                      exit 2
  x UsageError                the request itself is wrong (flags, parameters)
  x NotFoundError             a name that does not exist: DAG, run, task
  x RefusedError              a request that is understood and refused (a run id that is taken)
  x DocumentError             one or more documents have errors; holds all findings (source.py)
  x RecordError               a fact could not be recorded (disk full); the run stops   exit 1
  x EnvironmentFailure        the machine lacks what dagrun needs to go on              exit 1

A task that fails is not an error of this tree: it is a value (`work.Ended`).
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice


class DagrunError(Exception):
    """A request that cannot be served. `hint` says what to do about it."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(DagrunError):
    """The request itself is wrong."""


class NotFoundError(DagrunError):
    """A name that does not exist, with the nearest names that do."""

    def __init__(self, what: str, name: str, known: Collection[str] = (), *, hint: str = "") -> None:
        super().__init__(f"{what} '{one_line(name)}' not found", hint=did_you_mean(name, known) or hint)


class RefusedError(DagrunError):
    """A request that is understood and refused."""


class RecordError(DagrunError):
    """A fact could not be recorded; the run stops rather than going on unrecorded."""

    exit_code = 1


class EnvironmentFailure(DagrunError):
    """The machine lacks what dagrun needs to go on."""

    exit_code = 1


def one_line(text: str) -> str:
    """Text for one line: control characters, line ends among them, are shown and not obeyed."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


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
