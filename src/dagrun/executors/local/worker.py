"""A worker: a warm process that runs registered workflows, one body at a time, each as if it were the first."""

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
from dagrun.executors.local.body import Body, clean, describe_error, ended
from dagrun.executors.local.call_queue import CallQueue
from dagrun.executors.local.channel import LOOK_OUT, Channel, Message
from dagrun.executors.local.sandbox import Home, open_streams
from dagrun.registry import Origin

MOST_BODIES = 1000
MOST_GROWTH = 256 * 1024 * 1024


def serve(sock: socket.socket, tickets: int, setup: Message) -> NoReturn:
    """Do what dagrun asks until it closes the channel. Runs in a process that the keeper has just forked."""
    processes.call_me(setup["name"])
    processes.adopt_orphans()
    processes.prefer_for_oom()
    open_streams()
    _guard_forks()
    faulthandler.enable(2)  # a body that crashes the interpreter says in its log where it was
    for path in setup["sys_path"]:
        registry.add_to_path(path)
    os.environ.update(setup["env"])
    worker = Worker(Channel(sock), tickets)
    if first := setup.get("first"):
        worker.describe(first)
    while worker.listen():
        pass
    os._exit(0)


def _guard_forks() -> None:
    """For a child that a body forks, TERM means what it means anywhere, from its first moment on."""
    kept = threading.local()

    def before() -> None:
        # Python drops in the child what arrives before the child's own start: so nothing may.
        kept.mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def in_parent() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, kept.mask)

    def in_child() -> None:
        if isinstance(getattr(signal.getsignal(signal.SIGTERM), "__self__", None), Worker):
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        in_parent()

    os.register_at_fork(before=before, after_in_parent=in_parent, after_in_child=in_child)


class _ToStderr(logging.StreamHandler[Any]):
    """Writes to whatever sys.stderr is now: a body may have closed or replaced it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        return sys.stderr


class Worker:
    """Runs the calls that come, one body at a time."""

    def __init__(self, channel: Channel, tickets: int) -> None:
        self.channel = channel
        self.calls = CallQueue(channel, tickets)
        self.functions: dict[tuple[str, str], dict[str, Callable[..., Any]]] = {}
        self.bodies = 0
        self.brisk = False  # whether its last body was over in no time: the next call may come as quickly
        self.worn = False  # whether it is to be replaced: it begins nothing any more
        self.memory = _peak_memory()
        self.home = Home()
        self.body: Body | None = None
        signal.signal(signal.SIGTERM, self._asked_to_end)
        self.home.handlers[signal.SIGTERM] = self._asked_to_end
        self.logger = logging.getLogger("dagrun.task")
        handler = _ToStderr()
        handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        self.logger.addHandler(handler)
        self.logger.setLevel(logging.INFO)
        self.logger.propagate = False

    def listen(self) -> bool:
        """Do what dagrun asks next; False when it has closed the channel."""
        if not self.calls.receive(LOOK_OUT if self.brisk else 0.0):
            return False
        call = None if self.worn else self.calls.next()
        if call is not None and call["op"] == "queue":
            self.channel.send({"op": "begun", "n": call["n"]})
        while call is not None:
            answer = self._run(call)
            self.worn = "retire" in answer
            self.brisk = answer["duration"] < LOOK_OUT
            call = None if self.worn else self.calls.next()
            if call is not None:  # said before it begins
                answer["next"] = call["n"]
            self.channel.send(answer)
        return True

    def _asked_to_end(self, signum: int, frame: FrameType | None) -> None:
        if self.body is not None:
            self.body.asked_to_end()

    # --- the registry --------------------------------------------------------------------------------------

    def describe(self, message: Message) -> None:
        """Read every origin and say what it registers: one answer each, so a crash shows where it was."""
        found = registry.origins(message["listed"], Path(message["root"]))
        skipped = set(message["skip"])
        found = [origin for origin in found if origin.target not in skipped]
        for origin in found:
            self.channel.send({"op": "reading", "origin": _origin_json(origin)})
            answer: Message = {"op": "origin", "origin": _origin_json(origin)}
            try:
                functions = registry.load(origin)
                answer["workflows"] = [
                    registry.pack(registry.describe(name, function, origin))
                    for name, function in functions.items()
                ]
            except BaseException as error:
                answer["error"] = _import_error(error)
            self.channel.send(answer)
        self.channel.send({"op": "described"})

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
            self.home.enter(message)
        except Exception as error:  # the run's directory vanished, or the working directory did, ...
            kind = "BadDirectory" if isinstance(error, processes.NoDirectory) else type(error).__name__
            return ended(message["n"], error=str(error), error_type=kind, duration=0.0, retire=True)
        body = self.body = Body(self.logger, message, self.home)
        begun = time.perf_counter()
        answer = body.run(self._function)
        answer["duration"] = round(time.perf_counter() - begun, 6)
        self.body = None
        try:
            as_it_was = self.home.leave(stopped=body.asked)
        except Exception:  # whatever the body has made of its surroundings: the next one gets another worker
            as_it_was = False
        if self.home.left and not body.asked:
            answer["left"] = len(self.home.left)
        self.bodies += 1
        grown = _peak_memory() - self.memory
        worn = self.bodies >= MOST_BODIES or grown > MOST_GROWTH
        if worn or self.home.told or not as_it_was or threading.active_count() > threads:
            answer["retire"] = True
        return answer


def _import_error(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return clean(f"{error.filename}:{error.lineno}:{error.offset}: {error.msg}")
    if isinstance(error, SystemExit):
        return f"it calls sys.exit({error.code if error.code is not None else ''}) while it is imported"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename not in (__file__, registry.__file__) and not frame.filename.startswith("<frozen"):
            return clean(f"{frame.filename}:{frame.lineno}: {describe_error(error)}")
    return describe_error(error)


def _origin_json(origin: Origin) -> Message:
    return {"kind": origin.kind, "target": origin.target, "listed": origin.listed}


def _peak_memory() -> int:
    """The most memory this process has used, in bytes."""
    unit = 1024 if processes.LINUX else 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
