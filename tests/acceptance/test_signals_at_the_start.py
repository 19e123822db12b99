"""A signal at any moment of a command ends it with 130 or 143 and without a traceback; a run that exists is cancelled."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.acceptance.harness import PATIENCE, Project, wait_for

DAG = "name: dag\ntasks: [{id: a, run: sleep 300}]\n"


def catches_sigterm(process: subprocess.Popen[str]) -> bool:
    """Whether dagrun has begun: until then what a signal does is up to Python."""
    text = Path(f"/proc/{process.pid}/status").read_text()
    caught = next(line.split()[1] for line in text.splitlines() if line.startswith("SigCgt:"))
    return process.poll() is not None or bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "words", [["run", "dag.yaml"], ["validate", "dag.yaml"], ["status"], ["scheduler", "--once"]]
)
def test_a_signal_ends_a_command_that_is_starting(
    project: Project, words: list[str], signum: signal.Signals
) -> None:
    project.write("dag.yaml", DAG)
    project.write("configs/schedules/s.yaml", "id: s\ndag: dag.yaml\ncron: '0 0 1 1 *'\ntimezone: UTC\n")
    for milliseconds in (0, 3, 10, 25, 50, 80, 120, 180, 260, 400):
        process = project.start(*words)
        wait_for("the start of dagrun", lambda process=process: catches_sigterm(process))  # type: ignore[misc]
        time.sleep(milliseconds / 1000)
        process.send_signal(signum)
        outcome = project.finish(process, PATIENCE)
        answered = () if words[0] == "run" else (0, 2)  # it was faster than the signal
        # Once Python takes itself down it has no handlers any more: then the system ends the process, and a shell
        # reports the same code. Only a command that has answered already is there.
        ended = (-signum,) if answered and outcome.out + outcome.err else ()
        assert outcome.code in (128 + signum, *answered, *ended), outcome
        assert "KeyboardInterrupt" not in outcome.err
    for run in (project.root / "logs" / "runs").glob("[!.]*"):
        assert project.names(run.name)[-1] == "dag_done"


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_a_recorded_cancel_from_the_moment_at_which_a_run_exists(
    project: Project, signum: signal.Signals
) -> None:
    project.write("dag.yaml", DAG)
    process = project.start("run", "dag.yaml", "--run-id", "young")
    run = project.root / "logs" / "runs" / "young"
    wait_for("the run", lambda: run.exists() or process.poll() is not None)
    process.send_signal(signum)
    outcome = project.finish(process, PATIENCE)
    assert outcome.code == 128 + signum
    assert project.names("young")[-1] == "dag_done"
    assert project.dagrun("status", "young", "-o", "json").json["status"] == "cancelled"


def test_a_second_signal_at_the_start_is_as_quiet(project: Project) -> None:
    project.write("dag.yaml", DAG)
    process = project.start("run", "dag.yaml")
    wait_for("the start of dagrun", lambda: catches_sigterm(process))
    for _ in range(20):
        if process.poll() is None:
            os.kill(process.pid, signal.SIGINT)
        time.sleep(0.02)
    assert project.finish(process, PATIENCE).code == 130
