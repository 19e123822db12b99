"""A worker as dagrun sees it: the call that it runs, the calls prefetched for it, and how calls are sent to it."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from dagrun.core.work import AttemptResult, Blob, Call, Json, Outputs
from dagrun.executors.local.attempts import RunningAttempt, attempt_variables
from dagrun.executors.local.channel import TICKET, Channel, Message, pack
from dagrun.value import asdict, field

MAX_PREFETCHED = 64  # calls for one worker
#: Bytes of prefetched calls that a worker may not have read yet. Most fit into its socket, which nobody reads while a
#: body runs; the rest is buffered by dagrun.
MAX_UNREAD = 128 * 1024


class WorkerHandle(msgspec.Struct, eq=False):
    """A warm process that runs one call at a time, and begins prefetched calls without waiting for dagrun.

    Each prefetched call has a ticket, its number in a pipe: the worker takes the ticket and begins the call, or dagrun
    takes the ticket and so takes the call back.
    """

    pid: int
    channel: Channel
    ticket_reader: int
    ticket_writer: int
    current: RunningAttempt | None = None
    prefetched: dict[int, RunningAttempt] = field(
        default_factory=dict
    )  # by number, in the order of their begin
    unread: deque[tuple[int, int]] = field(
        default_factory=deque
    )  # numbers and sizes of calls it may not have read
    unread_bytes: int = 0
    is_slow: bool = False  # calls were taken back from it since it last reported something
    #: The end of `current` while the worker is about to begin a prefetched call. The end and that begin are reported
    #: together, because the worker was never idle.
    unreported_end: AttemptResult | None = None
    #: The parts of calls that it has received already: the settings of the run, workflows and upstream outputs.
    run_settings: tuple[Any, ...] = ()
    known_workflows: set[str] = field(default_factory=set)
    upstream: Mapping[str, Outputs] = field(default_factory=dict)
    retire: bool = False  # it must not begin another body
    has_read_registry: bool = False  # it has imported every module that registers workflows

    def room(self, size: int) -> int:
        """How many more calls of that size can be prefetched."""
        return min(MAX_PREFETCHED - len(self.prefetched), (MAX_UNREAD - self.unread_bytes) // size)

    def add(self, number: int, attempt: RunningAttempt, size: int) -> None:
        """Note a prefetched call of that size, which is sent next."""
        self.prefetched[number] = attempt
        self.unread.append((number, size))
        self.unread_bytes += size

    def has_read(self, number: int) -> None:
        """Note that the worker has read this call, and so everything that was sent before it."""
        self.is_slow = False
        while self.unread and self.unread[0][0] <= number:
            self.unread_bytes -= self.unread.popleft()[1]

    def send_prefetched(self, numbers: Sequence[int], calls: Sequence[bytes]) -> None:
        """Send calls that were added. Tickets come first: a call without a ticket counts as taken back."""
        # If the worker is dead, its channel ends, and its calls are returned then.
        with contextlib.suppress(OSError):
            os.write(self.ticket_writer, b"".join(map(TICKET.pack, numbers)))
            self.channel.send_packed(b"".join(calls))

    def take_back(self, count: int) -> list[RunningAttempt]:
        """At most `count` prefetched calls that the worker has not begun and now cannot begin."""
        with contextlib.suppress(BlockingIOError):
            tickets = os.read(self.ticket_reader, TICKET.size * count)
            return [self.prefetched.pop(number) for (number,) in TICKET.iter_unpack(tickets)]
        return []

    def close(self) -> None:
        """Close its channel and its pipe, after which it exits."""
        self.channel.close()
        os.close(self.ticket_reader)
        os.close(self.ticket_writer)


def packed_call(
    worker: WorkerHandle, op: str, number: int, attempt: RunningAttempt, *, quick: bool, fits: Callable[[int], bool] = bool
) -> bytes:  # fmt: skip
    """The bytes of a call; none if it does not fit. Raises ValueError, TypeError or RecursionError.

    The parts that many calls share are sent only when the worker does not have them. They count as sent only if
    there are bytes to send.
    """
    assert isinstance(attempt.work.body, Call)
    ref = attempt.work.body.ref
    run_settings, upstream, known = worker.run_settings, worker.upstream, ref in worker.known_workflows
    data = b""
    try:
        data = pack(call_message(worker, op, number, attempt, quick=quick))
        if not fits(len(data)):
            data = b""
    finally:
        if not data:
            worker.run_settings, worker.upstream = run_settings, upstream
            if not known:
                worker.known_workflows.discard(ref)
    return data


def call_message(
    worker: WorkerHandle, op: str, number: int, attempt: RunningAttempt, *, quick: bool
) -> Message:
    """A call, with the shared parts that the worker does not have. They count as sent from now on."""
    work, its = attempt.work, attempt.work.attempt
    assert isinstance(work.body, Call)
    message: Message = {
        "op": op, "n": number, "task": its.task_id, "attempt": its.number, "ref": work.body.ref, "params": work.params,
        "env": work.own_env, "timeout": its.timeout, "quick": quick,
    }  # fmt: skip
    if work.body.ref not in worker.known_workflows:
        worker.known_workflows.add(work.body.ref)
        message["origin"] = work.body.origin
    run_settings = (its.run_id, work.env, work.unset, work.masks, work.cwd, work.max_output_bytes)
    if run_settings != worker.run_settings:
        worker.run_settings = run_settings
        message["run"] = {
            "run_id": its.run_id, "directory": attempt.paths.directory, "unset": list(work.unset),
            "env": {**work.env, **attempt_variables(its, attempt.paths)},
            "masks": list(work.masks), "cwd": str(work.cwd), "max_output_bytes": work.max_output_bytes,
        }  # fmt: skip
    if not _is_same(work.upstream, worker.upstream):
        worker.upstream = work.upstream
        message["upstream"] = {task: _as_json(outputs) for task, outputs in work.upstream.items()}
    return message


def _is_same(one: Mapping[str, Outputs], other: Mapping[str, Outputs]) -> bool:
    """Whether both have the same tasks with the same objects. Equal outputs may still differ, as 1 and true do."""
    return one.keys() == other.keys() and all(outputs is other[task] for task, outputs in one.items())


def _as_json(outputs: Outputs) -> Mapping[str, Json]:
    return {"blob": asdict(outputs)} if isinstance(outputs, Blob) else {"data": outputs}
