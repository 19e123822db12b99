"""`run --detach`: the same command again, in a session of its own, watched until its run has begun."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from dagrun import own_command
from dagrun.app.service import Service
from dagrun.cli import output
from dagrun.errors import EnvironmentFailure, RefusedError
from dagrun.storage.disk import make_directory, unwritable
from dagrun.storage.log_position import last_text

PATIENCE = 60.0  # seconds until the run must have begun
_MOST_COMPLAINTS = 64 * 1024  # bytes of what a run that did not begin has to say


def detach(service: Service, arguments: Sequence[str], params: Sequence[str], run_id: str) -> int:
    """Start `dagrun run` in the background; returns once its run is recorded, or with its error.

    Parameters may hold secrets, so they are not among its arguments, which everybody can see: it reads them from its
    stdin, a file without a name.

    What it prints (errors alone: it is quiet) is kept in the run's directory as `detached.log`.
    """
    runs = service.settings.path(service.settings.runs_dir)
    make_directory(runs)
    if os.path.lexists(runs / run_id):
        raise RefusedError(f"the run id '{run_id}' is taken", hint="choose another --run-id")
    log = runs / f".detached-{run_id}.log"
    with _fresh(log) as file, tempfile.TemporaryFile(dir=runs) as given:
        given.write(json.dumps(list(params)).encode())
        given.seek(0)
        process = subprocess.Popen(
            own_command.command("run", *arguments, "--run-id", run_id, "--quiet", "--params-from-stdin"),
            stdin=given, stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip
    deadline = time.monotonic() + PATIENCE
    while not _has_begun(runs / run_id):
        if process.poll() is not None and process.returncode not in (0, 1):
            break
        if time.monotonic() > deadline:
            process.kill()
            raise EnvironmentFailure(f"the run has not begun within {PATIENCE:g} s; see {log}")
        if process.returncode is not None:
            break
        time.sleep(0.02)
    if not _has_begun(runs / run_id):
        with contextlib.suppress(OSError):
            output.say(last_text(log, _MOST_COMPLAINTS).rstrip())
            log.unlink(missing_ok=True)
        return process.returncode or 1
    with contextlib.suppress(OSError):
        log.rename(runs / run_id / "detached.log")
    process.returncode = 0  # it goes on without us: nobody here waits for it
    return 0


def _fresh(log: Path) -> BinaryIO:
    """A file for this user alone. Raises RecordError."""
    try:
        log.unlink(missing_ok=True)
        return os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
    except OSError as error:
        raise unwritable(log, error) from error


def _has_begun(run: Path) -> bool:
    """Whether its first fact is recorded: a journal that is empty tells nobody anything."""
    try:
        return (run / "events.jsonl").stat().st_size > 0
    except OSError:
        return False
