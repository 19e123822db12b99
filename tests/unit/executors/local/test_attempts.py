"""The ways in which an attempt ends, and the variables that its body gets."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from dagrun.core.work import Blob, Nothing
from dagrun.executors.local.attempts import (
    RunningAttempt,
    attempt_variables,
    error_text,
    failure,
    key_of,
    reported_end,
    worker_death,
)
from dagrun.run_layout import RunLayout
from tests.contract.harness import attempt, work


def running() -> RunningAttempt:
    paths = RunLayout(Path("/runs/r")).attempt("t", 1)
    return RunningAttempt(work(Path("/p"), Nothing()), paths, lambda _: None, time.monotonic())


@pytest.mark.parametrize(
    ("code", "how"), [(-9, "was killed by SIGKILL"), (3, "exited with code 3 before the body ended")]
)
def test_the_end_of_a_worker_fails_its_attempt(code: int, how: str) -> None:
    ended = worker_death(running(), code)
    assert (ended.error, ended.error_type, ended.exit_code) == (
        f"the worker process {how}",
        "WorkerDied",
        code,
    )


def test_an_error_of_dagrun_fails_the_attempt_with_its_type() -> None:
    ended = failure(running(), PermissionError("not yours"))
    assert (ended.error, ended.error_type) == ("not yours", "PermissionError")
    assert ended.duration >= 0


def test_an_error_always_has_a_text() -> None:
    assert error_text(RecursionError()) == "a value is nested too deeply"
    assert error_text(ValueError()) == "ValueError"


def test_a_worker_reports_outputs_a_file_or_an_error() -> None:
    small = reported_end({"duration": 1.0, "outputs": {"k": 1}, "changed": False})
    assert (small.outputs, small.changed, small.left_running) == ({"k": 1}, False, 0)
    blob = {"file": "t.1.json", "size": 2, "sha256": "x"}
    large = reported_end({"duration": 1.0, "blob": blob, "changed": True, "left": 2})
    assert (large.outputs, large.left_running) == (Blob("t.1.json", 2, "x"), 2)
    failed = reported_end({"duration": 1.0, "error": "no", "error_type": "ValueError"})
    assert (failed.error, failed.error_type) == ("no", "ValueError")


def test_a_body_finds_its_run_and_its_attempt_in_its_environment() -> None:
    paths = RunLayout(Path("/runs/r")).attempt("t", 2)
    assert attempt_variables(attempt(number=2), paths) == {
        "DAGRUN_RUN_ID": "r", "DAGRUN_RUN_DIR": "/runs/r", "DAGRUN_ARTIFACTS": "/runs/r/artifacts",
        "DAGRUN_TASK_ID": "t", "DAGRUN_ATTEMPT": "2",
    }  # fmt: skip


def test_attempts_of_one_task_have_one_key() -> None:
    assert key_of(attempt("t", 1)) == key_of(attempt("t", 2)) != key_of(attempt("u", 1))
