"""A warm worker as dagrun knows it: what it runs, what it may begin next, and how calls travel to it."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from dagrun.core.work import AttemptResult, Blob, Call, Json, Outputs
from dagrun.executors.local.attempts import RunningAttempt, attempt_variables
from dagrun.executors.local.channel import TICKET, Channel, Message, pack

DEPTH = 64  # bodies that are queued for one worker
#: Bytes of queued calls that a worker may not have read yet. They mostly find room in its socket, which nobody reads
#: while a body runs; what does not is kept on dagrun's side.
MOST_QUEUED = 128 * 1024


@dataclass(slots=True, eq=False)
class WarmWorker:
    """A warm process, what it is doing, and what it may begin next without a word from us."""

    pid: int
    channel: Channel
    tickets: int  # the pipe that holds the numbers of the queued calls it may begin: to take them back,
    granting: int  # and to write them
    job: RunningAttempt | None = None
    queue: dict[int, RunningAttempt] = field(
        default_factory=dict
    )  # by number, in the order in which they begin
    #: Calls that it may not have come to, with their bytes.
    unread: deque[tuple[int, int]] = field(default_factory=deque)
    backlog: int = 0  # bytes of them all
    late: bool = False  # others have taken work from it since it was last heard
    #: How its job ended, while it is about to begin one of its queue: both are told together, for it was never free.
    parting: AttemptResult | None = None
    #: What it was told already: what the bodies of the run have in common, and where it finds which workflows.
    surroundings: tuple[Any, ...] = ()
    knows: set[str] = field(default_factory=set)
    upstream: Mapping[str, Outputs] = field(default_factory=dict)  # and what the last call's task was handed
    retire: bool = False
    described: bool = False  # it has imported every module that registers workflows

    def room(self, size: int) -> int:
        """How many more calls of that size may be queued."""
        return min(DEPTH - len(self.queue), (MOST_QUEUED - self.backlog) // size)

    def put(self, number: int, job: RunningAttempt, size: int) -> None:
        """A call of that size is going to be sent to be begun when it can."""
        self.queue[number] = job
        self.unread.append((number, size))
        self.backlog += size

    def has_read(self, number: int) -> None:
        """It has come to this call, and so has read all that was sent before it."""
        self.late = False
        while self.unread and self.unread[0][0] <= number:
            self.backlog -= self.unread.popleft()[1]

    def send_queue(self, numbers: Sequence[int], calls: Sequence[bytes]) -> None:
        """The tickets first: a worker that has a call and finds no ticket takes it for one that was taken back."""
        # If it is dead, that is heard as the end of its channel, which gives the calls back.
        with contextlib.suppress(OSError):
            os.write(self.granting, b"".join(map(TICKET.pack, numbers)))
            self.channel.send_packed(b"".join(calls))

    def take_back(self, most: int) -> list[RunningAttempt]:
        """Queued calls that it has not begun, and now cannot begin."""
        with contextlib.suppress(BlockingIOError):
            tickets = os.read(self.tickets, TICKET.size * most)
            return [self.queue.pop(number) for (number,) in TICKET.iter_unpack(tickets)]
        return []

    def close(self) -> None:
        """Let go of it: it then exits."""
        self.channel.close()
        os.close(self.tickets)
        os.close(self.granting)


def packed_call(
    worker: WarmWorker,
    op: str,
    number: int,
    job: RunningAttempt,
    *,
    quick: bool,
    fits: Callable[[int], bool] = bool,
) -> bytes:
    """A call as it travels; nothing if it does not fit. Raises ValueError, TypeError or RecursionError.

    What many calls have in common is sent only when the worker was not told it before; it counts as told when there is
    a call to send.
    """
    assert isinstance(job.work.body, Call)
    ref = job.work.body.ref
    surroundings, upstream, known = worker.surroundings, worker.upstream, ref in worker.knows
    data = b""
    try:
        data = pack(call_message(worker, op, number, job, quick=quick))
        if not fits(len(data)):
            data = b""
    finally:
        if not data:
            worker.surroundings, worker.upstream = surroundings, upstream
            if not known:
                worker.knows.discard(ref)
    return data


def call_message(worker: WarmWorker, op: str, number: int, job: RunningAttempt, *, quick: bool) -> Message:
    """A call with what the worker was not told before, and now counts as told."""
    work, attempt = job.work, job.work.attempt
    assert isinstance(work.body, Call)
    message: Message = {
        "op": op, "n": number, "task": attempt.task_id, "try": attempt.number, "ref": work.body.ref, "params": work.params,
        "env": work.own_env, "timeout": attempt.timeout, "quick": quick,
    }  # fmt: skip
    if work.body.ref not in worker.knows:
        worker.knows.add(work.body.ref)
        message["origin"] = work.body.origin
    surroundings = (attempt.run_id, work.env, work.unset, work.masks, work.cwd, work.max_output_bytes)
    if surroundings != worker.surroundings:
        worker.surroundings = surroundings
        message["in"] = {
            "run_id": attempt.run_id, "directory": job.paths.directory, "unset": list(work.unset),
            "env": {**work.env, **attempt_variables(attempt, job.paths)},
            "masks": list(work.masks), "cwd": str(work.cwd), "max_output_bytes": work.max_output_bytes,
        }  # fmt: skip
    if not _is_same(work.upstream, worker.upstream):
        worker.upstream = work.upstream
        message["upstream"] = {task: _sent(outputs) for task, outputs in work.upstream.items()}
    return message


def _is_same(one: Mapping[str, Outputs], other: Mapping[str, Outputs]) -> bool:
    """Whether the same tasks hand on the same objects: outputs that are equal may still differ, as 1 and true do."""
    return one.keys() == other.keys() and all(outputs is other[task] for task, outputs in one.items())


def _sent(outputs: Outputs) -> Mapping[str, Json]:
    return {"blob": asdict(outputs)} if isinstance(outputs, Blob) else {"data": outputs}
