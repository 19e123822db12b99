"""An attempt that the local executor was given, and how its end is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dagrun.core.executor_protocol import PrefetchListener
from dagrun.core.work import Attempt, AttemptResult, Blob, Outputs, Work
from dagrun.executors.local.channel import Message
from dagrun.executors.local.processes import signal_name
from dagrun.run_layout import AttemptPaths

if TYPE_CHECKING:
    import asyncio


@dataclass(slots=True, eq=False)
class RunningAttempt:
    """An attempt that was started here and has not ended."""

    work: Work
    paths: AttemptPaths
    done: Callable[[AttemptResult], None]
    begun: float
    watch: PrefetchListener | None = None  # who is told more than the end: it was queued
    pid: int | None = None
    stop: int | None = None  # the signal it was last asked to end with
    told: bool = False  # a signal may be on its way to its process
    kill: asyncio.TimerHandle | None = None
    halt: threading.Event | None = None  # ends the copying of its artifacts, when its body has ended


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
    """The task of which run: it has one attempt at a time."""
    return attempt.run_id, attempt.task_id


def since(job: RunningAttempt) -> float:
    """Seconds since the attempt began."""
    return round(time.monotonic() - job.begun, 6)


def sentence(error: Exception) -> str:
    """What went wrong, for a person."""
    if isinstance(error, RecursionError):
        return "a value is nested too deeply"
    return str(error) or type(error).__name__


def failure(job: RunningAttempt, error: Exception) -> AttemptResult:
    """How an attempt ended that could not be prepared, or whose end could not be taken in."""
    return AttemptResult(duration=since(job), error=sentence(error), error_type=type(error).__name__)


def death(job: RunningAttempt, code: int) -> AttemptResult:
    """How an attempt ended whose worker is gone."""
    how = (
        f"was killed by {signal_name(-code)}"
        if code < 0
        else f"exited with code {code} before the body ended"
    )
    return AttemptResult(
        duration=since(job), error=f"the worker process {how}", error_type="WorkerDied", exit_code=code
    )


def ended_of(message: Message) -> AttemptResult:
    """How an attempt ended, as its worker says."""
    duration, left = message["duration"], message.get("left", 0)
    if "error" in message:
        error, error_type = message["error"], message["error_type"]
        return AttemptResult(duration=duration, error=error, error_type=error_type, left_running=left)
    blob = message.get("blob")
    outputs: Outputs = Blob(**blob) if blob else message["outputs"]
    return AttemptResult(duration=duration, outputs=outputs, changed=message["changed"], left_running=left)
