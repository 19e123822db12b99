"""What the local executor knows of an attempt it was given and of the worker that runs it, and how calls travel between them."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dagrun.executors.processes import signal_name
from dagrun.executors.wire import Channel, Message
from dagrun.work import Attempt, Blob, Call, Ended, Json, Outputs, Watch, Work

if TYPE_CHECKING:
    import asyncio

DEPTH = 64  # bodies that are queued for one worker
#: Bytes of queued calls that a worker may not have read yet: they lie in a socket that nobody reads while a body runs,
#: and must find room there, or dagrun would wait for that body.
MOST_QUEUED = 128 * 1024


@dataclass(slots=True, eq=False)
class WarmWorker:
    """A warm process, what it is doing, and what it may begin next without a word from us."""

    pid: int
    channel: Channel
    tickets: int  # the pipe that holds the numbers of the queued calls it may begin: to take them back,
    granting: int  # and to write them
    job: Job | None = None
    queue: dict[int, Job] = field(default_factory=dict)  # by number, in the order in which they begin
    unread: deque[tuple[int, int]] = field(
        default_factory=deque
    )  # calls that it may not have come to, with their bytes
    backlog: int = 0  # bytes of them all
    late: bool = False  # others have taken work from it since it was last heard
    #: How its job ended, while it is about to begin one of its queue: both are told together, for it was never free.
    parting: Ended | None = None
    #: What it was told already: what the bodies of the run have in common, and where it finds which workflows.
    surroundings: tuple[Any, ...] = ()
    knows: set[str] = field(default_factory=set)
    retire: bool = False
    described: bool = False  # it has imported every module that registers workflows

    def room(self, size: int) -> int:
        """How many more calls of that size may be queued."""
        return min(DEPTH - len(self.queue), (MOST_QUEUED - self.backlog) // size)

    def has_read(self, number: int) -> None:
        """It has come to this call, and so has read all that was sent before it."""
        self.late = False
        while self.unread and self.unread[0][0] <= number:
            self.backlog -= self.unread.popleft()[1]

    def close(self) -> None:
        """Let go of it: it then exits."""
        self.channel.close()
        os.close(self.tickets)
        os.close(self.granting)


@dataclass(slots=True, eq=False)
class Job:
    """An attempt that was started here and has not ended."""

    work: Work
    done: Callable[[Ended], None]
    begun: float
    watch: Watch | None = None  # who is told more than the end: it was queued
    pid: int | None = None
    stop: int | None = None  # the signal it was last asked to end with
    told: bool = False  # a signal may be on its way to its process
    kill: asyncio.TimerHandle | None = None
    halt: threading.Event | None = None  # ends the copying of its artifacts, when its body has ended
    worker: WarmWorker | None = None


def call_message(worker: WarmWorker, op: str, number: int, work: Work, *, quick: bool) -> Message:
    """A call as it travels; what many calls have in common only when the worker was not told it before."""
    assert isinstance(work.body, Call)
    attempt = work.attempt
    message: Message = {
        "op": op, "n": number, "task": attempt.task_id, "try": attempt.number, "ref": work.body.ref, "params": work.params,
        "upstream": {task: _sent(outputs, attempt) for task, outputs in work.upstream.items()},
        "env": work.own_env, "timeout": attempt.timeout,
        "log": attempt.log.removeprefix(attempt.directory),
        "artifacts": attempt.artifacts.removeprefix(attempt.directory),
        "outputs": attempt.outputs.removeprefix(attempt.directory), "quick": quick,
    }  # fmt: skip
    if work.body.ref not in worker.knows:
        worker.knows.add(work.body.ref)
        message["origin"] = work.body.origin
    surroundings = (attempt.run_id, work.env, work.unset, work.masks, work.cwd, work.max_output_bytes)
    if surroundings != worker.surroundings:
        worker.surroundings = surroundings
        message["in"] = {
            "run_id": attempt.run_id, "directory": attempt.directory, "env": {**work.env, **attempt.variables()}, "unset": list(work.unset),
            "masks": list(work.masks), "cwd": str(work.cwd), "max_output_bytes": work.max_output_bytes,
            "spools": attempt.scratch.rpartition("/")[0],
        }  # fmt: skip
    return message


def key_of(attempt: Attempt) -> tuple[str, str]:
    """The task of which run: it has one attempt at a time."""
    return attempt.run_id, attempt.task_id


def since(job: Job) -> float:
    """Seconds since the attempt began."""
    return round(time.monotonic() - job.begun, 6)


def death(job: Job, code: int) -> Ended:
    """How an attempt ended whose worker is gone."""
    how = (
        f"was killed by {signal_name(-code)}"
        if code < 0
        else f"exited with code {code} before the body ended"
    )
    return Ended(
        duration=since(job), error=f"the worker process {how}", error_type="WorkerDied", exit_code=code
    )


def ended_of(message: Message) -> Ended:
    """How an attempt ended, as its worker says."""
    if "error" in message:
        return Ended(duration=message["duration"], error=message["error"], error_type=message["error_type"])
    blob = message.get("blob")
    outputs: Outputs = Blob(**blob) if blob else message["outputs"]
    return Ended(duration=message["duration"], outputs=outputs, changed=message["changed"])


def _sent(outputs: Outputs, attempt: Attempt) -> Mapping[str, Json]:
    if isinstance(outputs, Blob):
        return {"file": f"{attempt.outputs.rpartition('/')[0]}/{outputs.file}"}
    return {"data": outputs}
