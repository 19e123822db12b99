"""Processes that a task leaves running are ended, and that leaves a trace: in its log, in its last event, in `why`."""

from __future__ import annotations

import re

import pytest

from tests.acceptance.harness import Project

WORKFLOWS = """
    @workflow("leaves")
    def leaves(): subprocess.Popen(["sleep", "300"])

    @workflow("fails")
    def fails():
        subprocess.Popen(["sleep", "300"])
        raise ValueError("no")
"""
DAG = """
    name: dag
    on_error: continue
    secrets: [SECRET]
    tasks:
      - {id: shell, run: "sleep 300 & setsid sleep 300 & echo done"}
      - {id: failing, run: "sleep 300 & exit 3"}
      - {id: secretly, env: {S: "${{ secrets.SECRET }}"}, run: "sleep 300 & echo $S"}
      - {id: workflow, workflow_ref: leaves}
      - {id: wrong, workflow_ref: fails}
      - {id: stopped, run: "sleep 300 & sleep 300", timeout: 1s}
      - {id: tidy, run: "sleep 0.1 & wait; true | cat"}
"""
LEFT = {"shell": 2, "failing": 1, "secretly": 1, "workflow": 1, "wrong": 1, "stopped": None, "tidy": None}


def test_what_a_task_leaves_running_leaves_a_trace(project: Project) -> None:
    project.workflows(WORKFLOWS)
    project.write("dag.yaml", DAG)
    project.dagrun("run", "dag.yaml", env={"SECRET": "long enough"})
    ends = {
        event["task_id"]: event for event in project.events() if event["event"] in ("task_ok", "task_fail")
    }
    assert {name: end.get("left_running") for name, end in ends.items()} == LEFT
    for name, count in LEFT.items():
        path = project.run_dir() / "logs" / f"{name}.1.log"
        lines = [
            line for line in (path.read_text() if path.exists() else "").splitlines() if "dagrun:" in line
        ]
        what = "1 process" if count == 1 else f"{count} processes"
        assert len(lines) == (count is not None)
        if count is not None:
            names = ", ".join([r"\d+ (sleep|sh)"] * count)  # sh, until it has become sleep
            assert re.fullmatch(f"dagrun: ended {what} that the task left running: {names}", lines[0])


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("shell", "2 processes that it left running were ended"),
        ("wrong", "1 process that it left running was ended"),
    ],
)
def test_why_names_the_processes_that_were_left_running(project: Project, name: str, what: str) -> None:
    project.workflows(WORKFLOWS)
    project.write("dag.yaml", DAG)
    project.dagrun("run", "dag.yaml", "--only", name, env={"SECRET": "long enough"})
    assert what in project.answer("why", "latest", name).out
