"""One call in a worker: the function is called, and its outputs or its error become the answer."""

from __future__ import annotations

import contextlib
import json
import logging
import marshal
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from dagrun import blobs
from dagrun.core.payloads import merged_params
from dagrun.core.work import Blob, TaskContext
from dagrun.errors import DagrunError
from dagrun.executors import calling
from dagrun.executors.artifacts import set_aside
from dagrun.executors.local.channel import Message
from dagrun.executors.local.sandbox import Sandbox
from dagrun.executors.outputs import INLINE_BYTES, store
from dagrun.value import asdict

ERROR_LENGTH = 4000  # characters of an error message
_DAGRUN = Path(__file__).parents[1]


class Terminated(SystemExit):
    """Raised in a body that should end, so that its `finally` blocks run.

    A SystemExit, because event loops and thread pools let that through.
    """


class CalledBody:
    """The body of one attempt."""

    def __init__(self, logger: logging.Logger, message: Message, sandbox: Sandbox) -> None:
        self.message = message
        self.sandbox = sandbox
        self.pid = os.getpid()
        self.is_over = False
        self.was_asked_to_end = False
        self.logger = logger
        self.context: TaskContext | None = None

    def run(self, find: Callable[[str], Callable[..., Any]]) -> Message:
        """Call the function that `find` returns for the workflow. Returns the answer to send; never raises."""
        value: Any = None
        failure: BaseException | None = None
        try:
            value = self._call(find)
        except BaseException as error:
            failure = error
        self.is_over = True
        if os.getpid() != self.pid:
            _exit_fork(failure)
        self.sandbox.restore_limits()
        if self.was_asked_to_end and not isinstance(failure, Terminated):
            failure = Terminated()  # even if the body has caught that, its time was over
        if failure is None:
            try:
                outputs, changed = calling.outputs_of(value)
                return end_message(self.message["n"], changed=changed, **self._stored(outputs))
            except BaseException as error:
                failure = error
        text, error_type = _report(failure, self.sandbox.masker.text)
        return end_message(self.message["n"], error=text, error_type=error_type)

    def _call(self, find: Callable[[str], Callable[..., Any]]) -> Any:
        function = find(self.message["ref"])
        if self.message["attempt"] > 1:
            set_aside(self.sandbox.paths.artifacts, f"{self.sandbox.paths.scratch}.before")
        if calling.takes_context(function):
            self.context = self._context()
        return calling.call(function, self._params(), self.context, self.sandbox.masker.text)

    def _context(self) -> TaskContext:
        timeout, artifacts = self.message["timeout"], Path(self.sandbox.paths.artifacts)
        artifacts.mkdir(parents=True, exist_ok=True)
        return TaskContext(
            run_id=self.sandbox.run_settings["run_id"], task_id=self.message["task"], attempt=self.message["attempt"],
            deadline=None if timeout is None else time.time() + timeout, log=self.logger, artifacts=artifacts,
        )  # fmt: skip

    def ask_to_end(self) -> None:
        """SIGTERM has arrived: tell the body, by its context or by an exception."""
        if self.is_over:
            return
        self.was_asked_to_end = True
        if self.context is None:
            raise Terminated
        self.context.cancelled = True

    def _params(self) -> dict[str, Any]:
        upstream = {
            task: blobs.load(self.sandbox.layout.outputs, Blob(**sent["blob"]))
            if "blob" in sent
            else sent["data"]
            for task, sent in marshal.loads(self.message["upstream"]).items()
        }
        return merged_params(self.message["params"], upstream)

    def _stored(self, outputs: dict[str, Any]) -> Message:
        data = calling.encode_outputs(outputs)
        if self.sandbox.masker:
            outputs = self.sandbox.masker.value(json.loads(data))
            data = calling.encode_outputs(outputs)
        most = self.sandbox.run_settings["max_output_bytes"]
        if len(data) > most:
            raise calling.BadCall(
                f"the outputs are {len(data)} bytes; at most {most} are allowed (max_output_bytes)"
            )
        if len(data) <= INLINE_BYTES:
            return {"outputs": outputs}
        return {"blob": asdict(store(Path(self.sandbox.paths.outputs), data))}


def end_message(number: int, **data: Any) -> Message:
    """The answer to a call: how its body ended."""
    return {"op": "ended", "n": number, **data}


def _exit_fork(failure: BaseException | None) -> NoReturn:
    """The body has forked, and its child has returned from the function as well: the child exits here."""
    code: object = 0
    if isinstance(failure, SystemExit):
        code = failure.code or 0
    elif failure is not None:
        _report(failure, str)
        code = 1
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


def _report(error: BaseException, mask: Callable[[str], str]) -> tuple[str, str]:
    """The error as masked text and its type; the log gets the traceback."""
    if isinstance(error, Terminated):
        return "ended by SIGTERM", "Terminated"
    if isinstance(error, (calling.BadCall, DagrunError)):
        with contextlib.suppress(Exception):  # the body may have closed its stderr
            print(f"dagrun: {error}", file=sys.stderr)
        return truncated(mask(str(error))), type(error).__name__
    inner = error.__traceback__
    while inner is not None and Path(inner.tb_frame.f_code.co_filename).is_relative_to(_DAGRUN):
        inner = inner.tb_next  # frames of dagrun itself do not help a user
    with contextlib.suppress(BaseException):
        traceback.print_exception(type(error), error, inner)
    return describe_error(error, mask), type(error).__name__


def describe_error(error: BaseException, mask: Callable[[str], str] = str) -> str:
    """`ValueError: no such file`, masked and truncated."""
    try:
        text = str(error)
    except BaseException:
        text = "(its message cannot be shown)"
    name = type(error).__name__
    return truncated(f"{name}: {mask(text)}" if text else name)


def truncated(text: str) -> str:
    """The first ERROR_LENGTH characters, without any that UTF-8 cannot encode."""
    return text[:ERROR_LENGTH].encode("utf-8", "backslashreplace").decode()
