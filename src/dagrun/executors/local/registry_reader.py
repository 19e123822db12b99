"""The registry, read by a worker before any loop runs: user modules are imported there, never in dagrun itself."""

from __future__ import annotations

from collections.abc import Iterable

from dagrun.errors import MORE_FILES, EnvironmentFailure
from dagrun.executors.local.executor import LocalExecutor
from dagrun.executors.local.pool import NO_MORE_FILES
from dagrun.executors.local.worker_handle import WarmWorker
from dagrun.registry import Failure, Origin, Registry, Workflow, unpack

IMPORT_PATIENCE = 30.0  # seconds that one module may take to be imported


class RegistryReader:
    """Asks workers of an executor that is not open yet. A module that crashes or hangs while it is imported costs one of them."""

    def __init__(self, executor: LocalExecutor, patience: float = IMPORT_PATIENCE) -> None:
        self._pool = executor.pool
        self._keeper = executor.keeper
        self._root = executor.root
        self._patience = patience
        self._foreseen = False

    def start(self, listed: Iterable[str]) -> None:
        """Let a worker begin to read it, while this process goes on: it will most likely be asked for."""
        self._ask(listed, [])
        self._foreseen = True

    def read(self, listed: Iterable[str]) -> Registry:
        """Every registered workflow, as data; a module that cannot be imported becomes a Failure.

        Raises EnvironmentFailure when no worker can be had, or what is not the user's own cannot be imported.
        """
        crashes: list[Failure] = []
        if not self._foreseen:
            self._ask(listed, [])
        self._foreseen = False
        while True:
            worker = self._await_worker()
            workflows, failures, crash = self._hear(worker)
            if crash is None:
                worker.described = True
                self._pool.reuse(worker)
                return Registry(workflows, (*crashes, *failures))
            skipped = [failure.origin.target for failure in crashes]
            if crash.origin.target in skipped:
                raise EnvironmentFailure(f"workflows cannot be read: {crash.origin}: {crash.error}")
            crashes.append(crash)
            self._pool.discard(worker)
            self._ask(listed, [*skipped, crash.origin.target])

    def _ask(self, listed: Iterable[str], skip: list[str]) -> None:
        self._pool.ask_for_worker(
            {"op": "describe", "listed": list(listed), "root": str(self._root), "skip": skip}
        )

    def _await_worker(self) -> WarmWorker:
        while True:
            messages = self._keeper.receive()
            if messages is None:
                raise EnvironmentFailure("the keeper process is gone", hint="run the command again")
            for message in messages:
                if message["op"] == "worker":
                    if (worker := self._pool.admit(message, self._keeper)) is None:
                        raise EnvironmentFailure(NO_MORE_FILES, hint=MORE_FILES)
                    return worker
                if message["op"] == "unforked":
                    raise EnvironmentFailure(message["error"])

    def _hear(self, worker: WarmWorker) -> tuple[dict[str, Workflow], list[Failure], Failure | None]:
        """What it finds, what it cannot import, and what it does not survive."""
        found: dict[str, Workflow] = {}
        failures: list[Failure] = []
        reading = Origin("entry_point", "entry points", listed=False)
        worker.channel.sock.settimeout(self._patience)
        while True:
            try:
                messages = worker.channel.receive()
            except TimeoutError:
                why = f"it is still being imported after {self._patience:g} s"
                return found, failures, Failure(reading, why)
            except (ValueError, RecursionError):
                why = "it writes to file descriptors that it did not open while it is imported"
                return found, failures, Failure(reading, why)
            if messages is None:
                return found, failures, Failure(reading, "it ends the process while it is imported")
            for message in messages:
                if message["op"] == "described":
                    worker.channel.sock.settimeout(None)
                    return found, failures, None
                reading = Origin(**message["origin"])
                if "error" in message:
                    failures.append(Failure(reading, message["error"]))
                for data in message.get("workflows", ()):
                    workflow = unpack(data)
                    found.setdefault(workflow.name, workflow)
