"""What an executor is given for one attempt, and what it reports at the end."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from dagrun.value import Value, field

Json = Any  # data that json.dumps accepts

#: Outputs and lists that take more bytes as JSON are stored in files, not in events.
INLINE_BYTES = 64 * 1024


class Result(Value):
    """What a workflow returns to report that it changed nothing: `Result({"path": p}, changed=False)`."""

    outputs: Mapping[str, Json] = field(default_factory=dict)
    changed: bool = True


class TaskContext(msgspec.Struct):
    """Information about the current attempt, for workflows with a parameter that has this class as its annotation.

    `deadline` is in seconds since the epoch. `cancelled` becomes true when the attempt should end; a body that takes
    a context should check it regularly, and is killed if it is still running when the grace period is over.
    """

    run_id: str
    task_id: str
    attempt: int
    deadline: float | None
    log: logging.Logger
    artifacts: Path
    cancelled: bool = False


class Blob(Value):
    """Outputs that are too large for an event: the name of a file in `outputs/` of the run, its size in bytes, its SHA-256."""

    file: str
    size: int
    sha256: str


Outputs = Mapping[str, Json] | Blob


class Attempt(Value, kw_only=True):
    """Which attempt of which task of which run, and its timeout in seconds. Where its files are is the executor's affair."""

    run_id: str
    task_id: str
    number: int
    timeout: float | None


class Call(Value, kw_only=True):
    """A registered Python function; `origin` is where a worker finds it."""

    ref: str
    origin: Mapping[str, str]


SCRIPT_FILE = "{0}"  # in a command line: placeholder for the path of the script


class Command(Value, kw_only=True):
    """A script and one or two command lines that can run it.

    The text of the script is appended to `argv` as the last argument. In `file_argv`, SCRIPT_FILE is replaced by the
    path of a file with the script, which ends in `suffix`.
    """

    argv: tuple[str, ...] | None
    script: str
    file_argv: tuple[str, ...] | None = None
    suffix: str = ""


class Container(Value, kw_only=True):
    """`command`, or else the default command of the image, in a container of `image`."""

    image: str
    command: Command | None
    mount: tuple[str, ...]
    pull: Literal["missing", "always", "never"]


class Nothing(Value):
    """No body: the attempt succeeds at once and has changed nothing."""


Body = Call | Command | Container | Nothing


class ServiceBody(Value):
    """A container that runs for as long as the body does."""

    name: str
    image: str
    env: Mapping[str, str]


class Work(Value, kw_only=True):
    """The body of one attempt with everything it needs. `upstream` has the outputs of each direct dependency, in file order."""

    attempt: Attempt
    body: Body
    services: tuple[ServiceBody, ...] = ()
    params: Mapping[str, Json]
    upstream: Mapping[str, Outputs]
    #: The variables that all bodies of the run share (always the same object), and those of this body alone.
    env: Mapping[str, str]
    own_env: Mapping[str, str] = field(default_factory=dict)
    #: Declared secrets: variables of dagrun's own environment that are hidden from the body unless `env` has them.
    unset: tuple[str, ...] = ()
    #: Texts that are masked in everything the body prints or returns.
    masks: tuple[str, ...] = ()
    cwd: Path
    #: Files to keep when the body has ended: paths and glob patterns, absolute or relative to `cwd`.
    artifacts: tuple[str, ...] = ()
    max_output_bytes: int


class AttemptResult(Value, kw_only=True):
    """How an attempt ended. `error` is None if and only if it succeeded. Durations are in seconds."""

    duration: float
    outputs: Outputs = field(default_factory=dict)
    changed: bool = True
    error: str | None = None
    error_type: str | None = None
    exit_code: int | None = None
    #: Number of processes that the body left running and that dagrun then ended.
    left_running: int = 0
