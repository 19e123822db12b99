"""The local executor: attempts as processes of this machine, through the keeper and its warm workers."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dagrun.core.executor_protocol import PrefetchListener
from dagrun.core.work import Attempt, AttemptResult, Call, Command, Nothing, Work
from dagrun.errors import MORE_FILES, EnvironmentFailure, RecordError
from dagrun.executors import artifacts, containers
from dagrun.executors.local import commands, keeper, orphans, processes
from dagrun.executors.local.attempts import RunningAttempt, failure, key_of, since
from dagrun.executors.local.channel import Message, pack
from dagrun.executors.local.pool import Pool
from dagrun.executors.local.processes import BODY, signal_name
from dagrun.run_layout import RunLayout

if TYPE_CHECKING:
    import asyncio  # at run time where there is a loop: what reads the registry only has none

FEWEST_FILES = 20  # that may be open, for a run; for each warm worker three more are opened
GRACE = 5.0  # seconds between asking a body to end and killing it


class LocalExecutor:
    """Runs workflows in warm workers and commands as children of the keeper.

    The keeper is forked when this object is made: do that before anything large is loaded.
    """

    def __init__(self, root: Path, grace: float = GRACE) -> None:
        allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if allowed < FEWEST_FILES:
            raise EnvironmentFailure(
                f"this process may open {allowed} files, and a run needs {FEWEST_FILES}", hint=MORE_FILES
            )
        self.root = root
        self.grace = grace
        self._mark = f"{os.getpid()}-{time.time_ns():x}"
        self._worker_name = processes.worker_name()
        processes.adopt_orphans()  # should the keeper be killed, what it owned comes to us to be ended
        self._keeper_pid, self.keeper = keeper.launch()
        self.pool = Pool(self, root, self._mark, self._worker_name)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._jobs: dict[tuple[str, str], RunningAttempt] = {}
        self._most = 0  # attempts that ran at once
        self._spawning: dict[int, RunningAttempt] = {}
        self._commands: dict[int, RunningAttempt] = {}
        self._copying: set[asyncio.Future[AttemptResult]] = set()
        self._numbers = iter(range(1, 1 << 62))
        self._layout: RunLayout
        self._bodies_lock: Path | None = None
        self._closed = False

    @property
    def is_closed(self) -> bool:
        """Whether it has ended everything, and can start nothing more."""
        return self._closed

    # --- the executor's methods ----------------------------------------------------------------------------

    async def open(self, directory: Path, bodies_lock: Path | None) -> None:
        """Listen to the keeper and to the workers that are there; the keeper holds the lock. Raises RecordError.

        In the file that is locked it is written down how the processes that are started here can be recognised.
        """
        import asyncio

        self._layout = RunLayout(directory)
        self._bodies_lock = bodies_lock
        if bodies_lock is not None:
            try:
                orphans.record(orphans.owner(self._mark, self._worker_name), bodies_lock)
            except OSError as error:
                raise RecordError(f"cannot write {bodies_lock}: {error.strerror}") from error
        self._hold_lock()
        self._loop = asyncio.get_running_loop()
        self.keeper.listen(self._loop, self._hear_keeper)
        self.pool.listen(self._loop)

    def _hold_lock(self) -> None:
        if self._bodies_lock is not None:
            self.tell_keeper({"op": "hold", "path": str(self._bodies_lock)})

    def start(self, work: Work, done: Callable[[AttemptResult], None]) -> None:
        """Begin an attempt."""
        job = self._running(work, done)
        self._jobs[key_of(work.attempt)] = job
        self._most = max(self._most, self._active())
        try:
            self._begin(job)
        except Exception as error:  # whatever keeps an attempt from beginning is its end
            self._finish_soon(job, failure(job, error))

    def _running(
        self, work: Work, done: Callable[[AttemptResult], None], watch: PrefetchListener | None = None
    ) -> RunningAttempt:
        paths = self._layout.attempt(work.attempt.task_id, work.attempt.number)
        return RunningAttempt(work, paths, done, time.monotonic(), watch)

    def _begin(self, job: RunningAttempt) -> None:
        work = job.work
        match work.body:
            case _ if containers.needed(work):
                self._finish_soon(job, containers.refusal(work))
            case Call():
                self.pool.start(job)
            case Command():
                self._start_command(job, work.body)
            case Nothing():
                self._finish_soon(job, AttemptResult(duration=0.0, changed=False))

    def room(self, ref: str) -> int:
        """How many calls of this workflow can be queued."""
        return self.pool.room(ref)

    def expects_end_soon(self) -> bool:
        """Whether a worker runs a tiny body."""
        return self.pool.expects_end_soon()

    def prefetch(self, attempts: Sequence[tuple[Work, PrefetchListener]]) -> None:
        """Queue calls for the workers that run tiny bodies; what finds no room goes back."""
        jobs = [self._running(work, watch.ended, watch) for work, watch in attempts]
        self._jobs.update((key_of(job.work.attempt), job) for job in jobs)
        self.pool.prefetch(jobs)

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
        self.shut()

    def shut(self) -> None:
        """Close the pipe to the keeper, which then ends every process, and wait for it."""
        if self._closed:
            return
        self._closed = True
        self.pool.close()
        self.keeper.close()
        with contextlib.suppress(ChildProcessError, ProcessLookupError):
            os.kill(self._keeper_pid, signal.SIGCONT)  # one that somebody stopped would never end
            os.waitpid(self._keeper_pid, 0)

    # --- places --------------------------------------------------------------------------------------------

    def share_soon(self) -> None:
        """A place is free. Once the engine has had its turn: it may have something else for it."""
        assert self._loop is not None
        self._loop.call_soon(self._share)

    def _share(self) -> None:
        if self._active() < self._most:
            self.pool.share()

    def _active(self) -> int:
        """How many attempts are under way, for all we have heard."""
        return len(self._jobs) - self.pool.queued()

    # --- commands -------------------------------------------------------------------------------------------

    def _start_command(self, job: RunningAttempt, body: Command) -> None:
        spawn = commands.prepared(job.work, job.paths, body)
        number = next(self._numbers)
        mark = f"{self._mark}-{number}"
        request = pack(
            {
                "op": "spawn",
                "id": number,
                "mark": mark,
                "argv": spawn.argv,
                "env": {**spawn.environment, BODY: mark},
                "unset": list(job.work.unset),
                "masks": list(job.work.masks),
                "cwd": str(job.work.cwd),
                "log": job.paths.log,
            }
        )
        self._spawning[number] = job
        with contextlib.suppress(OSError):  # the keeper is gone: heard as the end of its pipe
            self.keeper.send_packed(request)

    # --- the keeper -----------------------------------------------------------------------------------------

    def tell_keeper(self, message: Message) -> None:
        """Ask it for something."""
        with contextlib.suppress(OSError):  # it is gone: heard as the end of its pipe
            self.keeper.send(message)

    def _hear_keeper(self) -> None:
        messages = self.keeper.receive()
        if messages is None:
            self._lose_keeper()
            return
        for message in messages:
            match message["op"]:
                case "worker":
                    self.pool.welcome(message, self.keeper)
                case "unforked":
                    self.pool.do_without(message["error"])
                case "spawned":
                    job = self._spawning.pop(message["id"])
                    job.pid = message["pid"]
                    self._commands[job.pid] = job
                    if job.stop is not None:
                        self._signal(job)
                case "unspawned":
                    job = self._spawning.pop(message["id"])
                    self.finish(job, commands.unspawned(message["error"]), began=False)
                case "exit":
                    self._hear_exit(message["pid"], message["code"], message.get("left", ()))

    def _hear_exit(self, pid: int, code: int, left: Sequence[tuple[int, str]]) -> None:
        job = self._commands.pop(pid, None)
        if job is None:
            self.pool.exited(pid, code)
            return
        killed = signal_name(-code) if code < 0 else None
        was_asked = job.stop is not None
        try:
            exit_code = 128 - code if code < 0 else code
            ended = commands.ended(job.work, job.paths, exit_code, since(job), killed, was_asked=was_asked)
        except Exception as error:  # whatever its body has left: it is the end of this attempt alone
            ended = replace(failure(job, error), exit_code=code)
        if left and not was_asked:  # else they were ended with it
            commands.note_left(job.work, job.paths.log, left)
            ended = replace(ended, left_running=len(left))
        self.finish(job, ended)

    def _lose_keeper(self) -> None:
        """Somebody killed the keeper: end what it owned, and fail what was running."""
        assert self._loop is not None
        self.keeper.close()
        self._end_orphans([*self.pool.workers, *self._commands])
        self.pool.lose_all()
        self._spawning.clear()
        self._commands.clear()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._keeper_pid, 0)
        self._keeper_pid, self.keeper = keeper.launch()
        self.keeper.listen(self._loop, self._hear_keeper)
        self._hold_lock()
        for job in [job for job in self._jobs.values() if job.halt is None]:
            self.finish(
                job,
                AttemptResult(duration=since(job), error="the keeper process died", error_type="KeeperDied"),
            )

    def _end_orphans(self, leaders: list[int]) -> None:
        """Kill what the keeper owned: groups by their leaders; below us, forks of workers and what bears our mark."""
        for leader in leaders:
            processes.send_group(leader, signal.SIGKILL)
        deadline = time.monotonic() + 5.0  # then it is another user's, or hangs in the kernel
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
        return marked or processes.name_of(pid) == self._worker_name

    # --- ends -----------------------------------------------------------------------------------------------

    def _signal(self, job: RunningAttempt) -> None:
        if job.halt is not None:  # its body has ended, and its worker may have another
            job.halt.set()
        elif isinstance(job.work.body, Call):
            self.pool.signal(job)
        elif job.pid is not None:
            self.kill(job)

    def kill(self, job: RunningAttempt) -> None:
        """Have the keeper send the job's process the signal that it is to stop with."""
        job.told = True
        self.tell_keeper({"op": "kill", "pid": job.pid, "signal": job.stop})

    def _finish_soon(self, job: RunningAttempt, ended: AttemptResult) -> None:
        assert self._loop is not None
        self._loop.call_soon(lambda: self.finish(job, ended, began=False))

    def _collect(self, job: RunningAttempt, ended: AttemptResult) -> None:
        """Keep what the attempt's artifacts name, in a thread. Only then has it ended; until then it can be stopped."""
        assert self._loop is not None
        job.halt = threading.Event()
        if job.stop is not None and job.stop != signal.SIGTERM:  # else it may last as long as the grace
            job.halt.set()
        copying = self._loop.run_in_executor(None, artifacts.collected, job.work, job.paths, ended, job.halt)
        self._copying.add(copying)
        copying.add_done_callback(self._copying.discard)
        copying.add_done_callback(lambda copied: self.finish(job, copied.result()))

    def give_back(self, job: RunningAttempt) -> None:
        """It has not begun: it is the engine's again at the loop's next turn."""
        assert self._loop is not None
        assert job.watch is not None
        if self._jobs.pop(key_of(job.work.attempt), None) is not None:
            if job.kill is not None:
                job.kill.cancel()
            self._loop.call_soon(job.watch.returned)

    def finish(self, job: RunningAttempt, ended: AttemptResult, *, began: bool = True) -> None:
        """Its body has ended, or never began; with what it leaves behind, so has the attempt."""
        if job.work.artifacts and (began or ended.error is None) and job.halt is None:
            self._collect(job, ended)
            return
        if self._jobs.pop(key_of(job.work.attempt), None) is None:
            return
        if job.kill is not None:
            job.kill.cancel()
        if isinstance(job.work.body, Command):
            commands.clean(job.work, job.paths)
        job.done(ended)
        if job.pid not in self.pool.workers:
            self.share_soon()
