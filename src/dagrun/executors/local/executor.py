"""The local executor: attempts as processes of this machine, through the keeper and its warm workers."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dagrun.core.executor_protocol import PrefetchListener
from dagrun.core.work import Attempt, AttemptResult, Call, Command, Nothing, Work
from dagrun.errors import MORE_FILES, EnvironmentFailure, RecordError
from dagrun.executors import artifacts, containers
from dagrun.executors.local import command_outputs, commands, orphans, processes
from dagrun.executors.local.attempts import RunningAttempt, failure, key_of, seconds_since_begin
from dagrun.executors.local.channel import Message, pack
from dagrun.executors.local.keeper_handle import KeeperHandle
from dagrun.executors.local.pool import Pool
from dagrun.executors.local.processes import BODY, signal_name
from dagrun.executors.outputs import note
from dagrun.run_layout import RunLayout
from dagrun.value import replace

if TYPE_CHECKING:
    import asyncio  # imported at run time only where there is a loop: reading the registry needs none

MIN_FILES = 20  # that this process must be able to open for a run; each warm worker takes three more
GRACE = 5.0  # seconds between asking a body to end and killing it


class LocalExecutor:
    """Runs workflows in warm workers, and commands as children of the keeper.

    The keeper is started when this object is made. Make it before anything large is loaded, and before other threads
    start: then the keeper is a small and fast fork of this process.
    """

    def __init__(self, root: Path, grace: float = GRACE) -> None:
        allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if allowed < MIN_FILES:
            raise EnvironmentFailure(
                f"this process may open {allowed} files, and a run needs {MIN_FILES}", hint=MORE_FILES
            )
        self.root = root
        self.grace = grace
        self._mark = f"{os.getpid()}-{os.urandom(8).hex()}"
        self._worker_name = processes.worker_name()
        processes.adopt_orphans()  # if the keeper is killed, this process has to end what it owned
        self.keeper = KeeperHandle()
        self.pool = Pool(self, root, self._mark, self._worker_name)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._layout: RunLayout
        #: Those of child runs, by the name of the directory, which is the id of the run.
        self._child_layouts: dict[str, RunLayout] = {}
        self._bodies_locks: dict[Path, Path] = {}  # by directory
        self._attempts: dict[tuple[str, str], RunningAttempt] = {}
        self._most_active = 0
        #: By the number of the request.
        self._commands: dict[int, RunningAttempt] = {}
        self._copying: set[asyncio.Future[AttemptResult]] = set()
        self._requests: list[bytes] = []  # for commands, to be sent to the keeper together
        self._numbers = iter(range(1, 1 << 62))
        self._keeper_is_dead = False
        self._closed = False

    @property
    def is_closed(self) -> bool:
        """Whether it can start nothing any more."""
        return self._closed

    # --- the executor's methods ----------------------------------------------------------------------------

    async def open(self, directory: Path, bodies_lock: Path | None) -> None:
        """Attach the keeper and the workers to the loop; the keeper locks `bodies_lock`. Raises RecordError.

        That file also gets a line by which the processes that are started here can be recognised.
        """
        import asyncio

        if self._loop is None:
            self._layout = RunLayout(directory)
        else:
            self._child_layouts[directory.name] = RunLayout(directory)
        if bodies_lock is not None:
            self._bodies_locks[directory] = bodies_lock
            try:
                orphans.record(orphans.signature(self._mark, self._worker_name), bodies_lock)
            except OSError as error:
                raise RecordError(f"cannot write {bodies_lock}: {error.strerror}") from error
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._attach_keeper()
            self.pool.attach(self._loop)
        elif bodies_lock is not None and not self._keeper_is_dead:
            self.keeper.send({"op": "lock", "path": str(bodies_lock)})

    def leave(self, directory: Path) -> None:
        """Forget a child run; the keeper unlocks its file."""
        self._child_layouts.pop(directory.name, None)
        bodies_lock = self._bodies_locks.pop(directory, None)
        if bodies_lock is not None:
            # Nothing of that run is left, and what is said in it holds for the other runs of this executor too.
            bodies_lock.unlink(missing_ok=True)
            if not self._keeper_is_dead:
                self.keeper.send({"op": "unlock", "path": str(bodies_lock)})

    def start(self, work: Work, done: Callable[[AttemptResult], None]) -> None:
        """Start an attempt."""
        attempt = self._add(work, done)
        self._most_active = max(self._most_active, self._active())
        try:
            self._begin(attempt)
        except Exception as error:  # an attempt that cannot begin has failed, for whatever reason
            self._finish_soon(attempt, failure(attempt, error))

    def _add(
        self, work: Work, done: Callable[[AttemptResult], None], listener: PrefetchListener | None = None
    ) -> RunningAttempt:
        layout = self._child_layouts.get(work.attempt.run_id, self._layout)
        paths = layout.attempt(work.attempt.task_id, work.attempt.number)
        attempt = RunningAttempt(work, paths, done, time.monotonic(), listener)
        self._attempts[key_of(work.attempt)] = attempt
        return attempt

    def _begin(self, attempt: RunningAttempt) -> None:
        match attempt.work.body:
            case _ if containers.needed(attempt.work):
                self._finish_soon(attempt, containers.refusal(attempt.work))
            case Call():
                self._restart_keeper()
                self.pool.start(attempt)
            case Command() as command:
                self._restart_keeper()
                self._spawn(attempt, command)
            case Nothing():
                self._finish_soon(attempt, AttemptResult(duration=0.0, changed=False))

    def room(self, ref: str) -> int:
        """How many calls of this workflow can be prefetched."""
        return self.pool.room(ref)

    def expects_end_soon(self) -> bool:
        """Whether a worker runs a tiny body."""
        return self.pool.runs_tiny_body()

    def prefetch(self, attempts: Sequence[tuple[Work, PrefetchListener]]) -> None:
        """Assign calls to the workers that run tiny bodies; those that find no room are returned."""
        self.pool.prefetch([self._add(work, listener.ended, listener) for work, listener in attempts])

    def stop(self, attempt: Attempt, *, now: bool = False) -> None:
        """End an attempt: SIGTERM, the grace period, SIGKILL."""
        running = self._attempts.get(key_of(attempt))
        if running is None or running.stop_signal == signal.SIGKILL:
            return
        running.stop_signal = int(signal.SIGKILL if now else signal.SIGTERM)
        self._stop(running)
        if not now and self._loop is not None and self._attempts.get(key_of(attempt)) is running:
            running.kill_timer = self._loop.call_later(self.grace, lambda: self.stop(attempt, now=True))

    async def close(self) -> None:
        """End everything; returns when the keeper has ended the last process."""
        if self._closed:
            return
        for attempt in self._attempts.values():
            if attempt.stop_copying is not None:
                attempt.stop_copying.set()
        if self._copying:
            import asyncio

            await asyncio.wait(self._copying)
        self._close_pool()
        if self._loop is not None and not self._keeper_is_dead:
            await self.keeper.close(self._loop)
        else:
            self.keeper.wait()

    def shut(self) -> None:
        """Close without a loop, or after a `close` that was cancelled: blocks until the last process has ended."""
        self._close_pool()
        self.keeper.wait()

    def _close_pool(self) -> None:
        if not self._closed:
            self._closed = True
            self.pool.close()

    # --- prefetched calls ----------------------------------------------------------------------------------

    def rebalance_soon(self) -> None:
        """A worker is idle: after the engine's next turn, which may have a call for it, move prefetched calls to it."""
        assert self._loop is not None
        self._loop.call_soon(self._rebalance)

    def _rebalance(self) -> None:
        if self._active() < self._most_active:
            self.pool.rebalance()

    def _active(self) -> int:
        """How many attempts have begun, as far as is known here."""
        return len(self._attempts) - self.pool.prefetched()

    def return_to_engine(self, attempt: RunningAttempt) -> None:
        """A prefetched attempt has not begun: report that at the next turn of the loop."""
        assert self._loop is not None
        assert attempt.listener is not None
        if self._attempts.pop(key_of(attempt.work.attempt), None) is not None:
            if attempt.kill_timer is not None:
                attempt.kill_timer.cancel()
            self._loop.call_soon(attempt.listener.returned)

    # --- commands -------------------------------------------------------------------------------------------

    def _spawn(self, attempt: RunningAttempt, command: Command) -> None:
        work = attempt.work
        spawn = commands.prepared(work, attempt.paths, command)
        number = next(self._numbers)
        mark = f"{self._mark}-{number}"
        request = pack(
            {
                "op": "spawn", "id": number, "mark": mark, "argv": spawn.argv, "env": {**spawn.environment, BODY: mark},
                "unset": list(work.unset), "masks": list(work.masks), "cwd": str(work.cwd), "log": attempt.paths.log,
                "spools": str(self._layout.scratch),
            }
        )  # fmt: skip
        attempt.request = number
        self._commands[number] = attempt
        self._requests.append(request)
        if len(self._requests) == 1:
            assert self._loop is not None
            self._loop.call_soon(self._send_requests)

    def _send_requests(self) -> None:
        """Request all commands that were started in this turn of the loop: each message wakes the keeper."""
        if self._requests:
            self.keeper.send_packed(b"".join(self._requests))
            self._requests.clear()

    def _command_exited(self, attempt: RunningAttempt, code: int, left: Sequence[tuple[int, str]]) -> None:
        killed_by = signal_name(-code) if code < 0 else None
        was_stopped = attempt.stop_signal is not None
        attempt.has_outputs = command_outputs.exist(attempt.paths)
        try:
            ended = command_outputs.ended(
                attempt.work, attempt.paths, 128 - code if code < 0 else code, seconds_since_begin(attempt), killed_by,
                has_outputs=attempt.has_outputs, was_stopped=was_stopped,
            )  # fmt: skip
        except Exception as error:  # whatever its body has left behind, only this attempt fails
            ended = replace(failure(attempt, error), exit_code=code)
        if left and not was_stopped:  # else they were ended together with it
            with contextlib.suppress(OSError):
                note(attempt.paths.log, attempt.work.masks, processes.leftovers_text(left))
            ended = replace(ended, left_running=len(left))
        self.finish(attempt, ended)

    # --- the keeper -----------------------------------------------------------------------------------------

    def send_to_keeper(self, message: Message) -> None:
        """Send a request to the keeper."""
        self.keeper.send(message)

    def send_signal(self, attempt: RunningAttempt) -> None:
        """Have the keeper send the attempt's stop signal to its process."""
        attempt.signalled = True
        self._send_requests()  # that for the attempt's command may be among them
        name = {"pid": attempt.pid} if attempt.request is None else {"id": attempt.request}
        self.keeper.send({"op": "signal", **name, "signal": attempt.stop_signal})

    def _attach_keeper(self) -> None:
        assert self._loop is not None
        for path in self._bodies_locks.values():
            self.keeper.send({"op": "lock", "path": str(path)})
        self.keeper.channel.attach(self._loop, self._receive_from_keeper)

    def _receive_from_keeper(self) -> None:
        messages = self.keeper.channel.receive()
        if messages is None:
            self._keeper_died()
            return
        for message in messages:
            match message["op"]:
                case "worker":
                    self.pool.add_worker(message, self.keeper.channel)
                case "worker_failed":
                    self.pool.worker_failed(message["error"])
                case "spawned":
                    self._commands[message["id"]].pid = message["pid"]
                case "spawn_failed":
                    attempt = self._commands.pop(message["id"])
                    self.finish(attempt, command_outputs.not_run(message["error"]), began=False)
                case "exit" if "id" in message:
                    attempt = self._commands.pop(message["id"])
                    self._command_exited(attempt, message["code"], message.get("left", ()))
                case "exit":
                    self.pool.process_exited(message["pid"], message["code"])

    def _keeper_died(self) -> None:
        """Somebody killed the keeper: end what it owned, and fail the attempts that were running."""
        self._keeper_is_dead = True
        self._requests.clear()
        self.keeper.wait()
        commands = [attempt.pid for attempt in self._commands.values() if attempt.pid is not None]
        self._end_orphans([*self.pool.workers, *commands])
        self.pool.keeper_died()
        self._commands.clear()
        for attempt in [each for each in self._attempts.values() if each.stop_copying is None]:
            duration = seconds_since_begin(attempt)
            ended = AttemptResult(duration=duration, error="the keeper process died", error_type="KeeperDied")
            self.finish(attempt, ended)

    def _restart_keeper(self) -> None:
        """Start another keeper if the last one died. Raises EnvironmentFailure."""
        if self._keeper_is_dead:
            self.keeper = KeeperHandle()
            self._keeper_is_dead = False
            self._attach_keeper()

    def _end_orphans(self, leaders: list[int]) -> None:
        """Kill what the dead keeper owned and this process has adopted: process groups, forks of workers, and processes
        with the marks of this executor. Other executors of this process are left alone.
        """
        for leader in leaders:
            processes.send_group(leader, signal.SIGKILL)
        deadline = time.monotonic() + 5.0  # what is left then is another user's, or hangs in the kernel
        pending = set(leaders)
        while time.monotonic() < deadline:
            left = [pid for pid in processes.descendants(os.getpid()) if self._is_own(pid)]
            processes.send(left, signal.SIGKILL)
            pending = {pid for pid in pending.union(left) if not _reaped(pid)}
            if not left and not pending:
                return
            time.sleep(0.005)

    def _is_own(self, pid: int) -> bool:
        mark = processes.mark_of(pid) or ""
        return (
            mark == self._mark
            or mark.startswith(f"{self._mark}-")
            or processes.name_of(pid) == self._worker_name
        )

    # --- ends -----------------------------------------------------------------------------------------------

    def _stop(self, attempt: RunningAttempt) -> None:
        if attempt.stop_copying is not None:  # its body has ended, and its worker may have another one
            attempt.stop_copying.set()
        elif isinstance(attempt.work.body, Call):
            self.pool.stop(attempt)
        elif attempt.request is not None:
            self.send_signal(attempt)

    def _finish_soon(self, attempt: RunningAttempt, ended: AttemptResult) -> None:
        assert self._loop is not None
        self._loop.call_soon(lambda: self.finish(attempt, ended, began=False))

    def finish(self, attempt: RunningAttempt, ended: AttemptResult, *, began: bool = True) -> None:
        """The body has ended, or never began. The attempt ends when its artifacts are copied."""
        if attempt.work.artifacts and (began or ended.error is None) and attempt.stop_copying is None:
            self._copy_artifacts(attempt, ended)
            return
        if self._attempts.pop(key_of(attempt.work.attempt), None) is None:
            return
        if attempt.kill_timer is not None:
            attempt.kill_timer.cancel()
        if isinstance(attempt.work.body, Command):
            commands.clean(attempt.work, attempt.paths, has_outputs=attempt.has_outputs)
        attempt.done(ended)
        if self.pool.workers and attempt.pid not in self.pool.workers:
            self.rebalance_soon()

    def _copy_artifacts(self, attempt: RunningAttempt, ended: AttemptResult) -> None:
        """Copy the artifacts in a thread. Until that is done the attempt can be stopped."""
        assert self._loop is not None
        attempt.stop_copying = threading.Event()
        if attempt.stop_signal is not None and attempt.stop_signal != signal.SIGTERM:
            attempt.stop_copying.set()  # after SIGTERM copying may last as long as the grace period
        copying = self._loop.run_in_executor(
            None, artifacts.collect, attempt.work, attempt.paths, ended, attempt.stop_copying
        )
        self._copying.add(copying)
        copying.add_done_callback(self._copying.discard)
        copying.add_done_callback(lambda copied: self.finish(attempt, copied.result()))


def _reaped(pid: int) -> bool:
    """Whether a process is not, or no longer, a child of this one. Reaps it if it has ended."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True
