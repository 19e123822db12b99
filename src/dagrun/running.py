"""One run in this process: the engine with its surroundings, and what signals mean to it."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import random
import signal
from collections.abc import Callable

from dagrun.bodies import Bodies
from dagrun.clock import Clock
from dagrun.engine import Engine, Listener
from dagrun.events import DagStart
from dagrun.prepared import Prepared
from dagrun.runs.base import RunWriter
from dagrun.settings import Settings
from dagrun.state import RetryDefaults, RunState
from dagrun.work import Executor

TICK = 0.1  # seconds between two looks at what bodies have printed


class Drive:
    """Drives one run; the first Ctrl-C or SIGTERM cancels it, the second kills its bodies at once."""

    def __init__(
        self,
        prepared: Prepared,
        settings: Settings,
        writer: RunWriter,
        executor: Executor,
        clock: Clock,
        listener: Listener | None = None,
        ticker: Callable[[], None] | None = None,
    ) -> None:
        self.prepared = prepared
        self.settings = settings
        self.writer = writer
        self.executor = executor
        self.clock = clock
        self.listener = listener
        self.ticker = ticker
        self.signal: int | None = None
        defaults = RetryDefaults(settings.retry_base_ms / 1000, settings.retry_jitter_pct)
        state = RunState(prepared.graph, defaults)
        self.engine = Engine(
            state=state, writer=writer, executor=executor, clock=clock, chance=random.random, listener=listener,
            bodies=Bodies(prepared, settings, state, writer.run_id, writer.read_outputs),
        )  # fmt: skip

    async def run(self) -> RunState:
        """From the first fact to the last."""
        self._listen_to_signals()
        ticking = asyncio.create_task(self._tick()) if self.ticker else None
        try:
            return await self.engine.run(self._start())
        finally:
            if ticking is not None:
                ticking.cancel()
            await self.executor.close()

    def _start(self) -> DagStart:
        return DagStart(
            timestamp=self.clock.now(),
            task_count=len(self.prepared.graph.nodes),
            dag_path=self.prepared.path,
            dag_hash=self.writer.dag_hash,
            params=self.prepared.params,
            max_parallel=self.prepared.max_parallel,
        )

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(signum) is signal.SIG_IGN:
                continue  # started by nohup, or in the background of a script: its caller wants it so
            with contextlib.suppress(
                ValueError, RuntimeError
            ):  # not the main thread: nobody sends us signals
                loop.add_signal_handler(signum, self._on_signal, signum)

    def _on_signal(self, signum: int) -> None:
        if self.signal is None:
            self.signal = signum
            self.engine.cancel(by=_login(), reason=signal.Signals(signum).name)
        else:
            self.engine.kill()

    async def _tick(self) -> None:
        assert self.ticker is not None
        while True:
            await asyncio.sleep(TICK)
            self.ticker()


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as containers have it
        return "unknown"
