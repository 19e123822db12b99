"""Approvals, signals and waits through the real executable: several processes, one of them killed."""

from __future__ import annotations

import signal

import pytest

from tests.acceptance.harness import Project, wait_for

GATE = """
    name: release
    tasks:
      - {id: build, run: "true"}
      - id: gate
        depends_on: [build]
        approval: {prompt: Deploy?, inputs: {n: {type: integer, default: 1}}}
      - {id: deploy, depends_on: [gate], run: "echo deploying $DAGRUN_PARAM_GATE__N >> deployed"}
"""
OPERATOR = {"USER_RBAC_ROLE": "Operator"}


def test_a_run_pauses_says_how_to_go_on_and_is_continued_by_its_approver(project: Project) -> None:
    project.write("dag.yaml", GATE)
    run = project.dagrun("run", "dag.yaml", "--run-id", "r1")
    assert run.code == 0
    assert "Status: waiting\n" in run.out
    assert "gate waits for an approval (Operator): Deploy?\n  dagrun approve r1 gate --set n=1\n" in run.out
    assert project.processes() == {}

    refused = project.dagrun("approve", "r1", "gate")
    assert (refused.code, refused.err.splitlines()[0]) == (
        2, "Error: 'gate' may be decided by the role Operator or a higher one, and yours is Viewer",
    )  # fmt: skip
    refused = project.dagrun("approve", "r1", "gate", "--set", "n=many", env=OPERATOR)
    assert (refused.code, refused.err) == (2, "Error: input 'n' must be of type integer, not string 'many'\n")

    approved = project.dagrun("approve", "r1", "gate", "--set", "n=3", "--by", "ann", env=OPERATOR)
    assert approved.code == 0
    assert "Status: success" in approved.out
    assert (project.root / "deployed").read_text() == "deploying 3\n"
    late = project.dagrun("approve", "r1", "gate", env=OPERATOR)
    assert (late.code, late.err.splitlines()[0]) == (
        2, "Error: 'gate' is already decided: it was approved by ann (run r1)",
    )  # fmt: skip


def test_of_many_approvers_at_once_one_wins(project: Project) -> None:
    project.write("dag.yaml", GATE)
    project.dagrun("run", "dag.yaml", "--run-id", "r1")
    names = [f"person{number}" for number in range(4)]
    asked = [project.start("approve", "r1", "gate", "--by", name, "-q", env=OPERATOR) for name in names]
    ended = [project.finish(process) for process in asked]
    assert sorted(each.code for each in ended) == [0, 2, 2, 2]
    winner = names[[each.code for each in ended].index(0)]
    for each in ended:
        assert each.code == 0 or f"'gate' is already decided: it was approved by {winner}" in each.err
    assert wait_for("the deployment", lambda: status(project, "r1") == "success")
    assert (project.root / "deployed").read_text() == "deploying 1\n"


def test_a_run_that_is_still_running_takes_the_answer(project: Project) -> None:
    project.write(
        "dag.yaml", GATE + "\n      - {id: long, run: 'while ! test -e deployed; do sleep 0.02; done'}\n"
    )
    running = project.start("run", "dag.yaml", "--run-id", "r1")
    wait_for("the gate", lambda: "task_wait" in [each["event"] for each in journal(project)])
    approved = project.dagrun("approve", "r1", "gate", env=OPERATOR)
    assert approved.code == 0
    assert "the process that drives it continues" in approved.err
    assert project.finish(running).code == 0


def test_a_wait_goes_on_after_kill_9_with_what_is_left_of_its_time(project: Project) -> None:
    project.write("dag.yaml", "tasks: [{id: a, wait: {seconds: 1}}, {id: g, approval: {}}]")
    running = project.start("run", "dag.yaml", "--run-id", "r1")
    wait_for("both", lambda: [each["event"] for each in journal(project)].count("task_wait") == 2)
    running.send_signal(signal.SIGKILL)
    project.finish(running, check=False)
    assert project.answer("status", "r1", "-o", "json").json["status"] == "interrupted"
    rejected = project.dagrun("reject", "r1", "g", "--reason", "no", env=OPERATOR)
    assert rejected.code == 1
    names = [each["event"] for each in journal(project)]
    assert names.count("task_wait") == 2, "nothing waits anew"
    tasks = {task["id"]: task for task in project.answer("status", "r1", "-o", "json").json["tasks"]}
    assert tasks["g"]["error"].endswith(": no")


def test_a_signal_and_a_file_from_outside_continue_runs(project: Project) -> None:
    project.write(
        "dag.yaml", "tasks: [{id: f, wait: {file: in}}, {id: s, depends_on: [f], wait: {signal: go}}]"
    )
    running = project.start("run", "dag.yaml", "--run-id", "r1")
    wait_for("the wait", lambda: "task_wait" in [each["event"] for each in journal(project)])
    project.write("in", "")
    assert project.finish(running).code == 0
    unknown = project.dagrun("signal", "r1", "gone")
    assert (unknown.code, unknown.err) == (
        2, "Error: nothing in the run waits for the signal 'gone'; it waits for go\n",
    )  # fmt: skip
    assert project.dagrun("signal", "r1", "go", "--set", "n=1", "--no-resume").code == 0
    assert project.answer("status", "r1", "-o", "json").json["status"] == "waiting"
    assert project.dagrun("resume", "r1").code == 0
    assert project.answer("status", "r1", "-o", "json").json["tasks"][1]["outputs"] == {"n": 1}


def test_a_scheduler_continues_what_somebody_has_decided(project: Project) -> None:
    project.write("dag.yaml", GATE)
    project.write("configs/schedules/s.yaml", "- {id: s, cron: '* * * * *', dag: dag.yaml}")
    assert project.dagrun("scheduler", "--once").code == 0
    assert project.dagrun("approvals", "-o", "json").json["approvals"][0]["task_id"] == "gate"
    assert project.dagrun("approve", "latest", "gate", "--no-resume", env=OPERATOR).code == 0
    run_id = project.answer("status", "latest", "-o", "json").json["run_id"]
    assert project.dagrun("scheduler", "--once").code == 0
    assert project.answer("status", run_id, "-o", "json").json["status"] == "success"


def test_an_unknown_role_in_the_environment_is_named(project: Project) -> None:
    outcome = project.answer("approvals", env={"USER_RBAC_ROLE": "boss"})
    assert (outcome.code, outcome.err) == (
        2,
        "Error: USER_RBAC_ROLE: 'user_rbac_role' must be a role: 'boss' is no role: there are Viewer, Operator, Admin\n",
    )


@pytest.mark.parametrize("name", ["approve", "reject"])
def test_a_task_that_does_not_exist_is_not_decided(project: Project, name: str) -> None:
    project.write("dag.yaml", GATE)
    project.answer("run", "dag.yaml", "--run-id", "r1")
    outcome = project.answer(name, "r1", "gat", env=OPERATOR)
    assert (outcome.code, outcome.err) == (
        2, "Error: there is no task 'gat' (run r1)\n  did you mean 'gate'?\n",
    )  # fmt: skip


def status(project: Project, run: str) -> str:
    """The status of a run."""
    return str(project.answer("status", run, "-o", "json").json["status"])


def journal(project: Project) -> list[dict[str, object]]:
    """The events of the run, so far."""
    try:
        return project.events()
    except FileNotFoundError:
        return []
