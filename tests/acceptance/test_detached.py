"""`run --detach`: the run continues when the command has returned."""

from __future__ import annotations

import os

from tests.acceptance.harness import Project, wait_for

DAG = """
    name: away
    params: {word: none}
    tasks:
      - {id: a, run: 'sleep 0.5; echo ${{ params.word }} > said'}
"""


def test_a_detached_run_outlives_its_command(project: Project) -> None:
    project.write("dag.yaml", DAG)
    command = project.dagrun("run", "dag.yaml", "--detach", "-p", "word=hello", "-o", "json")
    assert command.code == 0
    run = command.json["run_id"]
    assert project.answer("status", run, "-o", "json").json["status"] in ("running", "success")
    wait_for("the end of the run", lambda: "dag_done" in project.names(run))
    assert (project.root / "said").read_text() == "hello\n"


HELD = """
import os, time

_write = os.write


def write(fd, data):
    held = os.readlink(f"/proc/self/fd/{fd}").endswith("events.jsonl")
    while held and not os.path.exists("go"):
        time.sleep(0.01)
    return _write(fd, data)


os.write = write
"""


def test_it_returns_when_the_first_event_is_recorded_and_not_before(project: Project) -> None:
    project.write("dag.yaml", DAG)
    project.write("faults/sitecustomize.py", HELD)
    path = f"{project.root / 'faults'}:{os.environ.get('PYTHONPATH', '')}"
    command = project.start("run", "dag.yaml", "--detach", "--run-id", "it", env={"PYTHONPATH": path})
    wait_for("the journal", (project.root / "logs/runs/it/events.jsonl").exists)
    assert project.answer("status", "it", "-o", "json").json["status"] == "pending"
    assert command.poll() is None
    project.write("go", "")
    assert project.finish(command).code == 0
    assert project.answer("status", "it", "-o", "json").json["status"] in ("running", "success")
    wait_for("the end of the run", lambda: "dag_done" in project.names("it"))


def test_a_wrong_document_is_reported_at_once(project: Project) -> None:
    project.write("dag.yaml", "tasks: [{id: a, run: x, depends_on: [b]}]")
    command = project.dagrun("run", "dag.yaml", "--detach")
    assert command.code == 2
    assert "depends on non-existent task 'b'" in command.err
    assert not (project.root / "logs").exists()


def test_an_id_that_is_taken_is_refused(project: Project) -> None:
    project.write("dag.yaml", "tasks: [{id: a, run: 'true'}]")
    assert project.dagrun("run", "dag.yaml", "--run-id", "one", "-q").code == 0
    command = project.dagrun("run", "dag.yaml", "--detach", "--run-id", "one")
    assert (command.code, "is taken" in command.err) == (2, True)
