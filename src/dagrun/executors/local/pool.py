"""The warm workers: who is idle, who runs what, who has what queued, and what becomes of it when one of them dies."""

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
from dagrun.executors.local.attempts import RunningAttempt, death, ended_of, failure, sentence, since
from dagrun.executors.local.channel import Channel, Message
from dagrun.executors.local.prefetch import Dealer, Pace, ref_of
from dagrun.executors.local.processes import BODY
from dagrun.executors.local.worker_handle import DEPTH, WarmWorker, packed_call

if TYPE_CHECKING:
    import asyncio  # at run time where there is a loop: what reads the registry only has none


LONGEST = (
    1 << 26
)  # bytes of one answer of a worker; a body that prints to the wrong descriptor gives a longer one
NO_MORE_FILES = f"cannot start a worker process: {os.strerror(errno.EMFILE)}"


class Owner(Protocol):
    """Whose jobs the workers run."""

    def tell_keeper(self, message: Message) -> None:
        """Ask the keeper for something."""
        ...

    def kill(self, job: RunningAttempt) -> None:
        """Have the keeper send the job's process the signal that it is to stop with."""
        ...

    def finish(self, job: RunningAttempt, ended: AttemptResult) -> None:
        """The job's body has ended."""
        ...

    def give_back(self, job: RunningAttempt) -> None:
        """The job was queued, and has not begun."""
        ...

    def share_soon(self) -> None:
        """A place is free."""
        ...


