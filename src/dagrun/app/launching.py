"""A run as a process of its own, which continues when this process ends."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from dagrun.errors import EnvironmentFailure, NotStartedError, RefusedError
from dagrun.runtime.launcher import Launcher
from dagrun.runtime.run_request import RunRequest
from dagrun.settings import Settings
from dagrun.storage.disk import make_directory

BEGIN_TIMEOUT = 60.0  # seconds until the run must have begun
LONGEST_ERROR = 64 * 1024  # bytes


def launch(
    launcher: Launcher, settings: Settings, request: RunRequest, run_id: str, options: Sequence[str] = ()
) -> None:
    """Start a run; returns when its first event is recorded.

    What it prints is kept in the directory of the run as `detached.log`. Raises RefusedError, RecordError,
    EnvironmentFailure, and NotStartedError with the error message of the process.
    """
    runs = settings.path(settings.runs_dir)
    make_directory(runs)
    if os.path.lexists(runs / run_id):
        raise RefusedError(f"the run id '{run_id}' is taken", hint="choose another --run-id")
    log = runs / f".detached-{run_id}.log"
    run = launcher.start(request, run_id, log, options=options)
    if run.wait_until_begun(BEGIN_TIMEOUT):
        with contextlib.suppress(OSError):
            log.rename(runs / run_id / "detached.log")
        return
    if (code := run.exit_code) is None:
        run.kill()
        raise EnvironmentFailure(f"the run has not begun within {BEGIN_TIMEOUT:g} s; see {log}")
    message, _, hint = run.error(LONGEST_ERROR).partition("\n")
    with contextlib.suppress(OSError):
        log.unlink(missing_ok=True)
    message = message or f"the process of the run ended with exit code {code}"
    raise NotStartedError(message, max(code, 0) or 1, hint=hint.strip())
