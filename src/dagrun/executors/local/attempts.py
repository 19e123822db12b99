"""An attempt that the local executor was given, and the ways in which it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from dagrun.core.executor_protocol import PrefetchListener
from dagrun.core.work import Attempt, AttemptResult, Blob, Outputs, Work
from dagrun.executors.local.channel import Message
from dagrun.executors.local.processes import signal_name
from dagrun.run_layout import AttemptPaths

if TYPE_CHECKING:
    import asyncio


class RunningAttempt(msgspec.Struct, eq=False):
    """An attempt that was started or prefetched here and has not ended."""

    work: Work
    paths: AttemptPaths
    done: Callable[[AttemptResult], None]
    began_at: float  # seconds of the monotonic clock
    listener: PrefetchListener | None = None  # of a prefetched attempt
    pid: int | None = None
    stop_signal: int | None = None  # the last signal with which it was asked to end
    signalled: bool = False  # that signal may still be on its way to the process
    kill_timer: asyncio.TimerHandle | None = None
    stop_copying: threading.Event | None = None  # exists while its artifacts are copied


def attempt_variables(attempt: Attempt, paths: AttemptPaths) -> dict[str, str]:
    """The environment variables by which a body finds out about its attempt."""
    return {
        "DAGRUN_RUN_ID": attempt.run_id,
        "DAGRUN_RUN_DIR": paths.directory,
        "DAGRUN_ARTIFACTS": paths.artifacts.rpartition("/")[0],
        "DAGRUN_TASK_ID": attempt.task_id,
        "DAGRUN_ATTEMPT": str(attempt.number),
    }


def key_of(attempt: Attempt) -> tuple[str, str]:
    """Run and task: a task has one attempt at a time."""
    return attempt.run_id, attempt.task_id


def seconds_since_begin(attempt: RunningAttempt) -> float:
    """How long the attempt has been running."""
    return round(time.monotonic() - attempt.began_at, 6)


def error_text(error: Exception) -> str:
    """An error of dagrun's own work on an attempt, for people."""
    if isinstance(error, RecursionError):
        return "a value is nested too deeply"
    return str(error) or type(error).__name__


def failure(attempt: RunningAttempt, error: Exception) -> AttemptResult:
    """The end of an attempt that could not be prepared, or whose result could not be read."""
    return AttemptResult(
        duration=seconds_since_begin(attempt), error=error_text(error), error_type=type(error).__name__
    )


def worker_death(attempt: RunningAttempt, code: int) -> AttemptResult:
    """The end of an attempt whose worker has died. `code` is negative for a signal."""
    how = (
        f"was killed by {signal_name(-code)}"
        if code < 0
        else f"exited with code {code} before the body ended"
    )
    return AttemptResult(
        duration=seconds_since_begin(attempt), error=f"the worker process {how}", error_type="WorkerDied", exit_code=code
    )  # fmt: skip


def reported_end(message: Message) -> AttemptResult:
    """The end of an attempt as its worker reports it."""
    duration, left = message["duration"], message.get("left", 0)
    if "error" in message:
        error, error_type = message["error"], message["error_type"]
        return AttemptResult(duration=duration, error=error, error_type=error_type, left_running=left)
    blob = message.get("blob")
    outputs: Outputs = Blob(**blob) if blob else message["outputs"]
    return AttemptResult(duration=duration, outputs=outputs, changed=message["changed"], left_running=left)
