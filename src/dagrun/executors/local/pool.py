"""The pool of warm workers: which are idle, which run which call, and what happens to calls when a worker dies."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dagrun.core.work import AttemptResult
from dagrun.executors.local import commands
from dagrun.executors.local.attempts import (
    RunningAttempt,
    error_text,
    failure,
    reported_end,
    seconds_since_begin,
    worker_death,
)
from dagrun.executors.local.channel import Channel, Message
from dagrun.executors.local.prefetch import BodyStatistics, Prefetcher, ref_of
from dagrun.executors.local.processes import BODY
from dagrun.executors.local.worker_handle import MAX_PREFETCHED, WorkerHandle, packed_call

if TYPE_CHECKING:
    import asyncio  # imported at run time only where there is a loop: reading the registry needs none


#: Bytes of one message from a worker. A body that writes to the worker's socket produces a greater length.
MAX_MESSAGE = 1 << 26
NO_MORE_FILES = f"cannot start a worker process: {os.strerror(errno.EMFILE)}"


class PoolOwner(Protocol):
    """The executor whose calls the workers run."""

    def send_to_keeper(self, message: Message) -> None:
        """Send a request to the keeper."""
        ...

    def send_signal(self, attempt: RunningAttempt) -> None:
        """Have the keeper send the attempt's stop signal to its process."""
        ...

    def finish(self, attempt: RunningAttempt, ended: AttemptResult) -> None:
        """The body of the attempt has ended."""
        ...

    def return_to_engine(self, attempt: RunningAttempt) -> None:
        """The attempt was prefetched and has not begun."""
        ...

    def rebalance_soon(self) -> None:
        """A worker has become idle."""
        ...


