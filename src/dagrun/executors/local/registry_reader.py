"""Reads the registry in a worker, before any loop runs: user modules are never imported into dagrun itself."""

from __future__ import annotations

from collections.abc import Iterable

from dagrun.errors import MORE_FILES, EnvironmentFailure
from dagrun.executors.local.executor import LocalExecutor
from dagrun.executors.local.pool import NO_MORE_FILES
from dagrun.executors.local.worker_handle import WorkerHandle
from dagrun.registry import Failure, Origin, Registry, Workflow, unpack

IMPORT_PATIENCE = 30.0  # seconds that the import of one module may take


class RegistryReader:
    """Reads the registry with the keeper of an executor that is not open yet, which gets the worker afterwards.

    A module that crashes or hangs while it is imported costs one worker.
    """

    def __init__(self, executor: LocalExecutor, patience: float = IMPORT_PATIENCE) -> None:
        self._keeper = executor.keeper.channel
        self._pool = executor.pool
        self._root = executor.root
        self._patience = patience
        self._started = False

    def start(self, listed: Iterable[str]) -> None:
        """Let a worker begin, while this process continues. `listed` are the modules and files that the user named."""
        self._request(listed, [])
        self._started = True

    def read(self, listed: Iterable[str]) -> Registry:
        """Every registered workflow, as data; a module that cannot be imported becomes a Failure.

        Raises EnvironmentFailure when there is no worker, or a module that is not the user's own cannot be imported.
        """
        crashes: list[Failure] = []
        if not self._started:
            self._request(listed, [])
        self._started = False
        while True:
            worker = self._next_worker()
            workflows, failures, crash = self._receive(worker)
            if crash is None:
                worker.has_read_registry = True
                self._pool.release(worker)
                return Registry(workflows, (*crashes, *failures))
            skipped = [failure.origin.target for failure in crashes]
            if crash.origin.target in skipped:
                raise EnvironmentFailure(f"workflows cannot be read: {crash.origin}: {crash.error}")
            crashes.append(crash)
            self._pool.discard(worker)
            self._request(listed, [*skipped, crash.origin.target])

    def _request(self, listed: Iterable[str], skip: list[str]) -> None:
        self._pool.request_worker({"listed": list(listed), "root": str(self._root), "skip": skip})

    def _next_worker(self) -> WorkerHandle:
        while True:
            messages = self._keeper.receive()
            if messages is None:
                raise EnvironmentFailure("the keeper process has died", hint="run the command again")
            for message in messages:
                if message["op"] == "worker":
                    if (worker := self._pool.register(message, self._keeper)) is None:
                        raise EnvironmentFailure(NO_MORE_FILES, hint=MORE_FILES)
                    return worker
                if message["op"] == "worker_failed":
                    raise EnvironmentFailure(message["error"])

    def _receive(self, worker: WorkerHandle) -> tuple[dict[str, Workflow], list[Failure], Failure | None]:
        """The workflows that the worker finds, the modules that fail to import, and the one that ends the worker."""
        found: dict[str, Workflow] = {}
        failures: list[Failure] = []
        importing = Origin("entry_point", "entry points", listed=False)
        worker.channel.sock.settimeout(self._patience)
        while True:
            try:
                messages = worker.channel.receive()
            except TimeoutError:
                error = f"it is still being imported after {self._patience:g} s"
                return found, failures, Failure(importing, error)
            except (ValueError, RecursionError):
                error = "it writes to file descriptors that it did not open while it is imported"
                return found, failures, Failure(importing, error)
            if messages is None:
                return found, failures, Failure(importing, "it ends the process while it is imported")
            for message in messages:
                if message["op"] == "registry_read":
                    worker.channel.sock.settimeout(None)
                    return found, failures, None
                importing = Origin(**message["origin"])
                if "error" in message:
                    failures.append(Failure(importing, message["error"]))
                for data in message.get("workflows", ()):
                    workflow = unpack(data)
                    found.setdefault(workflow.name, workflow)