class Pool:
    """Owns the warm workers, and the calls that wait for one."""

    def __init__(self, owner: Owner, root: Path, mark: str, name: str) -> None:
        self.workers: dict[int, WarmWorker] = {}
        self._owner = owner
        self._root = root
        self._mark = mark
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle: list[WarmWorker] = []
        self._waiting: list[RunningAttempt] = []  # for workers that are being forked
        self._asked = 0  # workers asked for and not here yet
        self._dead: dict[int, RunningAttempt] = {}  # what they ran, until the keeper says how they died
        self._codes: dict[int, int] = {}  # what it said before their channels told us
        self._pace = Pace()
        self._dealer = Dealer(self._pace)
        self._numbers = iter(range(1, 1 << 62))
        self._closed = False

    # --- workers come and go --------------------------------------------------------------------------------

    def ask_for_worker(self, first: Message | None = None) -> None:
        """Ask for one more, which does `first` before anything else."""
        self._asked += 1
        request: Message = {
            "op": "worker", "name": self._name, "mark": self._mark, "sys_path": [str(self._root)], "env": {BODY: self._mark}, "first": first,
        }  # fmt: skip
        self._owner.tell_keeper(request)

    def admit(self, message: Message, keeper: Channel) -> WarmWorker | None:
        """One that was asked for is here; None if this process may open no more files, and so cannot talk to it."""
        fds = keeper.take_fds()
        if len(fds) < 3:
            for fd in fds:
                os.close(fd)
            self._owner.tell_keeper({"op": "kill", "pid": message["pid"], "signal": int(signal.SIGKILL)})
            return None
        self._asked -= 1
        sock, tickets, granting = fds
        channel = Channel(socket.socket(fileno=sock), longest=LONGEST)
        worker = WarmWorker(message["pid"], channel, tickets, granting)
        self.workers[worker.pid] = worker
        return worker

    def welcome(self, message: Message, keeper: Channel) -> None:
        """One that was asked for is here, and can be given work."""
        assert self._loop is not None
        worker = self.admit(message, keeper)
        if worker is None:
            self.do_without(NO_MORE_FILES)
            return
        worker.channel.listen(self._loop, self._hear, worker)
        self.reuse(worker)

    def do_without(self, error: str) -> None:
        """One that was asked for cannot be had: what waits for it waits for another, if there is one."""
        self._asked -= 1
        if self._waiting and not self.workers and not self._asked:
            ended = AttemptResult(duration=0.0, error=error, error_type="WorkerNotStarted")
            self._owner.finish(self._waiting.pop(0), ended)
            self._ask_for_those_that_wait()

    def _ask_for_those_that_wait(self) -> None:
        """Nothing may wait for a worker that will never come."""
        if self._waiting and not self.workers and not self._asked and not self._closed:
            self.ask_for_worker()

    def reuse(self, worker: WarmWorker) -> None:
        """It is free: give it what waits, or keep it."""
        while self._waiting:
            if self._hand_over(worker, self._waiting.pop(0)):
                return
        self._idle.append(worker)
        if self._loop is not None:
            self._owner.share_soon()

    def discard(self, worker: WarmWorker) -> None:
        """Kill one that nobody listens to."""
        self._owner.tell_keeper({"op": "kill", "pid": worker.pid, "signal": int(signal.SIGKILL)})
        worker.close()
        del self.workers[worker.pid]

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hear on this loop what the workers say."""
        self._loop = loop
        for worker in self.workers.values():
            worker.channel.listen(loop, self._hear, worker)

    def close(self) -> None:
        """Let go of all: they then exit."""
        self._closed = True
        for worker in self.workers.values():
            worker.close()

    def _dismiss(self, worker: WarmWorker) -> None:
        worker.channel.ignore()
        self._part(worker)
        self._take_back(worker)
        for job in worker.queue.values():  # it took their tickets, and was gone before it could begin one
            self._owner.give_back(job)
        worker.queue.clear()
        worker.close()
        self.workers.pop(worker.pid, None)
        if worker in self._idle:
            self._idle.remove(worker)
        self._ask_for_those_that_wait()
        self._owner.share_soon()

    def _lose(self, worker: WarmWorker, why: str = "") -> None:
        """It is gone; the keeper says with which code, before or after."""
        self._dismiss(worker)
        job = worker.job
        if job is None:
            self._codes.pop(worker.pid, None)
            return
        commands.keep_spool(job.paths, worker.pid)
        if why:
            self._owner.finish(job, AttemptResult(duration=since(job), error=why, error_type="WorkerDied"))
        elif worker.pid in self._codes:
            self._owner.finish(job, death(job, self._codes.pop(worker.pid)))
        else:
            self._dead[worker.pid] = job

    def exited(self, pid: int, code: int) -> None:
        """The keeper says so of one of its processes."""
        job = self._dead.pop(pid, None)
        if job is not None:
            self._owner.finish(job, death(job, code))
        elif pid in self.workers:
            self._codes[pid] = code

    def lose_all(self) -> None:
        """The keeper died, and they with it: hear what they have said, for that must not begin again unseen."""
        for worker in list(self.workers.values()):
            with contextlib.suppress(Exception):  # what cannot be read is not one of ours
                while messages := worker.channel.receive():
                    for message in messages:
                        self._take_in(worker, message)
            self._dismiss(worker)
        self._idle.clear()
        self._waiting.clear()
        self._dead.clear()
        self._codes.clear()
        self._asked = 0

    # --- calls ----------------------------------------------------------------------------------------------

    def start(self, job: RunningAttempt) -> None:
        """Begin a call: now, or when there is a worker for it."""
        while self._idle:
            worker = self._idle.pop()
            if not (worker.described and job.work.unset):
                if not self._hand_over(worker, job):
                    self._idle.append(worker)
                return
            self._dismiss(worker)  # it has imported modules with the secrets in its environment
        self._waiting.append(job)
        if self._asked < len(self._waiting):
            self.ask_for_worker()

    def _hand_over(self, worker: WarmWorker, job: RunningAttempt) -> bool:
        """Let a free worker begin the call; False when it cannot be sent, and has failed for it."""
        quick = self._pace.is_quick(ref_of(job.work))
        try:
            call = packed_call(worker, "call", next(self._numbers), job, quick=quick)
        except Exception as error:
            assert self._loop is not None
            self._loop.call_soon(self._owner.finish, job, failure(job, error))
            return False
        self._let_begin(worker, job)
        with contextlib.suppress(OSError):  # it died while idle; that is heard like any other death
            worker.channel.send_packed(call)
        return True

    def _let_begin(self, worker: WarmWorker, job: RunningAttempt) -> None:
        worker.job, job.pid = job, worker.pid
        job.begun = time.monotonic()
        if job.stop is not None:
            self.signal(job)

    def signal(self, job: RunningAttempt) -> None:
        """Tell the job to stop, wherever it is."""
        if job.pid is not None:
            worker = self.workers.get(job.pid)
            if worker is None:
                return  # it is dead
            nothing_queued = self._take_back(worker)
            if worker.job is not job:
                return  # it has ended
            if nothing_queued or job.stop == signal.SIGKILL:
                self._owner.kill(job)
            # Else the worker has begun the next body: this one has ended, and we shall hear of it.
        elif job.watch is not None:
            for other in self.workers.values():
                if job in other.queue.values():
                    self._take_back(other)
        elif job in self._waiting:
            assert self._loop is not None
            self._waiting.remove(job)
            ended = AttemptResult(duration=0.0, error="ended before it began", error_type="Terminated")
            self._loop.call_soon(self._owner.finish, job, ended)

    # --- queued calls ---------------------------------------------------------------------------------------

    def room(self, ref: str) -> int:
        """How many calls of this workflow can be queued."""
        return self._dealer.room(ref, self.workers.values())

    def expects_end_soon(self) -> bool:
        """Whether a worker runs a tiny body."""
        return any(map(self._dealer.is_taker, self.workers.values()))

    def queued(self) -> int:
        """How many calls are, for all we have heard."""
        return sum(len(worker.queue) for worker in self.workers.values())

    def prefetch(self, jobs: Sequence[RunningAttempt]) -> None:
        """Queue calls; what finds no room is given back."""
        found = self._dealer.deal([(next(self._numbers), job) for job in jobs], self.workers.values())
        for job in jobs[found:]:
            self._owner.give_back(job)

    def share(self) -> None:
        """Take back half of the longest queue: its calls begin sooner where a place is free.

        Whoever has it is busy with something longer, and gets no more until we have heard of it.
        """
        longest = max(self.workers.values(), key=lambda worker: len(worker.queue), default=None)
        if longest is not None and longest.queue:
            longest.late = True
            self._take_back(longest, (len(longest.queue) + 1) // 2)

    def _take_back(self, worker: WarmWorker, most: int = DEPTH) -> bool:
        """Take queued calls back that the worker has not begun; whether it has none now, begun or not."""
        if not worker.queue:
            return True
        for job in worker.take_back(most):
            self._owner.give_back(job)
        if not worker.queue and worker.parting is not None:
            self._part(worker)
            self.reuse(worker)
        return not worker.queue

    # --- what the workers say -------------------------------------------------------------------------------

    def _hear(self, worker: WarmWorker) -> None:
        try:
            messages = worker.channel.receive()
            for message in messages or ():
                self._take_in(worker, message)
        except Exception as error:  # not written by us: its body has the same descriptors as the worker
            self._owner.tell_keeper({"op": "kill", "pid": worker.pid, "signal": int(signal.SIGKILL)})
            self._lose(worker, f"the answer of its worker cannot be read: {sentence(error)}")
            return
        if messages is None:
            self._lose(worker)
            return
        if worker.job is not None or worker in self._idle:
            return
        if worker.retire or self._closed:
            self._dismiss(worker)
        else:
            self.reuse(worker)

    def _take_in(self, worker: WarmWorker, message: Message) -> None:
        if message["op"] not in ("begun", "unbegun", "ended"):
            worker.described = True  # it was foreseen, and then nobody asked
            return
        number = message["n"]
        worker.has_read(number)
        match message["op"]:
            case "begun":
                self._begin_queued(worker, number)
            case "unbegun":
                self._owner.give_back(worker.queue.pop(number))
                if worker.job is not None and worker.job.stop is not None:
                    self.signal(worker.job)  # not sent before, as we took the other one for begun
            case _:
                self._take_end(worker, message)

    def _begin_queued(self, worker: WarmWorker, number: int) -> None:
        worker.has_read(number)
        job = worker.queue.pop(number)
        assert job.watch is not None
        self._part(worker)
        job.watch.begun()
        self._let_begin(worker, job)

    def _take_end(self, worker: WarmWorker, message: Message) -> None:
        job = worker.job
        worker.retire = worker.retire or message.get("retire", False)
        if job is None:
            return
        # The signal may still be on its way: it must not reach the worker's next body.
        worker.retire = worker.retire or job.told
        self._pace.note_end(job.work, message["duration"])
        worker.parting = ended_of(message)
        if "next" in message:
            self._begin_queued(worker, message["next"])
        elif worker.retire or not worker.queue:
            self._part(worker)

    def _part(self, worker: WarmWorker) -> None:
        """Tell how the worker's last body ended."""
        ended, worker.parting = worker.parting, None
        if ended is not None and worker.job is not None:
            job, worker.job = worker.job, None
            self._owner.finish(job, ended)
