"""Many tasks at once, each with a large environment: dagrun and its keeper never wait for each other."""

from __future__ import annotations

import json
import signal

from tests.acceptance.harness import Project, wait_for

MANY = 600


def many(project: Project, script: str) -> None:
    """A document with so many tasks that all begin at once."""
    dag = {
        "name": "dag", "max_parallel": MANY, "env": {"PAD": "x" * 3_000},
        "tasks": [{"id": f"t{number}", "run": script} for number in range(MANY)],
    }  # fmt: skip
    project.write("dag.yaml", json.dumps(dag))


def test_they_all_end(project: Project) -> None:
    many(project, "true")
    outcome = project.dagrun("run", "dag.yaml", "-q")
    assert (outcome.code, outcome.err) == (0, "")


def test_a_signal_cancels_the_run_while_they_start(project: Project) -> None:
    many(project, "sleep 300")
    process = project.start("run", "dag.yaml", "-q")
    wait_for("the first start", lambda: "task_start t0" in project.names())
    process.send_signal(signal.SIGTERM)
    outcome = project.finish(process)
    assert outcome.code == 128 + signal.SIGTERM
    assert project.events()[-1]["status"] == "cancelled"
