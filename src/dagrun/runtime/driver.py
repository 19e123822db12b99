"""One run in this process: the engine, what it works with, and the poll for requests of other processes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from dagrun.clock import Clock
from dagrun.core.events import Event
from dagrun.core.executor_protocol import Executor
from dagrun.core.model import RetryDefaults
from dagrun.core.state import RunState
from dagrun.runtime.child_runs import ChildRuns
from dagrun.runtime.engine import Engine, Listener
from dagrun.runtime.prepared_run import PreparedRun
from dagrun.runtime.work_builder import WorkBuilder
from dagrun.settings import Settings
from dagrun.storage.run_store import RunWriter

POLL_INTERVAL = 0.1  # seconds
CHILD_POLL_INTERVAL = 0.5  # of a child run: there may be many of them


class RunDriver:
    """Drives one stretch of a run. Use it on one event loop; other runs may be driven on the same loop.

    `children` drives its child runs. With `on_idle` (see `Engine`) the run is one itself: another run closes
    the executor.
    """

    def __init__(
        self,
        prepared: PreparedRun,
        settings: Settings,
        writer: RunWriter,
        executor: Executor,
        clock: Clock,
        listener: Listener | None = None,
        on_tick: Callable[[], None] = lambda: None,
        state: RunState | None = None,
        children: ChildRuns | None = None,
        on_idle: Callable[[bool], None] | None = None,
    ) -> None:
        self._executor = executor
        self._directory = writer.directory
        self._children = children
        self._is_child = on_idle is not None
        self._on_tick = on_tick
        defaults = RetryDefaults(settings.retry_base_ms / 1000, settings.retry_jitter_pct)
        state = state or RunState(prepared.graph, defaults)
        state.defaults = defaults
        self._engine = Engine(
            state=state, writer=writer, executor=executor, clock=clock, chance=random.random, listener=listener,
            bodies=WorkBuilder(
                prepared, settings, state, writer.run_id, writer.read_outputs, writer.artifacts, log_tail=writer.log_tail,
            ),
            cancel_timeout=settings.cancel_timeout_ms / 1000, masker=prepared.masker,
            children=children, on_idle=on_idle,
        )  # fmt: skip

    async def run(self, *first: Event) -> RunState:
        """Drive the run to the end of this stretch, which the events `first` begin; returns its state.

        Closes the executor, or leaves it if this is a child run, whatever happens. Raises RecordError when an event cannot be recorded.
        """
        polling = asyncio.create_task(self._poll())
        try:
            state = await self._engine.run(*first)
            if self._is_child:
                self._executor.leave(self._directory)
        finally:
            polling.cancel()
            self._engine.kill()  # only after an error there is something left
            try:
                if self._children is not None:
                    await self._children.close()
            finally:
                if not self._is_child:
                    await self._executor.close()
        if state.has_ended:
            self._engine.take_requests()  # those that came too late are recorded as such
        return state

    @property
    def state(self) -> RunState:
        """The state of the run."""
        return self._engine.state

    def cancel(self, by: str, reason: str = "") -> None:
        """Ask the run to end: attempts get SIGTERM, and SIGKILL after the grace period. Recorded as the request of `by`."""
        self._engine.cancel(by, reason)

    def take_requests(self) -> bool:
        """Record the requests of the run and of all runs below it; whether there was one."""
        return self._engine.take_tree_requests()

    def pause(self) -> None:
        """End the stretch of a child run that is idle, and of those below it."""
        self._engine.pause()

    def kill(self) -> None:
        """End every running attempt with SIGKILL."""
        self._engine.kill()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(CHILD_POLL_INTERVAL if self._is_child else POLL_INTERVAL)
            self._engine.look()
            self._on_tick()
