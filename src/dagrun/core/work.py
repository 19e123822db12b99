"""The waist between kinds and executors: what is to be done, and how it ended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

Json = Any  # data that json.dumps takes

INLINE_BYTES = (
    64 * 1024
)  # of JSON: outputs, and lists, of more bytes than this lie in a file beside the journal


@dataclass(frozen=True, slots=True)
class Result:
    """What a workflow may return to say that nothing was changed (S4): `Result({"path": p}, changed=False)`."""

    outputs: Mapping[str, Json] = field(default_factory=dict)
    changed: bool = True


@dataclass(slots=True)
class TaskContext:
    """What a workflow learns about its own attempt; ask for it by annotating a parameter with this class.

    `deadline` is in seconds since the epoch. `cancelled` turns true when the attempt is asked to end; a body that
    takes a context is expected to look at it and is killed when it has not ended within the grace.
    """

    run_id: str
    task_id: str
    attempt: int
    deadline: float | None
    log: logging.Logger
    artifacts: Path
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Blob:
    """Outputs too large for an event: a file below the run's `outputs/`, its size in bytes and its SHA-256."""

    file: str
    size: int
    sha256: str


Outputs = Mapping[str, Json] | Blob


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Which attempt this is and where its traces go: absolute paths, as the texts in which they travel.

    `artifacts` is the task's own directory; beside it are those of the run's other tasks.
    """

    run_id: str
    task_id: str
    number: int
    timeout: float | None
    log: str
    artifacts: str
    outputs: str
    #: What the names of files begin with that only the attempt itself needs.
    scratch: str
    #: The run's own directory.
    directory: str

    def variables(self) -> dict[str, str]:
        """What every body finds in its environment about its attempt."""
        return {
            "DAGRUN_RUN_ID": self.run_id,
            "DAGRUN_RUN_DIR": self.directory,
            "DAGRUN_ARTIFACTS": self.artifacts.rpartition("/")[0],
            "DAGRUN_TASK_ID": self.task_id,
            "DAGRUN_ATTEMPT": str(self.number),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A registered Python function; `origin` says how a worker finds it."""

    ref: str
    origin: Mapping[str, str]


SCRIPT_FILE = "{0}"  # stands in a command line for the file that holds the script


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A script and the command lines that can run it, at least one.

    The script's text is the last argument after `argv`; `file_argv` has SCRIPT_FILE where a file of it is named,
    whose name ends in `suffix`.
    """

    argv: tuple[str, ...] | None
    script: str
    file_argv: tuple[str, ...] | None = None
    suffix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """`command` in a container of `image`; without one the image's own command."""

    image: str
    command: Command | None
    mount: tuple[str, ...]
    pull: Literal["missing", "always", "never"]


@dataclass(frozen=True, slots=True)
class Nothing:
    """No body at all: the attempt ends well at once and has changed nothing."""


Body = Call | Command | Container | Nothing


@dataclass(frozen=True, slots=True)
class ServiceBody:
    """A container that is to run beside a body."""

    name: str
    image: str
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One attempt's body with all it needs. `upstream` holds each direct dependency's outputs, in file order."""

    attempt: Attempt
    body: Body
    services: tuple[ServiceBody, ...] = ()
    params: Mapping[str, Json]
    upstream: Mapping[str, Outputs]
    #: The environment that all of the run's bodies have, as one object, and what this one has besides.
    env: Mapping[str, str]
    own_env: Mapping[str, str] = field(default_factory=dict)
    #: Variables of dagrun's own environment that the body must not see unless `env` has them: declared secrets.
    unset: tuple[str, ...] = ()
    #: Texts that must not appear in anything the body leaves behind.
    masks: tuple[str, ...] = ()
    cwd: Path
    #: What is to be kept when it has ended: paths from `cwd`, or absolute ones; globs are fine.
    artifacts: tuple[str, ...] = ()
    max_output_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptResult:
    """How an attempt ended. `error` is None exactly when it ended well. Durations are in seconds."""

    duration: float
    outputs: Outputs = field(default_factory=dict)
    changed: bool = True
    error: str | None = None
    error_type: str | None = None
    exit_code: int | None = None
    #: How many processes the body left running, which were then ended.
    left_running: int = 0


class PrefetchListener(Protocol):
    """What becomes of an attempt that was queued; called on the loop."""

    def begun(self) -> None:
        """Its body begins now."""
        ...

    def returned(self) -> None:
        """It has not begun and is the engine's again."""
        ...

    def ended(self, ended: AttemptResult) -> None:
        """It has begun, and ended."""
        ...


class Executor(Protocol):
    """Where attempts run. All methods are called on the engine's loop; none blocks for a body."""

    async def open(self, bodies_lock: Path | None) -> None:
        """Get ready to start bodies; keep the file `bodies_lock` locked for as long as one of them may live."""
        ...

    def start(self, work: Work, done: Callable[[AttemptResult], None]) -> None:
        """Begin the attempt; `done` is called on the loop, once, when it has ended, however it ends."""
        ...

    def room(self, ref: str) -> int:
        """How many calls of this workflow it would take now to begin later; 0 unless its bodies are over in no time."""
        ...

    def is_brisk(self) -> bool:
        """Whether the end of an attempt may be told at any moment, because its body is over in no time."""
        ...

    def queue(self, attempts: Sequence[tuple[Work, PrefetchListener]]) -> None:
        """Take attempts that begin when others end, on the places of those: no more at once than were started.

        So a worker need not wait for the engine between two tiny bodies. What has not begun can be given back at any time.
        """
        ...

    def stop(self, attempt: Attempt, *, now: bool = False) -> None:
        """Ask the attempt to end: TERM, a grace, KILL; with `now` KILL at once. Its end is still told.

        One that is queued and has not begun is returned.
        """
        ...

    async def close(self) -> None:
        """End everything that was started and is still there."""
        ...
