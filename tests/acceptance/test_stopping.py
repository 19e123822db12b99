"""Ctrl-C and its relatives: the run ends, everything it started ends, and what happened is on record."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.harness import PATIENCE, Project, wait_for

WORKFLOWS = """
    @workflow("waits")
    def waits():
        subprocess.Popen(["sleep", "300"], start_new_session=True)
        open(os.environ["DAGRUN_TASK_ID"], "w").write("x")
        time.sleep(300)

    @workflow("refuses")
    def refuses():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        open(os.environ["DAGRUN_TASK_ID"], "w").write("x")
        while True:
            time.sleep(300)
"""

DAG = """
    name: dag
    max_parallel: 4
    tasks:
      - {id: before, run: "true"}
      - {id: python, workflow_ref: waits, depends_on: [before]}
      - {id: shell, run: "sleep 300 & echo x > shell; wait", depends_on: [before]}
      - {id: retries, run: "echo x > retries; exit 1", retries: 5, retry: {initial: 1h, max: 1h}}
      - {id: after, run: "true", depends_on: [python]}
"""

STUBBORN = """
    name: stubborn
    tasks:
      - {id: python, workflow_ref: refuses}
      - {id: shell, run: "trap '' TERM; echo x > shell; while true; do sleep 300; done"}
"""


def begin(project: Project, dag: str, *names: str, **env: str) -> subprocess.Popen[str]:
    project.workflows(WORKFLOWS)
    project.write("dag.yaml", dag)
    process = project.start("run", "dag.yaml", env=env)
    for name in names:
        project.wait_for_file(name)
    return process


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_cancels_the_run_and_ends_what_it_started(project: Project, signum: signal.Signals) -> None:
    process = begin(project, DAG, "python", "shell", "retries")
    wait_for("the retry", lambda: "task_retry retries" in project.names())
    os.killpg(process.pid, signum)  # as a terminal does: to everything in its foreground
    outcome = project.finish(process, PATIENCE)
    assert project.processes() == {}
    assert outcome.code == 128 + signum
    assert "Status: cancelled\n" in outcome.out
    assert outcome.out.endswith("5 tasks: 1 changed, 4 cancelled\n")
    assert f"cancelling ({signum.name})" in outcome.err
    assert "Error" not in outcome.err
    status = project.answer("status", "-o", "json")
    assert (status.json["status"], status.json["reason"]) == ("cancelled", f"Cancelled: {signum.name}")
    assert {task["id"]: task["status"] for task in status.json["tasks"]} == {
        "before": "success", "python": "cancelled", "shell": "cancelled", "retries": "cancelled",
        "after": "cancelled",
    }  # fmt: skip
    assert (
        next(event for event in project.events() if event["event"] == "cancel_requested")["reason"]
        == signum.name
    )
    assert project.names()[-1] == "dag_done"


def test_the_second_signal_kills_at_once(project: Project) -> None:
    process = begin(project, STUBBORN, "python", "shell", DAGRUN_KILL_GRACE_MS="600000")
    process.send_signal(signal.SIGINT)
    wait_for("the cancel", lambda: "cancel_requested" in project.names())
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert project.finish(process, PATIENCE).code == 130
    assert project.processes() == {}
    assert project.names()[-3:] in (
        ["task_cancel python", "task_cancel shell", "dag_done"],
        ["task_cancel shell", "task_cancel python", "dag_done"],
    )


def test_bodies_that_ignore_the_signal_are_killed_after_the_grace(project: Project) -> None:
    process = begin(project, STUBBORN, "python", "shell")
    process.send_signal(signal.SIGTERM)
    assert project.finish(process, PATIENCE).code == 143
    assert project.processes() == {}


def test_a_signal_while_workflows_are_read_ends_dagrun(project: Project) -> None:
    project.workflows("open('reading', 'w').write('x')\ntime.sleep(300)\n")
    project.write("dag.yaml", "name: dag\ntasks: [{id: a, workflow_ref: x}]\n")
    process = project.start("run", "dag.yaml")
    project.wait_for_file("reading")
    process.send_signal(signal.SIGINT)
    outcome = project.finish(process, PATIENCE)
    assert (outcome.code, outcome.out, outcome.err.strip()) == (130, "", "")
    assert not (project.root / "logs").exists()


def test_nohup_is_respected(project: Project) -> None:
    project.write("dag.yaml", "name: dag\ntasks: [{id: a, run: 'echo x > begun; sleep 0.5'}]\n")
    process = project.start(
        "run", "dag.yaml", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )
    project.wait_for_file("begun")
    os.killpg(process.pid, signal.SIGHUP)
    assert project.finish(process, PATIENCE).code == 0


@pytest.mark.parametrize("which", ["stdout", "stderr", "both"])
def test_a_reader_that_has_seen_enough_does_not_harm_the_run(project: Project, which: str) -> None:
    project.write(
        "dag.yaml",
        "name: dag\ntasks:\n"
        "  - {id: a, run: 'echo x > begun; while ! test -e go; do sleep 0.02; done; seq 9999'}\n"
        "  - {id: b, run: seq 9999, depends_on: [a]}\n",
    )
    reader, writer = os.pipe()
    streams: dict[str, Any] = {name: writer for name in ("stdout", "stderr") if which in (name, "both")}
    process = project.start("run", "dag.yaml", **streams)
    os.close(writer)
    project.wait_for_file("begun")
    os.close(reader)  # `| head -1` has its line
    project.write("go", "x")
    outcome = project.finish(process, PATIENCE)
    assert project.answer("status", "-o", "json").json["status"] == "success"
    assert outcome.code in (0, 141)
    assert "Broken" not in outcome.err


def test_a_run_that_loses_its_terminal_is_cancelled_and_recorded(project: Project) -> None:
    project.workflows(WORKFLOWS)
    project.write("dag.yaml", DAG)
    ours, theirs = os.openpty()
    process = project.start(
        "run", "dag.yaml", stdin=theirs, stdout=theirs, stderr=theirs, env={"TERM": "xterm"},
        preexec_fn=take_terminal,
    )  # fmt: skip
    os.close(theirs)
    project.wait_for_file("python")
    os.close(ours)  # the window is closed
    assert project.finish(process, PATIENCE).code == 129
    assert project.processes() == {}
    assert project.answer("status", "-o", "json").json["status"] == "cancelled"


def take_terminal() -> None:
    """Make stdin the controlling terminal of this new session."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_a_run_that_takes_too_long_is_ended(project: Project) -> None:
    project.workflows(WORKFLOWS)
    project.write("dag.yaml", DAG.replace("name: dag", "name: dag\n    timeout: 10s"))
    run = project.dagrun("run", "dag.yaml", "-o", "json")
    assert run.code == 1
    assert (run.json["status"], run.json["reason"]) == ("failed", "RunTimeout")
    assert project.processes() == {}
    assert Path(project.root / "python").exists()
