"""A worker: a warm process that runs registered workflows, one body at a time, each as if it were the first."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # signal.getsignal makes an enum of each answer, sixty times a body
import contextlib
import faulthandler
import io
import logging
import os
import resource
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from dagrun import registry
from dagrun.executors import calling, processes
from dagrun.executors.artifacts import set_aside
from dagrun.executors.calls import Calls
from dagrun.executors.masked import through_masker
from dagrun.executors.outputs import INLINE_BYTES, load, spool_path, store
from dagrun.executors.wire import LOOK_OUT, Channel, Message
from dagrun.masking import Masker
from dagrun.payloads import merged_params
from dagrun.registry import Origin
from dagrun.work import TaskContext

LOG_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
MOST_BODIES = 1000
MOST_GROWTH = 256 * 1024 * 1024
ERROR_LENGTH = 4000


class Terminated(SystemExit):
    """The attempt was asked to end: raised in the body, so that its `finally` blocks run.

    A SystemExit, because that is what event loops and thread pools let through.
    """


def serve(sock: socket.socket, tickets: int, setup: Message) -> NoReturn:
    """Do what dagrun asks until it closes the channel. Runs in a process that the keeper has just forked."""
    processes.call_me(processes.WORKER)
    processes.adopt_orphans()
    processes.prefer_for_oom()
    _open_streams()
    _guard_forks()
    faulthandler.enable(2)  # a body that crashes the interpreter says in its log where it was
    for path in reversed(setup["sys_path"]):
        if path not in sys.path:
            sys.path.insert(0, path)
    os.environ.update(setup["env"])
    worker = Worker(Channel(sock), tickets)
    if first := setup.get("first"):
        worker.describe(first)
    while worker.listen():
        pass
    os._exit(0)


def _open_streams() -> None:
    """New text streams on descriptors 1 and 2: what dagrun had there is not ours (a test's capture, say)."""
    for name, fd in (("stdout", 1), ("stderr", 2)):
        raw = io.FileIO(fd, "w", closefd=False)
        stream = io.TextIOWrapper(
            io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=True
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.stdin = open(os.devnull)  # noqa: SIM115 - stays open as long as the process


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
        self.calls = Calls(channel, tickets)
        self.functions: dict[tuple[str, str], dict[str, Callable[..., Any]]] = {}
        self.bodies = 0
        self.brisk = (
            False  # whether its last body was over in no time, so that the next call may come as quickly
        )
        self.worn = False  # whether it is to be replaced: it begins nothing any more
        self.memory = _peak_memory()
        self.home = _Home()
        self.body: _Body | None = None
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
        except OSError as error:  # the run's directory vanished, or the working directory did
            kind = "BadDirectory" if isinstance(error, processes.NoDirectory) else "OSError"
            return _ended(message["n"], error=str(error), error_type=kind, duration=0.0, retire=True)
        body = self.body = _Body(self.logger, message, self.home)
        begun = time.perf_counter()
        answer = body.run(self._function)
        answer["duration"] = round(time.perf_counter() - begun, 6)
        self.body = None
        as_it_was = self.home.leave()
        self.bodies += 1
        grown = _peak_memory() - self.memory
        worn = self.bodies >= MOST_BODIES or grown > MOST_GROWTH
        if worn or self.home.told or not as_it_was or threading.active_count() > threads:
            answer["retire"] = True
        return answer


def _ended(number: int, **facts: Any) -> Message:
    return {"op": "ended", "n": number, **facts}


class _Body:
    """One attempt: call the function, keep its outputs or its error."""

    def __init__(self, logger: logging.Logger, message: Message, home: _Home) -> None:
        self.message = message
        self.home = home
        self.pid = os.getpid()
        self.over = False
        self.asked = False
        self.logger = logger
        self.context: TaskContext | None = None

    def run(self, find: Callable[[str], Callable[..., Any]]) -> Message:
        """Call it; the answer to send. Nothing that user code raises gets out of here."""
        value: Any = None
        failure: BaseException | None = None
        try:
            value = self._call(find)
        except BaseException as error:
            failure = error
        self.over = True
        if os.getpid() != self.pid:
            _end_fork(failure)
        self.home.lift_limits()
        if self.asked and not isinstance(failure, Terminated):
            failure = Terminated()  # whatever it made of it: its time was over
        if failure is None:
            try:
                outputs, changed = calling.outputs_of(value)
                stored = self._stored(self.home.masker.value(outputs))
                return _ended(self.message["n"], changed=changed, **stored)
            except BaseException as error:
                failure = error
        sentence, error_type = _error(failure)
        return _ended(self.message["n"], error=self.home.masker.text(sentence), error_type=error_type)

    def _call(self, find: Callable[[str], Callable[..., Any]]) -> Any:
        function = find(self.message["ref"])
        if self.message["try"] > 1:
            directory = self.home.path(self.message["artifacts"])
            to = f"{self.home.surroundings['spools']}/{Path(directory).name}.{self.message['try']}.before"
            set_aside(directory, to)
        if calling.takes_context(function):
            self.context = self._context()
        return calling.call(function, self._params(), self.context)

    def _context(self) -> TaskContext:
        timeout, artifacts = self.message["timeout"], Path(self.home.path(self.message["artifacts"]))
        artifacts.mkdir(parents=True, exist_ok=True)
        return TaskContext(
            run_id=self.home.surroundings["run_id"], task_id=self.message["task"], attempt=self.message["try"],
            deadline=None if timeout is None else time.time() + timeout, log=self.logger, artifacts=artifacts,
        )  # fmt: skip

    def asked_to_end(self) -> None:
        """TERM has come."""
        if self.over:
            return
        self.asked = True
        if self.context is None:
            raise Terminated
        self.context.cancelled = True

    def _params(self) -> dict[str, Any]:
        upstream = {
            task: load(Path(sent["file"])) if "file" in sent else sent["data"]
            for task, sent in self.message["upstream"].items()
        }
        return merged_params(self.message["params"], upstream)

    def _stored(self, outputs: dict[str, Any]) -> Message:
        data = calling.encode_outputs(outputs)
        most = self.home.surroundings["max_output_bytes"]
        if len(data) > most:
            raise calling.BadCall(
                f"the outputs are {len(data)} bytes; at most {most} are allowed (max_output_bytes)"
            )
        if len(data) <= INLINE_BYTES:
            return {"outputs": outputs}
        return {"blob": asdict(store(Path(self.home.path(self.message["outputs"])), data))}


class Spool:
    """Where quick bodies print: a file that is kept open, and gets a log's name only when there is something in it.

    Creating a file costs more than most of these bodies.
    """

    def __init__(self) -> None:
        self.path = ""
        self._fd = -1

    def open(self, directory: str) -> None:
        """Be below this directory from now on. Raises OSError."""
        self._close()
        self.path = spool_path(directory, os.getpid())

    def fileno(self) -> int:
        """A descriptor to print to. Raises OSError."""
        if self._fd < 0:
            Path(self.path).parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self.path, LOG_FLAGS, 0o600)
        return self._fd

    def put(self, log: str) -> None:
        """What a body has printed, if anything, is its log."""
        if self._fd >= 0 and os.fstat(self._fd).st_size:
            with contextlib.suppress(OSError):  # the run's directory vanished
                os.rename(self.path, log)  # noqa: PTH104
            self._close()

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class _Home:
    """What a body finds and what is put back after it: directory, environment, umask, streams, signal handlers.

    `surroundings` are what the bodies of one run have in common; they come with the first call and when they change.
    """

    def __init__(self) -> None:
        self.environment = dict(os.environ)  # what the worker was forked with
        self.common: Environment = {}  # with what the bodies of this run have in common
        self.given: Environment = {}  # with what the present body was given besides
        self.surroundings: Message = {}
        self.masker = Masker(())
        self.told = False  # whether secrets were handed out
        self.streams = sys.stdout, sys.stderr
        self.umask = os.umask(0o022)
        os.umask(self.umask)
        self.handlers = {
            signum: handler
            for signum in signal.valid_signals()
            if (handler := signal.getsignal(signum)) is not None
        }
        self.recursion = sys.getrecursionlimit()
        self.limits = {which: resource.getrlimit(which) for which in _LIMITS}
        self.limited = False
        self.masking: int | None = None  # the process that the body's output goes through
        self.spool = Spool()
        self.log = ""  # what the spool becomes when the present body has printed something

    def enter(self, message: Message) -> None:
        """Get everything ready for a body. Raises OSError."""
        if message["in"] is not self.surroundings:
            self._surround(message["in"])
        _open_closed()
        masks = self.surroundings["masks"]
        if message["quick"] and not masks:
            self.log = self.path(message["log"])
            os.dup2(self.spool.fileno(), 1)
            os.dup2(self.spool.fileno(), 2)
        else:
            self._open_log(self.path(message["log"]), masks)
        if message["env"]:
            os.environ.update(message["env"])
            self.told = self.told or _tells(message["env"], masks)
        os.environ["DAGRUN_TASK_ID"] = message["task"]
        os.environ["DAGRUN_ATTEMPT"] = str(message["try"])
        self.given = {} if message["env"] else dict(_environment())
        cwd = self.surroundings["cwd"]
        try:
            os.chdir(cwd)
        except OSError as error:
            raise processes.NoDirectory(error.errno, error.strerror, cwd) from None

    def path(self, below: str) -> str:
        """A path that was given from the run's directory on."""
        directory: str = self.surroundings["directory"]
        return directory + below

    def _open_log(self, path: str, masks: Sequence[str]) -> None:
        log = os.open(path, LOG_FLAGS, 0o600)
        if masks:
            unmasked, (log, self.masking) = log, through_masker(log, masks)
            os.close(unmasked)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)

    def _surround(self, surroundings: Message) -> None:
        self.spool.open(surroundings["spools"])
        self.surroundings = surroundings
        self.masker = Masker(surroundings["masks"])
        self.told = _tells(surroundings["env"], surroundings["masks"])
        os.environ.clear()
        os.environ.update(self.environment)
        for name in surroundings["unset"]:
            os.environ.pop(name, None)
        os.environ.update(surroundings["env"])
        self.common = dict(_environment())

    def lift_limits(self) -> None:
        """Undo what the body did to its own limits, before anything else needs memory or files."""
        sys.setrecursionlimit(self.recursion)
        for which, limits in self.limits.items():
            if resource.getrlimit(which) != limits:
                self.limited = True
                with contextlib.suppress(ValueError, OSError):
                    resource.setrlimit(which, limits)

    def leave(self) -> bool:
        """Put everything back; False when that cannot be trusted and the worker should not be used again."""
        self._restore_signals()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # the body may have closed or replaced it
                stream.flush()
        if self.streams != (sys.stdout, sys.stderr) or any(stream.closed for stream in self.streams):
            _open_closed()
            _open_streams()
            self.streams = sys.stdout, sys.stderr
        _end_children(spare=self.masking)
        if self.log:
            self.spool.put(self.log)
            self.log = ""
        self._end_masker()
        os.umask(self.umask)
        if _environment() != self.given:
            self._restore_environment()
        return not self.limited

    def _restore_environment(self) -> None:
        now = _environment()
        for name in [name for name, text in now.items() if self.common.get(name) != text]:
            os.environ.pop(os.fsdecode(name))
        for name, text in self.common.items():
            if name not in now:
                os.environ[os.fsdecode(name)] = os.fsdecode(text)

    def _end_masker(self) -> None:
        """Close our end of its pipe, and wait until it has written the last line."""
        if self.masking is None:
            return
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.close(null)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.masking, 0)
        self.masking = None

    def _restore_signals(self) -> None:
        signal.set_wakeup_fd(-1)
        signal.setitimer(signal.ITIMER_REAL, 0)
        if [*map(_signal.getsignal, self.handlers)] != [*self.handlers.values()]:
            for signum, handler in self.handlers.items():
                if _signal.getsignal(signum) != handler:
                    signal.signal(signum, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _tells(env: Mapping[str, str], masks: Sequence[str]) -> bool:
    return any(mask in text for mask in masks for text in env.values())


#: The environment as the system has it.
Environment = Mapping[bytes, bytes]


def _environment() -> Environment:
    """What `os.environ` holds, itself: to compare sixty variables through its methods costs more than most bodies."""
    data: Environment = os.environ._data  # type: ignore[attr-defined]
    return data


_LIMITS = (
    resource.RLIMIT_AS,
    resource.RLIMIT_CPU,
    resource.RLIMIT_DATA,
    resource.RLIMIT_FSIZE,
    resource.RLIMIT_NOFILE,
)


def _open_closed() -> None:
    """A body may have closed a standard descriptor: the next file opened must not get its number."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
            os.set_inheritable(fd, True)


def _end_fork(failure: BaseException | None) -> NoReturn:
    """The body forked, and here its child has come back as well: that one ends here."""
    code: object = 0
    if isinstance(failure, SystemExit):
        code = failure.code or 0
    elif failure is not None:
        _error(failure)
        code = 1
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


def _end_children(spare: int | None = None) -> None:
    """End what the body left running: TERM, at most a second, KILL. Costs one system call when there is nothing."""
    deadline = time.monotonic() + 1.0
    told = False
    while time.monotonic() < deadline + 5.0:  # then it is another user's, or hangs in the kernel
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid:
            continue
        left = processes.descendants(os.getpid()) or processes.children(os.getpid())
        left = [pid for pid in left if pid != spare]
        if spare is not None and not left:
            return
        late = time.monotonic() > deadline
        if late or not told:
            processes.send(left, signal.SIGKILL if late else signal.SIGTERM)
        told = True
        time.sleep(0.005)


def _error(error: BaseException) -> tuple[str, str]:
    """The error's sentence and its type; whoever reads the log finds where it came from."""
    if isinstance(error, Terminated):
        return "ended by SIGTERM", "Terminated"
    if isinstance(error, calling.BadCall):
        with contextlib.suppress(Exception):  # it may have closed its stderr
            print(f"dagrun: {error}", file=sys.stderr)
        return _clean(str(error)), type(error).__name__
    inner = error.__traceback__
    while inner is not None and Path(inner.tb_frame.f_code.co_filename).parent == Path(__file__).parent:
        inner = inner.tb_next  # the frames of dagrun itself tell a user nothing
    with contextlib.suppress(BaseException):
        traceback.print_exception(type(error), error, inner)
    return _describe_error(error), type(error).__name__


def _describe_error(error: BaseException) -> str:
    try:
        text = str(error)
    except BaseException:
        text = "(its message cannot be shown)"
    name = type(error).__name__
    return _clean(f"{name}: {text}" if text else name)


def _clean(text: str) -> str:
    return text[:ERROR_LENGTH].encode("utf-8", "backslashreplace").decode()


def _import_error(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return _clean(f"{error.filename}:{error.lineno}:{error.offset}: {error.msg}")
    if isinstance(error, SystemExit):
        return f"it calls sys.exit({error.code if error.code is not None else ''}) while it is imported"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename not in (__file__, registry.__file__) and not frame.filename.startswith("<frozen"):
            return _clean(f"{frame.filename}:{frame.lineno}: {_describe_error(error)}")
    return _describe_error(error)


def _origin_json(origin: Origin) -> Message:
    return {"kind": origin.kind, "target": origin.target, "listed": origin.listed}


def _peak_memory() -> int:
    """The most memory this process has used, in bytes."""
    unit = 1024 if processes.LINUX else 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
