"""`run --detach`: the run goes on when the command has returned."""

from __future__ import annotations

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
    assert project.dagrun("status", run, "-o", "json").json["status"] in ("running", "success")
    wait_for("the end of the run", lambda: "dag_done" in project.names(run))
    assert (project.root / "said").read_text() == "hello\n"


def test_what_is_wrong_is_told_at_once(project: Project) -> None:
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
