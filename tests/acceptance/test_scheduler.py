"""`dagrun scheduler` and `dagrun schedules` as people and CI start them."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from tests.acceptance.harness import PATIENCE, Project, wait_for, whole_lines

AT = ("--at", "2026-11-16T08:00Z")
EVERY = {"SCHED_TICK_MS": "50"}
MINUTE = 60.0  # the real one, in which a schedule that is served fires; a test may see the next one begin


def a_project(project: Project, run: str = "echo done", **keys: str) -> Project:
    """One DAG, and a schedule that fires every minute."""
    project.write("configs/dags/job.yaml", f"name: job\ntasks:\n  - {{id: t, run: '{run}'}}\n")
    more = "".join(f"  {name}: {value}\n" for name, value in keys.items())
    project.write("configs/schedules/s.yaml", f"- id: job\n  cron: '* * * * *'\n  dag: job\n{more}")
    return project


def state(project: Project) -> list[dict[str, Any]]:
    """The lines of the state store."""
    path = project.root / "logs/orchestrator_state.jsonl"
    return whole_lines(path) if path.exists() else []


def told(project: Project) -> list[str]:
    """The names of the lines of the state store."""
    return [line["event"] for line in state(project)]


def ended(project: Project, run_id: str, status: str) -> bool:
    """Whether the state store tells that a run has ended so."""
    end = {"event": "run_finished", "run_id": run_id, "status": status}
    return any(end.items() <= line.items() for line in state(project))


def test_once_runs_what_is_due_and_a_second_time_finds_nothing_due(project: Project) -> None:
    a_project(project, "echo $DAGRUN_SCHEDULED_AT", tenant="acme")
    first = project.dagrun("scheduler", "--once", *AT)
    assert first.code == 0
    assert told(project) == ["schedule_enqueued", "run_started", "run_finished"]
    start = project.events()[0]
    assert (start["trigger"], start["schedule_id"], start["tenant"]) == ("schedule", "job", "acme")
    assert project.log("t") == "2026-11-16T08:00:00.000Z\n"
    again = project.dagrun("scheduler", "--once", *AT)
    assert (again.code, again.out) == (0, "Nothing is due at 2026-11-16 08:00 UTC.\n")


def test_once_ends_with_1_when_a_run_fails_and_runs_the_others(project: Project) -> None:
    a_project(project, "exit 3")
    project.write("configs/dags/good.yaml", "name: good\ntasks:\n  - {id: t, run: 'true'}\n")
    project.write("configs/schedules/more.yml", "id: good\ncron: '* * * * *'\ndag: configs/dags/good.yaml\n")
    project.write("configs/schedules/bad.yaml", "- id: bad\n  cron: '61 * * * *'\n  dag: good\n")
    outcome = project.dagrun("scheduler", "--once", *AT, "-o", "json")
    assert outcome.code == 1
    assert {run["schedule_id"]: run["status"] for run in outcome.json["runs"]} == {
        "job": "failed",
        "good": "success",
    }
    assert "exit code 3" in next(run["error"] for run in outcome.json["runs"] if run["schedule_id"] == "job")
    assert "configs/schedules/bad.yaml:2:" in outcome.err


def test_a_dag_that_cannot_run_is_told_with_its_place_and_recorded(project: Project) -> None:
    a_project(project)
    project.write("configs/schedules/gone.yaml", "- id: gone\n  cron: '* * * * *'\n  dag: nowhere.yaml\n")
    project.write("configs/dags/calls.yaml", "name: calls\ntasks:\n  - {id: t, workflow_ref: nobody}\n")
    project.write("configs/schedules/calls.yaml", "- id: calls\n  cron: '* * * * *'\n  dag: calls\n")
    outcome = project.dagrun("scheduler", "--once", *AT)
    assert outcome.code == 1
    assert "configs/schedules/gone.yaml:3:8: error: DAG 'nowhere.yaml' not found" in outcome.err
    skipped = {line["schedule_id"]: line for line in state(project) if line["event"] == "schedule_skipped"}
    assert {name: line["reason"] for name, line in skipped.items()} == {
        "gone": "MissingDag",
        "calls": "NotStarted",
    }
    assert "Unknown workflow: nobody" in skipped["calls"]["error"]
    assert told(project).count("run_finished") == 1


def test_a_dry_run_writes_nothing(project: Project) -> None:
    a_project(project)
    before = project.files()
    outcome = project.dagrun("scheduler", "--once", "--dry-run", *AT)
    assert outcome.out == "DRY RUN: 2026-11-16 08:00 UTC\n  job: would run job for 2026-11-16 08:00\n"
    assert project.files() == before


def test_wrong_uses_write_nothing_either(project: Project) -> None:
    before = project.files()
    for words in (
        [],
        ["--once", "--serve"],
        ["--serve", *AT],
        ["--once", "--at", "soon"],
        ["--once", "--dir", "x"],
    ):
        outcome = project.dagrun("scheduler", *words)
        assert (outcome.code, outcome.out) == (2, ""), words
    (project.root / "empty").mkdir()
    outcome = project.dagrun("scheduler", "--once", "--dir", "empty")
    assert (outcome.code, outcome.out) == (1, "No schedules found in empty\n")
    assert project.files() == before | {"empty"}


def test_parameters_come_as_they_were_written(project: Project) -> None:
    a_project(project, params='{region: "3.10", list: [1, "ü"]}')
    project.write(
        "configs/dags/job.yaml",
        """\
        name: job
        params: {region: eu, list: []}
        outputs: {region: "${{ params.region }}"}
        tasks:
          - {id: t, run: 'true'}
        """,
    )
    assert project.dagrun("scheduler", "--once", *AT).code == 0
    assert project.events()[0]["params"] == {"region": "3.10", "list": [1, "ü"]}


def test_schedules_tells_the_next_fires_and_the_last_outcome(project: Project) -> None:
    a_project(project, "exit 1")
    project.dagrun("scheduler", "--once", *AT)
    (job,) = project.dagrun("schedules", "--next", "3", "-o", "json").json["schedules"]
    assert {name: job[name] for name in ("id", "cron", "timezone", "dag", "tenant", "enabled")} == {
        "id": "job", "cron": "* * * * *", "timezone": "UTC", "dag": "job", "tenant": None, "enabled": True,
    }  # fmt: skip
    assert len(job["next"]) == 3
    assert job["last"]["status"] == "failed"
    assert "failed" in project.dagrun("schedules").out


def test_eight_at_the_same_instant_fire_once(project: Project) -> None:
    a_project(project)
    for minute in ("2026-11-16T08:00Z", "2026-11-16T08:01Z"):
        started = [project.start("scheduler", "--once", "--at", minute) for _ in range(8)]
        outcomes = [project.finish(process) for process in started]
        assert [outcome.code for outcome in outcomes] == [0] * 8
    assert len(list((project.root / "logs/runs").iterdir())) == 2
    assert told(project).count("run_finished") == 2


def test_asked_to_stop_it_gives_a_grace_then_leaves_nothing_running_and_the_next_goes_on(
    project: Project,
) -> None:
    a_project(project, "test -e go || { touch begun; sleep 300; }")
    env = {**EVERY, "DAGRUN_SCHED_GRACE_MS": "300"}
    serving = project.start("scheduler", "--serve", env=env)
    project.wait_for_file("configs/dags/job.yaml")
    wait_for("the body", (project.root / "begun").exists, MINUTE + PATIENCE)
    serving.send_signal(signal.SIGTERM)
    assert project.finish(serving).code == 0
    wait_for("the end of its processes", lambda: not project.processes())
    run_id = state(project)[0]["run_id"]
    assert project.dagrun("status", run_id, "-o", "json").json["status"] == "interrupted"
    project.write("go", "")
    again = project.start("scheduler", "--serve", env=env)
    wait_for("the end of the run", lambda: ended(project, run_id, "success"))
    again.send_signal(signal.SIGINT)
    assert project.finish(again).code == 0
    assert project.events(run_id)[-1]["status"] == "success"
    assert "dag_resume" in project.names(run_id)


def test_a_run_outlives_a_scheduler_that_is_killed_and_its_end_is_told_by_the_next(project: Project) -> None:
    a_project(project, "touch begun; while ! test -e go; do sleep 0.05; done")
    serving = project.start("scheduler", "--serve", env=EVERY)
    wait_for("the body", (project.root / "begun").exists, MINUTE + PATIENCE)
    serving.kill()
    project.finish(serving)
    (dead,) = alive(project)
    run_id = state(project)[0]["run_id"]
    again = project.start("scheduler", "--serve", env=EVERY)
    wait_for("the heir", lambda: (lives := alive(project)) and dead not in lives)
    project.write("go", "")
    wait_for("the end of the run", lambda: ended(project, run_id, "success"))
    again.terminate()
    assert project.finish(again).code == 0
    assert [line["event"] for line in state(project) if line.get("run_id") == run_id].count(
        "run_finished"
    ) == 1


def alive(project: Project) -> set[Path]:
    """The locks of schedulers that nobody has buried."""
    return {*(project.root / "logs/schedules/.alive").iterdir()}
