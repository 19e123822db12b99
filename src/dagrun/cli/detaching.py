"""`run --detach`: the same command again, in a session of its own, watched until its run has begun."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from dagrun.cli import output
from dagrun.errors import EnvironmentFailure, RefusedError
from dagrun.service import Service

PATIENCE = 60.0  # seconds until the run must have begun


def detach(service: Service, arguments: Sequence[str], params: Sequence[str], run_id: str) -> int:
    """Start `dagrun run` in the background; returns once its run is recorded, or with its error.

    Parameters may hold secrets, so they are not among its arguments, which everybody can see: it reads them from its
    stdin, a file without a name.

    What it prints (errors alone: it is quiet) is kept in the run's directory as `detached.log`.
    """
    runs = service.settings.path(service.settings.runs_dir)
    log = runs / f".detached-{run_id}.log"
    try:
        runs.mkdir(parents=True, exist_ok=True)
        if (runs / run_id).exists():
            raise RefusedError(f"the run id '{run_id}' is taken", hint="choose another --run-id")
        file, given = log.open("wb"), tempfile.TemporaryFile(dir=runs)  # noqa: SIM115 - closed below
        given.write(json.dumps(list(params)).encode())
        given.seek(0)
    except OSError as problem:
        raise EnvironmentFailure(
            f"cannot write {problem.filename or log}: {problem.strerror}",
            hint="a detached run needs a place for what it prints; check who may write there, and the free space",
        ) from None
    with file, given:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagrun", "run", *arguments, "--run-id", run_id, "--quiet", "--params-from-stdin"],
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
            output.say(log.read_text("utf-8", errors="replace").rstrip())
            log.unlink(missing_ok=True)
        return process.returncode or 1
    with contextlib.suppress(OSError):
        log.rename(runs / run_id / "detached.log")
    process.returncode = 0  # it goes on without us: nobody here waits for it
    return 0


def _has_begun(run: Path) -> bool:
    """Whether its first fact is recorded: a journal that is empty tells nobody anything."""
    try:
        return (run / "events.jsonl").stat().st_size > 0
    except FileNotFoundError:
        return False
