"""The local executor: attempts as processes of this machine, through the keeper and its warm workers."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagrun.errors import EnvironmentFailure
from dagrun.executors import artifacts, commands, containers, keeper, processes
from dagrun.executors.jobs import (
    DEPTH,
    MOST_QUEUED,
    Job,
    WarmWorker,
    call_message,
    death,
    ended_of,
    key_of,
    since,
)
from dagrun.executors.processes import BODY, signal_name
from dagrun.executors.wire import TICKET, Channel, Message, pack
from dagrun.registry import Failure, Origin, Registry, unpack
from dagrun.work import Attempt, Call, Command, Ended, Nothing, Watch, Work

if TYPE_CHECKING:
    import asyncio  # at run time where there is a loop: what reads the registry only has none

GRACE = 5.0  # seconds between asking a body to end and killing it
TINY = 0.001  # seconds: a workflow's bodies that take no longer are queued ...
TINY_BODIES = 8  # ... once so many of them in a row were as quick
IMPORT_PATIENCE = 30.0  # seconds that one module may take to be imported


class LocalExecutor:
    """Runs workflows in warm workers and commands as children of the keeper.

    The keeper is forked when this object is made: do that before anything large is loaded.
    """

    def __init__(self, root: Path, grace: float = GRACE, import_patience: float = IMPORT_PATIENCE) -> None:
        self.root = root
        self.grace = grace
        self.import_patience = import_patience
        self._mark = f"{os.getpid()}-{time.time_ns():x}"
        processes.adopt_orphans()  # should the keeper be killed, what it owned comes to us to be ended
        self._keeper_pid, self._keeper = keeper.launch()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._jobs: dict[tuple[str, str], Job] = {}
        self._idle: list[WarmWorker] = []
        self._quick: Counter[str] = Counter()  # how many bodies of a workflow in a row were tiny
        self._workers: dict[int, WarmWorker] = {}
        self._waiting: list[Job] = []  # jobs for workers that are being forked
        self._asked = 0  # workers asked for and not here yet
        self._foreseen: dict[str, Any] | None = None  # what such a one was told to describe
        self._most = 0  # attempts that ran at once
        self._sizes: dict[str, int] = {}  # bytes of a workflow's last call that was queued
        self._spawning: dict[int, Job] = {}
        self._commands: dict[int, Job] = {}
        self._codes: dict[int, int] = {}
        self._copying: set[asyncio.Future[Ended]] = set()
        self._numbers = iter(range(1, 1 << 62))
        self._bodies_lock: Path | None = None
        self._closed = False

    # --- the registry, read by a worker before any loop runs ------------------------------------------------

    def foresee_registry(self, listed: Iterable[str]) -> None:
        """Let a worker begin to read it, while this process goes on: it will most likely be asked for."""
        self._foreseen = self._ask_for_descriptions(listed)
        self._asked += 1

    def read_registry(self, listed: Iterable[str]) -> Registry:
        """Every registered workflow, as data. User modules are imported in a worker, never in dagrun itself.

        A module that crashes or hangs while it is imported costs a worker and becomes a Failure.
        """
        registry: dict[str, Any] = {}
        failures: list[Failure] = []
        wanted, self._foreseen = self._foreseen, None
        if wanted is None:
            wanted = self._ask_for_descriptions(listed)
        else:
            self._asked -= 1
        while True:
            worker = self._await_worker()
            culprit = self._read_descriptions(worker, registry, failures)
            if culprit is None:
                worker.described = True
                self._idle.append(worker)
                return Registry(registry, tuple(failures))
            if culprit[0].target in wanted["skip"]:
                raise EnvironmentFailure(f"workflows cannot be read: {culprit[0]}: {culprit[1]}")
            failures.append(Failure(culprit[0], culprit[1]))
            wanted["skip"].append(culprit[0].target)
            registry.clear()
            failures = [failure for failure in failures if failure.origin.target in wanted["skip"]]
            self._keeper.send({"op": "kill", "pid": worker.pid, "signal": int(signal.SIGKILL)})
            worker.close()
            del self._workers[worker.pid]
            wanted = self._ask_for_descriptions(listed, wanted["skip"])

    def _ask_for_descriptions(self, listed: Iterable[str], skip: Sequence[str] = ()) -> dict[str, Any]:
        """Ask for a worker that reads what is registered before it does anything else; what it is to do."""
        wanted = {"op": "describe", "listed": list(listed), "root": str(self.root), "skip": list(skip)}
        self._keeper.send({**self._worker_request(), "first": wanted})
        return wanted

    def _read_descriptions(
        self, worker: WarmWorker, found: dict[str, Any], failures: list[Failure]
    ) -> tuple[Origin, str] | None:
        reading = Origin("entry_point", "entry points", listed=False)
        worker.channel.sock.settimeout(self.import_patience)
        while True:
            try:
                messages = worker.channel.receive()
            except TimeoutError:
                return reading, f"it is still being imported after {self.import_patience:g} s"
            if messages is None:
                return reading, "it ends the process while it is imported"
            for message in messages:
                if message["op"] == "described":
                    worker.channel.sock.settimeout(None)
                    return None
                reading = Origin(**message["origin"])
                if "error" in message:
                    failures.append(Failure(reading, message["error"]))
                for data in message.get("workflows", ()):
                    workflow = unpack(data)
                    found.setdefault(workflow.name, workflow)

    def _await_worker(self) -> WarmWorker:
        while True:
            messages = self._keeper.receive()
            if messages is None:
                raise EnvironmentFailure("the keeper process is gone", hint="run the command again")
            for message in messages:
                if message["op"] == "worker":
                    return self._admit(message)
                if message["op"] == "unforked":
                    raise EnvironmentFailure(message["error"])

    def _worker_request(self) -> Message:
        return {
            "op": "worker",
            "id": next(self._numbers),
            "mark": self._mark,
            "sys_path": [str(self.root)],
            "env": {BODY: self._mark},
        }

    def _admit(self, message: Message) -> WarmWorker:
        import socket

        channel = Channel(socket.socket(fileno=self._keeper.take_fd()))
        worker = WarmWorker(message["pid"], channel, self._keeper.take_fd(), self._keeper.take_fd())
        self._workers[worker.pid] = worker
        return worker

    # --- the executor's methods ----------------------------------------------------------------------------

    async def open(self, bodies_lock: Path | None) -> None:
        """Listen to the keeper and to the workers that are there; the keeper holds the lock."""
        import asyncio

        self._bodies_lock = bodies_lock
        self._hold_lock()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._keeper.fileno(), self._hear_keeper)
        for worker in self._workers.values():
            self._loop.add_reader(worker.channel.fileno(), self._hear_worker, worker)

    def _hold_lock(self) -> None:
        if self._bodies_lock is not None:
            self._tell_keeper({"op": "hold", "path": str(self._bodies_lock)})

    def start(self, work: Work, done: Callable[[Ended], None]) -> None:
        """Begin an attempt."""
        job = Job(work, done, time.monotonic())
        self._jobs[key_of(work.attempt)] = job
        self._most = max(self._most, self._running())
        match work.body:
            case _ if containers.needed(work):
                self._finish_soon(job, containers.refusal(work))
            case Call():
                self._start_call(job)
            case Command():
                self._start_command(job, work.body)
            case Nothing():
                self._finish_soon(job, Ended(duration=0.0, changed=False))

    def room(self, ref: str) -> int:
        """Room for as many as keep the workers busy that run tiny bodies now; none until half of it is used up."""
        if not self._is_quick(ref):
            return 0
        takers, size = self._takers(), self._sizes.get(ref, 1)
        free = sum(worker.room(size) for worker in takers)
        return free if 2 * free >= min(DEPTH, MOST_QUEUED // size) * len(takers) else 0

    def _is_quick(self, ref: str) -> bool:
        """Whether the workflow's last bodies were all tiny."""
        return self._quick[ref] >= TINY_BODIES

    def is_brisk(self) -> bool:
        """Whether a worker runs a tiny body."""
        return any(map(self._is_taker, self._workers.values()))

    def queue(self, attempts: Sequence[tuple[Work, Watch]]) -> None:
        """Deal them out to the workers that run tiny bodies now, the shortest queue first; what finds no room goes back."""
        takers = self._takers()
        batches: dict[int, list[bytes]] = {worker.pid: [] for worker in takers}
        granted: dict[int, list[bytes]] = {worker.pid: [] for worker in takers}
        for place, (work, watch) in enumerate(attempts):
            worker = min(takers, key=lambda worker: len(worker.queue), default=None)
            number = next(self._numbers)
            data = b"" if worker is None else self._queued_call(worker, number, work)
            if worker is None or not data:
                self._refuse(attempts[place:])
                break
            job = Job(work, watch.ended, time.monotonic(), watch)
            self._jobs[key_of(work.attempt)] = worker.queue[number] = job
            worker.unread.append((number, len(data)))
            worker.backlog += len(data)
            batches[worker.pid].append(data)
            granted[worker.pid].append(TICKET.pack(number))
        for worker in takers:
            if batches[worker.pid]:
                self._send_queue(worker, granted[worker.pid], batches[worker.pid])

    def _takers(self) -> list[WarmWorker]:
        return [*filter(self._is_taker, self._workers.values())]

    def _is_taker(self, worker: WarmWorker) -> bool:
        job = worker.job
        return (
            job is not None
            and not worker.retire
            and not worker.late
            and job.stop is None
            and isinstance(job.work.body, Call)
            and self._is_quick(job.work.body.ref)
        )

    def _queued_call(self, worker: WarmWorker, number: int, work: Work) -> bytes:
        """The call as it travels; nothing if there is no room for it."""
        assert isinstance(work.body, Call)
        before, known = worker.surroundings, work.body.ref in worker.knows
        data = pack(call_message(worker, "queue", number, work, quick=self._is_quick(work.body.ref)))
        self._sizes[work.body.ref] = len(data)
        if worker.room(len(data)) > 0:
            return data
        worker.surroundings = before  # it will not have been told
        if not known:
            worker.knows.discard(work.body.ref)
        return b""

    def _refuse(self, attempts: Sequence[tuple[Work, Watch]]) -> None:
        assert self._loop is not None
        for _, watch in attempts:
            self._loop.call_soon(watch.returned)

    def _send_queue(self, worker: WarmWorker, granted: list[bytes], calls: list[bytes]) -> None:
        """The tickets first: a worker that has a call and finds no ticket takes it for one that was taken back."""
        with contextlib.suppress(
            OSError
        ):  # it is dead: heard as the end of its channel, which gives them back
            os.write(worker.granting, b"".join(granted))
            worker.channel.sock.sendall(b"".join(calls))

    def _give_back(self, job: Job) -> None:
        """To the engine, at the loop's next turn."""
        assert self._loop is not None
        assert job.watch is not None
        if self._jobs.pop(key_of(job.work.attempt), None) is not None:
            if job.kill is not None:
                job.kill.cancel()
            self._loop.call_soon(job.watch.returned)

    def _take_back(self, worker: WarmWorker, most: int = DEPTH) -> bool:
        """Take queued calls back that the worker has not begun; whether it has none now, begun or not."""
        if not worker.queue:
            return True
        with contextlib.suppress(BlockingIOError):
            for (number,) in TICKET.iter_unpack(os.read(worker.tickets, TICKET.size * most)):
                self._give_back(worker.queue.pop(number))
        if not worker.queue and worker.parting is not None:
            self._part(worker)
            self._reuse(worker)
        return not worker.queue

    def stop(self, attempt: Attempt, *, now: bool = False) -> None:
        """Ask an attempt to end: TERM, the grace, KILL."""
        job = self._jobs.get(key_of(attempt))
        if job is None or job.stop == signal.SIGKILL:
            return
        job.stop = int(signal.SIGKILL if now else signal.SIGTERM)
        self._signal(job)
        if not now and self._loop is not None and self._jobs.get(key_of(attempt)) is job:
            job.kill = self._loop.call_later(self.grace, lambda: self.stop(attempt, now=True))

    async def close(self) -> None:
        """End everything; returns when the keeper has ended the last process."""
        if self._closed:
            return
        for job in self._jobs.values():
            if job.halt is not None:
                job.halt.set()
        if self._copying:
            import asyncio

            await asyncio.wait(self._copying)
        if self._loop is not None:
            self._loop.remove_reader(self._keeper.fileno())
            for worker in self._workers.values():
                self._loop.remove_reader(worker.channel.fileno())
        self.shut()

    def shut(self) -> None:
        """Close the pipe to the keeper, which then ends every process, and wait for it."""
        if self._closed:
            return
        self._closed = True
        for worker in self._workers.values():
            worker.close()
        self._keeper.close()
        with contextlib.suppress(ChildProcessError, ProcessLookupError):
            os.kill(self._keeper_pid, signal.SIGCONT)  # one that somebody stopped would never end
            os.waitpid(self._keeper_pid, 0)

    # --- workflows ------------------------------------------------------------------------------------------

    def _start_call(self, job: Job) -> None:
        while self._idle:
            worker = self._idle.pop()
            if not (worker.described and job.work.unset):
                self._hand_over(worker, job)
                return
            self._dismiss(worker)  # it has imported modules with the secrets in its environment
        self._waiting.append(job)
        if self._asked < len(self._waiting):
            self._asked += 1
            self._tell_keeper(self._worker_request())

    def _hand_over(self, worker: WarmWorker, job: Job) -> None:
        self._let_begin(worker, job)
        assert isinstance(job.work.body, Call)
        quick = self._is_quick(job.work.body.ref)
        try:
            worker.channel.send(call_message(worker, "call", next(self._numbers), job.work, quick=quick))
        except OSError:
            return  # it died while idle; its end is heard and reported like any other death

    def _let_begin(self, worker: WarmWorker, job: Job) -> None:
        worker.job, job.worker, job.pid = job, worker, worker.pid
        job.begun = time.monotonic()
        if job.stop is not None:
            self._signal(job)

    def _begin_queued(self, worker: WarmWorker, number: int) -> None:
        worker.has_read(number)
        job = worker.queue.pop(number)
        assert job.watch is not None
        self._part(worker)
        job.watch.begun()
        self._let_begin(worker, job)

    def _hear_worker(self, worker: WarmWorker) -> None:
        try:
            messages = worker.channel.receive()
        except (ValueError, RecursionError) as error:  # an answer that cannot be read: not one of ours
            self._lose_worker(worker, f"its answer cannot be read: {error}")
            return
        if messages is None:
            self._lose_worker(worker)
            return
        for message in messages:
            self._take_in(worker, message)
        if worker.job is not None or worker in self._idle:
            return
        if worker.retire or self._closed:
            self._dismiss(worker)
        else:
            self._reuse(worker)

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
                self._give_back(worker.queue.pop(number))
                if worker.job is not None and worker.job.stop is not None:
                    self._signal(worker.job)  # not sent before, as we took the other one for begun
            case _:
                self._take_end(worker, message)

    def _take_end(self, worker: WarmWorker, message: Message) -> None:
        job = worker.job
        worker.retire = worker.retire or message.get("retire", False)
        if job is None:
            return
        # The signal may still be on its way: it must not reach the worker's next body.
        worker.retire = worker.retire or job.told
        self._note_duration(job, message["duration"])
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
            self._finish(job, ended)

    def _note_duration(self, job: Job, duration: float) -> None:
        assert isinstance(job.work.body, Call)
        ref = job.work.body.ref
        is_tiny = duration <= TINY and not job.work.masks  # after one with secrets the worker is replaced
        self._quick[ref] = self._quick[ref] + 1 if is_tiny else 0

    def _reuse(self, worker: WarmWorker) -> None:
        if self._waiting:
            self._hand_over(worker, self._waiting.pop(0))
            return
        self._idle.append(worker)
        self._share_soon()

    def _share_soon(self) -> None:
        """A place is free. Once the engine has had its turn: it may have something else for it."""
        assert self._loop is not None
        self._loop.call_soon(self._share)

    def _share(self) -> None:
        """Take back half of the longest queue when a place is free: they begin sooner there.

        Whoever has it is busy with something longer, and gets no more until we have heard of it.
        """
        if self._workers and self._running() < self._most:
            longest = max(self._workers.values(), key=lambda worker: len(worker.queue))
            if longest.queue:
                longest.late = True
                self._take_back(longest, (len(longest.queue) + 1) // 2)

    def _running(self) -> int:
        """How many attempts are under way, for all we have heard."""
        return len(self._jobs) - sum(len(worker.queue) for worker in self._workers.values())

    def _dismiss(self, worker: WarmWorker) -> None:
        assert self._loop is not None
        self._loop.remove_reader(worker.channel.fileno())
        self._part(worker)
        self._take_back(worker)
        for job in worker.queue.values():  # it took their tickets, and was gone before it could begin one
            self._give_back(job)
        worker.queue.clear()
        worker.close()
        self._workers.pop(worker.pid, None)
        if worker in self._idle:
            self._idle.remove(worker)
        self._share_soon()

    def _lose_worker(self, worker: WarmWorker, why: str = "") -> None:
        """The worker is gone; the keeper says with which code, before or after."""
        self._dismiss(worker)
        job = worker.job
        if job is None:
            self._codes.pop(worker.pid, None)
            return
        commands.keep_spool(job.work.attempt, worker.pid)
        if why:
            self._finish(job, Ended(duration=since(job), error=why, error_type="WorkerDied"))
        elif worker.pid in self._codes:
            self._finish(job, death(job, self._codes.pop(worker.pid)))
        else:
            self._commands[worker.pid] = job

    # --- commands -------------------------------------------------------------------------------------------

    def _start_command(self, job: Job, body: Command) -> None:
        try:
            environment = commands.environment(job.work)
        except (commands.BadSurroundings, OSError) as error:
            self._finish_soon(job, Ended(duration=0.0, error=str(error), error_type=type(error).__name__))
            return
        number = next(self._numbers)
        self._spawning[number] = job
        mark = f"{self._mark}-{number}"
        self._tell_keeper(
            {
                "op": "spawn",
                "id": number,
                "mark": mark,
                "argv": commands.script_argv(body),
                "env": {**environment, BODY: mark},
                "unset": list(job.work.unset),
                "masks": list(job.work.masks),
                "cwd": str(job.work.cwd),
                "log": str(job.work.attempt.log),
            }
        )

    # --- the keeper -----------------------------------------------------------------------------------------

    def _tell_keeper(self, message: Message) -> None:
        with contextlib.suppress(OSError):  # it is gone: heard as the end of its pipe
            self._keeper.send(message)

    def _hear_keeper(self) -> None:
        messages = self._keeper.receive()
        if messages is None:
            self._lose_keeper()
            return
        for message in messages:
            match message["op"]:
                case "worker":
                    self._welcome(message)
                case "unforked":
                    self._asked -= 1
                    if self._waiting:
                        error = message["error"]
                        self._finish(
                            self._waiting.pop(0),
                            Ended(duration=0.0, error=error, error_type="WorkerNotStarted"),
                        )
                case "spawned":
                    job = self._spawning.pop(message["id"])
                    job.pid = message["pid"]
                    self._commands[job.pid] = job
                    if job.stop is not None:
                        self._signal(job)
                case "unspawned":
                    job = self._spawning.pop(message["id"])
                    self._finish(
                        job,
                        Ended(
                            duration=0.0, error=message["error"], error_type="CommandNotRun", exit_code=127
                        ),
                    )
                case "exit":
                    self._hear_exit(message["pid"], message["code"])

    def _welcome(self, message: Message) -> None:
        assert self._loop is not None
        self._asked -= 1
        worker = self._admit(message)
        self._loop.add_reader(worker.channel.fileno(), self._hear_worker, worker)
        self._reuse(worker)

    def _hear_exit(self, pid: int, code: int) -> None:
        job = self._commands.pop(pid, None)
        if job is None:
            if pid in self._workers:  # its pipe has not told us yet
                self._codes[pid] = code
            return
        if isinstance(job.work.body, Call):
            self._finish(job, death(job, code))
            return
        killed = signal_name(-code) if code < 0 else None
        if (
            not code and job.stop is not None
        ):  # it saw the signal and chose to end well: it was ended all the same
            ended = Ended(duration=since(job), error="ended by SIGTERM", error_type="Terminated", exit_code=0)
            self._finish(job, ended)
            return
        self._finish(job, commands.ended(job.work, 128 - code if code < 0 else code, since(job), killed))

    def _lose_keeper(self) -> None:
        """Somebody killed the keeper: end what it owned, and fail what was running."""
        assert self._loop is not None
        self._loop.remove_reader(self._keeper.fileno())
        self._keeper.close()
        self._end_orphans([*self._workers, *self._commands])
        for worker in list(self._workers.values()):
            self._hear_out(worker)
            self._dismiss(worker)
        self._idle.clear()
        self._spawning.clear()
        self._commands.clear()
        self._waiting.clear()
        self._asked = 0
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._keeper_pid, 0)
        self._keeper_pid, self._keeper = keeper.launch()
        self._loop.add_reader(self._keeper.fileno(), self._hear_keeper)
        self._hold_lock()
        for job in [job for job in self._jobs.values() if job.halt is None]:
            self._finish(
                job, Ended(duration=since(job), error="the keeper process died", error_type="KeeperDied")
            )

    def _hear_out(self, worker: WarmWorker) -> None:
        """What a worker that is dead has said: what it had begun must not begin again unseen."""
        worker.channel.sock.setblocking(False)
        with contextlib.suppress(BlockingIOError, ValueError, RecursionError):
            while messages := worker.channel.receive():
                for message in messages:
                    self._take_in(worker, message)

    def _end_orphans(self, leaders: list[int]) -> None:
        """Kill what the keeper owned: groups by their leaders; below us, forks of workers and what bears our mark."""
        for leader in leaders:
            processes.send_group(leader, signal.SIGKILL)
        deadline = time.monotonic() + 1.0
        while time.monotonic() < deadline:
            left = [pid for pid in processes.descendants(os.getpid()) if self._owned(pid)]
            if not left:
                return
            processes.send(left, signal.SIGKILL)
            time.sleep(0.005)
            for pid in left:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)

    def _owned(self, pid: int) -> bool:
        marked = (processes.mark_of(pid) or "").startswith(self._mark)
        return marked or processes.name_of(pid) in (processes.KEEPER, processes.WORKER)

    # --- ends -----------------------------------------------------------------------------------------------

    def _signal(self, job: Job) -> None:
        if job.halt is not None:  # it has ended, and its worker may have another
            job.halt.set()
            return
        if job.worker is not None and not self._take_back(job.worker) and job.stop != signal.SIGKILL:
            return  # the worker has begun the next body: this one has ended, and we shall hear of it
        if key_of(job.work.attempt) not in self._jobs:
            return  # it had ended
        if job.pid is not None:
            job.told = True
            self._tell_keeper({"op": "kill", "pid": job.pid, "signal": job.stop})
        elif job.watch is not None:
            for worker in self._workers.values():
                if job in worker.queue.values():
                    self._take_back(worker)
        elif job in self._waiting:
            self._waiting.remove(job)
            self._finish_soon(
                job, Ended(duration=0.0, error="ended before it began", error_type="Terminated")
            )

    def _finish_soon(self, job: Job, ended: Ended) -> None:
        assert self._loop is not None
        self._loop.call_soon(self._finish, job, ended)

    def _collect(self, job: Job, ended: Ended) -> None:
        """Keep what the attempt's artifacts name, in a thread. Only then has it ended; until then it can be stopped."""
        assert self._loop is not None
        job.halt = threading.Event()
        if job.stop is not None:
            job.halt.set()
        copying = self._loop.run_in_executor(None, artifacts.collected, job.work, ended, job.halt)
        self._copying.add(copying)
        copying.add_done_callback(self._copying.discard)
        copying.add_done_callback(lambda copied: self._finish(job, copied.result()))

    def _finish(self, job: Job, ended: Ended) -> None:
        if job.work.artifacts and ended.error is None and job.halt is None:
            self._collect(job, ended)
            return
        if self._jobs.pop(key_of(job.work.attempt), None) is None:
            return
        if job.kill is not None:
            job.kill.cancel()
        if isinstance(job.work.body, Command):
            commands.clean(job.work)
        job.done(ended)
        if job.worker is None or job.worker.pid not in self._workers:
            self._share_soon()
