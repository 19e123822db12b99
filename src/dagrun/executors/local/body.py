"""The body of an attempt as its worker runs it: the function is called, its outputs or its error are kept."""

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
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from dagrun import blobs
from dagrun.core.payloads import merged_params
from dagrun.core.work import Blob, TaskContext
from dagrun.errors import DamagedError
from dagrun.executors import calling
from dagrun.executors.artifacts import set_aside
from dagrun.executors.local.channel import Message
from dagrun.executors.local.sandbox import Home
from dagrun.executors.outputs import INLINE_BYTES, store

ERROR_LENGTH = 4000


class Terminated(SystemExit):
    """The attempt was asked to end: raised in the body, so that its `finally` blocks run.

    A SystemExit, because that is what event loops and thread pools let through.
    """


#: The frames of dagrun itself say nothing to a user.
_OWN = Path(__file__).parents[1]


class Body:
    """One attempt: call the function, keep its outputs or its error."""

    def __init__(self, logger: logging.Logger, message: Message, home: Home) -> None:
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
                return ended(self.message["n"], changed=changed, **self._stored(outputs))
            except BaseException as error:
                failure = error
        sentence, error_type = _error(failure, self.home.masker.text)
        return ended(self.message["n"], error=sentence, error_type=error_type)

    def _call(self, find: Callable[[str], Callable[..., Any]]) -> Any:
        function = find(self.message["ref"])
        if self.message["try"] > 1:
            set_aside(self.home.paths.artifacts, f"{self.home.paths.scratch}.before")
        if calling.takes_context(function):
            self.context = self._context()
        return calling.call(function, self._params(), self.context, self.home.masker.text)

    def _context(self) -> TaskContext:
        timeout, artifacts = self.message["timeout"], Path(self.home.paths.artifacts)
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
            task: blobs.load(self.home.layout.outputs, Blob(**sent["blob"]))
            if "blob" in sent
            else sent["data"]
            for task, sent in marshal.loads(self.message["upstream"]).items()
        }
        return merged_params(self.message["params"], upstream)

    def _stored(self, outputs: dict[str, Any]) -> Message:
        data = calling.encode_outputs(outputs)
        if self.home.masker:
            outputs = self.home.masker.value(json.loads(data))
            data = calling.encode_outputs(outputs)
        most = self.home.surroundings["max_output_bytes"]
        if len(data) > most:
            raise calling.BadCall(
                f"the outputs are {len(data)} bytes; at most {most} are allowed (max_output_bytes)"
            )
        if len(data) <= INLINE_BYTES:
            return {"outputs": outputs}
        return {"blob": asdict(store(Path(self.home.paths.outputs), data))}


def ended(number: int, **facts: Any) -> Message:
    """The answer to a call: how its body ended."""
    return {"op": "ended", "n": number, **facts}


def _end_fork(failure: BaseException | None) -> NoReturn:
    """The body forked, and here its child has come back as well: that one ends here."""
    code: object = 0
    if isinstance(failure, SystemExit):
        code = failure.code or 0
    elif failure is not None:
        _error(failure, str)
        code = 1
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


def _error(error: BaseException, mask: Callable[[str], str]) -> tuple[str, str]:
    """The error's sentence, masked, and its type; whoever reads the log finds where it came from."""
    if isinstance(error, Terminated):
        return "ended by SIGTERM", "Terminated"
    if isinstance(error, (calling.BadCall, DamagedError)):
        with contextlib.suppress(Exception):  # it may have closed its stderr
            print(f"dagrun: {error}", file=sys.stderr)
        return clean(mask(str(error))), type(error).__name__
    inner = error.__traceback__
    while inner is not None and Path(inner.tb_frame.f_code.co_filename).is_relative_to(_OWN):
        inner = inner.tb_next  # the frames of dagrun itself tell a user nothing
    with contextlib.suppress(BaseException):
        traceback.print_exception(type(error), error, inner)
    return describe_error(error, mask), type(error).__name__


def describe_error(error: BaseException, mask: Callable[[str], str] = str) -> str:
    try:
        text = str(error)
    except BaseException:
        text = "(its message cannot be shown)"
    name = type(error).__name__
    return clean(f"{name}: {mask(text)}" if text else name)


def clean(text: str) -> str:
    return text[:ERROR_LENGTH].encode("utf-8", "backslashreplace").decode()