class Pool:
    """Owns the workers, and the calls that wait for one."""

    def __init__(self, owner: PoolOwner, root: Path, mark: str, name: str) -> None:
        self.workers: dict[int, WorkerHandle] = {}
        self._owner = owner
        self._root = root
        self._mark = mark
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle: list[WorkerHandle] = []
        self._waiting: list[RunningAttempt] = []  # for workers that are being forked
        self._requested = 0  # workers that were requested and have not arrived
        self._without_code: dict[int, RunningAttempt] = {}  # of dead workers whose exit code is not known yet
        self._codes: dict[int, int] = {}  # exit codes that arrived before the end of the worker's channel
        self._statistics = BodyStatistics()
        self._prefetcher = Prefetcher(self._statistics)
        self._numbers = iter(range(1, 1 << 62))
        self._closed = False

    # --- workers come and go --------------------------------------------------------------------------------

    def request_worker(self, first: Message | None = None) -> None:
        """Request one more worker, which handles the request `first` before anything else."""
        self._requested += 1
        request: Message = {
            "op": "fork_worker", "name": self._name, "mark": self._mark, "sys_path": [str(self._root)],
            "env": {BODY: self._mark}, "first": first,
        }  # fmt: skip
        self._owner.send_to_keeper(request)

    def register(self, message: Message, keeper: Channel) -> WorkerHandle | None:
        """The worker of this message from the keeper; None if this process cannot open the descriptors to talk to it."""
        fds = keeper.take_fds()
        if len(fds) < 3:
            for fd in fds:
                os.close(fd)
            self._kill(message["pid"])
            return None
        self._requested -= 1
        sock, ticket_reader, ticket_writer = fds
        channel = Channel(socket.socket(fileno=sock), longest=MAX_MESSAGE)
        worker = WorkerHandle(message["pid"], channel, ticket_reader, ticket_writer)
        self.workers[worker.pid] = worker
        return worker

    def add_worker(self, message: Message, keeper: Channel) -> None:
        """A requested worker has arrived: give it a call."""
        assert self._loop is not None
        worker = self.register(message, keeper)
        if worker is None:
            self.worker_failed(NO_MORE_FILES)
            return
        worker.channel.attach(self._loop, self._receive, worker)
        self.release(worker)

    def worker_failed(self, error: str) -> None:
        """A requested worker cannot be started. A waiting call fails, unless another worker may take it."""
        self._requested -= 1
        if self._waiting and not self.workers and not self._requested:
            ended = AttemptResult(duration=0.0, error=error, error_type="WorkerNotStarted")
            self._owner.finish(self._waiting.pop(0), ended)
            self._request_if_needed()

    def _request_if_needed(self) -> None:
        """Request a worker if calls wait and none will come."""
        if self._waiting and not self.workers and not self._requested and not self._closed:
            self.request_worker()

    def release(self, worker: WorkerHandle) -> None:
        """The worker is idle: give it a call that waits, or keep it."""
        while self._waiting:
            if self._send_call(worker, self._waiting.pop(0)):
                return
        self._idle.append(worker)
        if self._loop is not None:
            self._owner.rebalance_soon()

    def discard(self, worker: WorkerHandle) -> None:
        """Kill a worker whose messages nobody reads."""
        self._kill(worker.pid)
        worker.close()
        del self.workers[worker.pid]

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Receive on this loop what the workers send."""
        self._loop = loop
        for worker in self.workers.values():
            worker.channel.attach(loop, self._receive, worker)

    def close(self) -> None:
        """Close the channels to all workers, which then exit."""
        self._closed = True
        for worker in self.workers.values():
            worker.close()

    def _kill(self, pid: int) -> None:
        self._owner.send_to_keeper({"op": "signal", "pid": pid, "signal": int(signal.SIGKILL)})

    def _remove(self, worker: WorkerHandle) -> None:
        worker.channel.detach()
        self._report_end(worker)
        self._take_back(worker)
        for attempt in worker.prefetched.values():  # it took their tickets, and died before it began one
            self._owner.return_to_engine(attempt)
        worker.prefetched.clear()
        worker.close()
        self.workers.pop(worker.pid, None)
        if worker in self._idle:
            self._idle.remove(worker)
        self._request_if_needed()
        self._owner.rebalance_soon()

    def _worker_died(self, worker: WorkerHandle, reason: str = "") -> None:
        """The channel of a worker has ended. The keeper reports the exit code, before or after."""
        self._remove(worker)
        attempt = worker.current
        if attempt is None:
            self._codes.pop(worker.pid, None)
            return
        commands.keep_spool(attempt.paths, worker.pid)
        if reason:
            duration = seconds_since_begin(attempt)
            self._owner.finish(
                attempt, AttemptResult(duration=duration, error=reason, error_type="WorkerDied")
            )
        elif worker.pid in self._codes:
            self._owner.finish(attempt, worker_death(attempt, self._codes.pop(worker.pid)))
        else:
            self._without_code[worker.pid] = attempt

    def process_exited(self, pid: int, code: int) -> None:
        """The keeper reports the end of one of its processes."""
        attempt = self._without_code.pop(pid, None)
        if attempt is not None:
            self._owner.finish(attempt, worker_death(attempt, code))
        elif pid in self.workers:
            self._codes[pid] = code

    def keeper_died(self) -> None:
        """All workers died with the keeper. Read what they have sent: a body that is known to have begun must not begin again."""
        self._waiting.clear()
        for worker in list(self.workers.values()):
            with contextlib.suppress(Exception):  # not a message of a worker
                while messages := worker.channel.receive():
                    for message in messages:
                        self._handle(worker, message)
            self._remove(worker)
        self._idle.clear()
        self._without_code.clear()
        self._codes.clear()
        self._requested = 0

    # --- calls ----------------------------------------------------------------------------------------------

    def start(self, attempt: RunningAttempt) -> None:
        """Begin a call: now, or when there is a worker for it."""
        while self._idle:
            worker = self._idle.pop()
            if not (worker.has_read_registry and attempt.work.unset):
                if not self._send_call(worker, attempt):
                    self._idle.append(worker)
                return
            self._remove(worker)  # it has imported modules while the secrets were in its environment
        self._waiting.append(attempt)
        if self._requested < len(self._waiting):
            self.request_worker()

    def _send_call(self, worker: WorkerHandle, attempt: RunningAttempt) -> bool:
        """Let an idle worker begin the call; False when the call cannot be sent, and has failed for that."""
        quick = self._statistics.is_quick(ref_of(attempt.work))
        try:
            call = packed_call(worker, "call", next(self._numbers), attempt, quick=quick)
        except Exception as error:
            assert self._loop is not None
            self._loop.call_soon(self._owner.finish, attempt, failure(attempt, error))
            return False
        self._set_current(worker, attempt)
        with contextlib.suppress(OSError):  # it died while it was idle; that is noticed like any other death
            worker.channel.send_packed(call)
        return True

    def _set_current(self, worker: WorkerHandle, attempt: RunningAttempt) -> None:
        worker.current, attempt.pid = attempt, worker.pid
        attempt.began_at = time.monotonic()
        if attempt.stop_signal is not None:
            self.stop(attempt)

    def stop(self, attempt: RunningAttempt) -> None:
        """Send the attempt its stop signal, or keep it from beginning."""
        if attempt.pid is not None:
            worker = self.workers.get(attempt.pid)
            if worker is None:
                return  # it is dead
            nothing_prefetched = self._take_back(worker)
            if worker.current is not attempt:
                return  # the attempt has ended
            if nothing_prefetched or attempt.stop_signal == signal.SIGKILL:
                self._owner.send_signal(attempt)
            # Else the worker has begun the next body: this one has ended, which the worker will report.
        elif attempt.listener is not None:
            for other in self.workers.values():
                if attempt in other.prefetched.values():
                    self._take_back(other)
        elif attempt in self._waiting:
            assert self._loop is not None
            self._waiting.remove(attempt)
            ended = AttemptResult(duration=0.0, error="ended before it began", error_type="Terminated")
            self._loop.call_soon(self._owner.finish, attempt, ended)

    # --- prefetched calls -----------------------------------------------------------------------------------

    def room(self, ref: str) -> int:
        """How many calls of this workflow can be prefetched."""
        return self._prefetcher.room(ref, self.workers.values())

    def runs_tiny_body(self) -> bool:
        """Whether a worker runs a tiny body."""
        return any(map(self._prefetcher.is_candidate, self.workers.values()))

    def prefetched(self) -> int:
        """How many calls are prefetched and, as far as is known here, have not begun."""
        return sum(len(worker.prefetched) for worker in self.workers.values())

    def prefetch(self, attempts: Sequence[RunningAttempt]) -> None:
        """Prefetch calls; those that find no room are returned."""
        numbered = [(next(self._numbers), attempt) for attempt in attempts]
        assigned = self._prefetcher.assign(numbered, self.workers.values())
        for attempt in attempts[assigned:]:
            self._owner.return_to_engine(attempt)

    def rebalance(self) -> None:
        """Take back half of the calls of the worker with the most, as another one can begin them sooner.

        That worker is busy with a longer body, and gets no more calls before it has reported something.
        """
        most = max(self.workers.values(), key=lambda worker: len(worker.prefetched), default=None)
        if most is not None and most.prefetched:
            most.is_slow = True
            self._take_back(most, (len(most.prefetched) + 1) // 2)

    def _take_back(self, worker: WorkerHandle, count: int = MAX_PREFETCHED) -> bool:
        """Return prefetched calls that the worker has not begun; whether it has none left, begun or not."""
        if not worker.prefetched:
            return True
        for attempt in worker.take_back(count):
            self._owner.return_to_engine(attempt)
        if not worker.prefetched and worker.unreported_end is not None:
            self._report_end(worker)
            self.release(worker)
        return not worker.prefetched

    # --- messages from workers ------------------------------------------------------------------------------

    def _receive(self, worker: WorkerHandle) -> None:
        try:
            messages = worker.channel.receive()
            for message in messages or ():
                self._handle(worker, message)
        except Exception as error:  # written by a body, which has the same descriptors as its worker
            self._kill(worker.pid)
            self._worker_died(worker, f"the answer of its worker cannot be read: {error_text(error)}")
            return
        if messages is None:
            self._worker_died(worker)
            return
        if worker.current is not None or worker in self._idle:
            return
        if worker.retire or self._closed:
            self._remove(worker)
        else:
            self.release(worker)

    def _handle(self, worker: WorkerHandle, message: Message) -> None:
        if message["op"] not in ("begun", "not_begun", "ended"):
            worker.has_read_registry = True  # it was requested in advance, and then not needed
            return
        number = message["n"]
        worker.has_read(number)
        match message["op"]:
            case "begun":
                self._prefetched_begun(worker, number)
            case "not_begun":
                self._owner.return_to_engine(worker.prefetched.pop(number))
                if worker.current is not None and worker.current.stop_signal is not None:
                    self.stop(worker.current)  # not signalled before, as the other call seemed to have begun
            case _:
                self._call_ended(worker, message)

    def _prefetched_begun(self, worker: WorkerHandle, number: int) -> None:
        worker.has_read(number)
        attempt = worker.prefetched.pop(number)
        assert attempt.listener is not None
        self._report_end(worker)
        attempt.listener.begun()
        self._set_current(worker, attempt)

    def _call_ended(self, worker: WorkerHandle, message: Message) -> None:
        attempt = worker.current
        worker.retire = worker.retire or message.get("retire", False)
        if attempt is None:
            return
        # A signal that is still on its way must not reach the worker's next body.
        worker.retire = worker.retire or attempt.signalled
        self._statistics.add_duration(attempt.work, message["duration"])
        worker.unreported_end = reported_end(message)
        if "next" in message:
            self._prefetched_begun(worker, message["next"])
        elif worker.retire or not worker.prefetched:
            self._report_end(worker)

    def _report_end(self, worker: WorkerHandle) -> None:
        """Report how the worker's last body ended."""
        ended, worker.unreported_end = worker.unreported_end, None
        if ended is not None and worker.current is not None:
            attempt, worker.current = worker.current, None
            self._owner.finish(attempt, ended)
