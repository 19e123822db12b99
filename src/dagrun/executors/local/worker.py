"""A worker: a warm process that calls registered workflows, one body at a time, each as if it were the first."""

from __future__ import annotations

import faulthandler
import logging
import os
import resource
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from dagrun import registry
from dagrun.executors import calling
from dagrun.executors.local import processes
from dagrun.executors.local.body import CalledBody, describe_error, end_message, truncated
from dagrun.executors.local.call_queue import CallQueue
from dagrun.executors.local.channel import POLL_TIME, Channel, Message
from dagrun.executors.local.sandbox import Sandbox, open_streams
from dagrun.registry import Origin

MAX_BODIES = 1000  # then a worker is replaced
MAX_GROWTH = 256 * 1024 * 1024  # bytes of memory more than at its start, then it is replaced as well


def serve(sock: socket.socket, tickets: int, setup: Message) -> NoReturn:
    """Handle requests until dagrun closes the channel. Runs in a process that the keeper has just forked."""
    processes.set_name(setup["name"])
    processes.adopt_orphans()
    open_streams()
    _reset_sigterm_in_forks()
    faulthandler.enable(2)  # a body that crashes the interpreter gets a traceback in its log
    for path in setup["sys_path"]:
        registry.add_to_path(path)
    os.environ.update(setup["env"])
    worker = Worker(Channel(sock), tickets)
    if first := setup.get("first"):
        worker.read_registry(first)
    while worker.handle_requests():
        pass
    os._exit(0)


def _reset_sigterm_in_forks() -> None:
    """In a child that a body forks, SIGTERM has its default action, from the child's first moment on."""
    saved = threading.local()

    def before() -> None:
        # Python drops a signal that arrives in the child before the child is ready, so none may arrive.
        saved.mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def in_parent() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, saved.mask)

    def in_child() -> None:
        if isinstance(getattr(signal.getsignal(signal.SIGTERM), "__self__", None), Worker):
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        in_parent()

    os.register_at_fork(before=before, after_in_parent=in_parent, after_in_child=in_child)


class _CurrentStderr(logging.StreamHandler[Any]):
    """Writes to whatever sys.stderr is at the moment: a body may have closed or replaced it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        return sys.stderr


class Worker:
    """Runs the calls that it receives, one body at a time."""

    def __init__(self, channel: Channel, tickets: int) -> None:
        self.channel = channel
        self.calls = CallQueue(channel, tickets)
        self.functions: dict[tuple[str, str], dict[str, Callable[..., Any]]] = {}
        self.bodies = 0
        self.polls = False  # the last body was very short, so the next call may come as quickly
        self.is_worn = False  # it will be replaced, and begins nothing more
        self.memory = _peak_memory()
        self.sandbox = Sandbox()
        self.body: CalledBody | None = None
        signal.signal(signal.SIGTERM, self._on_sigterm)
        self.sandbox.handlers[signal.SIGTERM] = self._on_sigterm
        self.logger = logging.getLogger("dagrun.task")
        handler = _CurrentStderr()
        handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        self.logger.addHandler(handler)
        self.logger.setLevel(logging.INFO)
        self.logger.propagate = False

    def handle_requests(self) -> bool:
        """Receive calls once and run all that may begin; False when dagrun has closed the channel."""
        if not self.calls.receive(POLL_TIME if self.polls else 0.0):
            return False
        call = None if self.is_worn else self.calls.next()
        if call is not None and call["op"] == "prefetch":
            self.channel.send({"op": "begun", "n": call["n"]})
        while call is not None:
            answer = self._run(call)
            self.is_worn = "retire" in answer
            self.polls = answer["duration"] < POLL_TIME
            call = None if self.is_worn else self.calls.next()
            if call is not None:  # reported before it begins
                answer["next"] = call["n"]
            self.channel.send(answer)
        return True

    def _on_sigterm(self, signum: int, frame: FrameType | None) -> None:
        if self.body is not None:
            self.body.ask_to_end()

    # --- the registry --------------------------------------------------------------------------------------

    def read_registry(self, request: Message) -> None:
        """Import every origin and send the workflows that it registers, one by one, so that a crash shows where it was."""
        found = registry.origins(request["listed"], Path(request["root"]))
        skipped = set(request["skip"])
        for origin in [origin for origin in found if origin.target not in skipped]:
            self.channel.send({"op": "importing", "origin": _origin_json(origin)})
            answer: Message = {"op": "imported", "origin": _origin_json(origin)}
            try:
                functions = registry.load(origin)
                answer["workflows"] = [
                    registry.pack(registry.describe(name, function, origin))
                    for name, function in functions.items()
                ]
            except BaseException as error:
                answer["error"] = _import_error(error)
            self.channel.send(answer)
        self.channel.send({"op": "registry_read"})

    def _function(self, ref: str) -> Callable[..., Any]:
        origin = self.calls.origins[ref]
        key = (origin.kind, origin.target)
        if key not in self.functions:
            self.functions[key] = registry.load(origin)
        try:
            return self.functions[key][ref]
        except KeyError:
            raise calling.BadCall(f"{origin} no longer registers a workflow '{ref}'") from None

    # --- a body --------------------------------------------------------------------------------------------

    def _run(self, message: Message) -> Message:
        threads = threading.active_count()
        try:
            self.sandbox.enter(message)
        except (
            Exception
        ) as error:  # the run's directory was deleted, the working directory does not exist, ...
            kind = "BadDirectory" if isinstance(error, processes.NoDirectory) else type(error).__name__
            return end_message(message["n"], error=str(error), error_type=kind, duration=0.0, retire=True)
        body = self.body = CalledBody(self.logger, message, self.sandbox)
        begun = time.perf_counter()
        answer = body.run(self._function)
        answer["duration"] = round(time.perf_counter() - begun, 6)
        self.body = None
        try:
            is_restored = self.sandbox.leave(stopped=body.was_asked_to_end)
        except Exception:  # whatever the body has done to its worker, the next body gets another one
            is_restored = False
        if self.sandbox.left_running and not body.was_asked_to_end:
            answer["left"] = len(self.sandbox.left_running)
        self.bodies += 1
        worn = self.bodies >= MAX_BODIES or _peak_memory() - self.memory > MAX_GROWTH
        if worn or self.sandbox.had_secrets or not is_restored or threading.active_count() > threads:
            answer["retire"] = True
        return answer


def _import_error(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return truncated(f"{error.filename}:{error.lineno}:{error.offset}: {error.msg}")
    if isinstance(error, SystemExit):
        return f"it calls sys.exit({error.code if error.code is not None else ''}) while it is imported"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename not in (__file__, registry.__file__) and not frame.filename.startswith("<frozen"):
            return truncated(f"{frame.filename}:{frame.lineno}: {describe_error(error)}")
    return describe_error(error)


def _origin_json(origin: Origin) -> Message:
    return {"kind": origin.kind, "target": origin.target, "listed": origin.listed}


def _peak_memory() -> int:
    """The most memory that this process has used, in bytes."""
    unit = 1024 if processes.LINUX else 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
