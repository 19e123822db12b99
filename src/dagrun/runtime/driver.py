"""One run in this process: the engine with its surroundings, and what signals mean to it."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import random
import signal
from collections.abc import Callable

from dagrun.clock import Clock
from dagrun.core.completion import RetryDefaults
from dagrun.core.events import Event
from dagrun.core.executor_protocol import Executor
from dagrun.core.state import RunState
from dagrun.runtime.engine import Engine, Listener
from dagrun.runtime.prepared_run import PreparedRun
from dagrun.runtime.work_builder import WorkBuilder
from dagrun.settings import Settings
from dagrun.signals import held
from dagrun.storage.run_store import RunWriter

TICK = 0.1  # seconds


class RunDriver:
    """Drives one run; the first Ctrl-C or SIGTERM cancels it, the second kills its bodies at once."""

    def __init__(
        self,
        prepared: PreparedRun,
        settings: Settings,
        writer: RunWriter,
        executor: Executor,
        clock: Clock,
        listener: Listener | None = None,
        ticker: Callable[[], None] | None = None,
        state: RunState | None = None,
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
        state = state or RunState(prepared.graph, defaults)
        state.defaults = defaults
        self.engine = Engine(
            state=state, writer=writer, executor=executor, clock=clock, chance=random.random, listener=listener,
            bodies=WorkBuilder(prepared, settings, state, writer.run_id, writer.read_outputs, writer.artifacts),
            cancel_timeout=settings.cancel_timeout_ms / 1000, masker=prepared.masker,
        )  # fmt: skip

    async def run(self, *first: Event, held: held | None = None) -> RunState:
        """One stretch, which `first` begins, to its end. The signals that were held until now are its first."""
        self._listen_to_signals()
        for signum in held.take() if held else ():
            asyncio.get_running_loop().call_soon(self._on_signal, signum)
        ticking = asyncio.create_task(self._tick())
        try:
            state = await self.engine.run(*first)
        finally:
            ticking.cancel()
            await self.executor.close()
        self.engine.take_requests()  # they came too late
        return state

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
            self.engine.cancel(by=login(), reason=signal.Signals(signum).name)
        else:
            self.engine.kill()

    async def _tick(self) -> None:
        """Look, ten times a second, at what others want of the run and at what bodies have printed."""
        while True:
            await asyncio.sleep(TICK)
            self.engine.look()
            if self.ticker is not None:
                self.ticker()


def login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as containers have it
        return "unknown"
