"""`dagrun scheduler` and `dagrun schedules` as people and CI start them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.harness import LONGEST, PATIENCE, Project, wait_for, whole_lines

AT = ("--at", "2026-11-16T08:00Z")
EVERY = {"SCHED_TICK_MS": "50"}
MINUTE = 60.0  # the real one, in which a schedule that is served fires; a test may see the next one begin


def _namespaces() -> bool:
    """Whether a process can be started here as process 1."""
    try:
        words = ["unshare", "--pid", "--fork", "--mount-proc", "true"]
        return subprocess.run(words, capture_output=True, timeout=LONGEST, check=False).returncode == 0
    except OSError:
        return False


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


def reported(project: Project) -> list[str]:
    """The names of the lines of the state store."""
    return [line["event"] for line in state(project)]


def ended(project: Project, run_id: str, status: str) -> bool:
    """Whether the state store says that a run has ended with this status."""
    end = {"event": "run_finished", "run_id": run_id, "status": status}
    return any(end.items() <= line.items() for line in state(project))


def test_once_runs_what_is_due_and_a_second_time_finds_nothing_due(project: Project) -> None:
    a_project(project, "echo $DAGRUN_SCHEDULED_AT", tenant="acme")
    first = project.answer("scheduler", "--once", *AT)
    assert first.code == 0
    assert reported(project) == ["schedule_enqueued", "run_started", "run_finished"]
    start = project.events()[0]
    assert (start["trigger"], start["schedule_id"], start["tenant"]) == ("schedule", "job", "acme")
    assert project.log("t") == "2026-11-16T08:00:00.000Z\n"
    again = project.answer("scheduler", "--once", *AT)
    assert (again.code, again.out) == (0, "Nothing is due at 2026-11-16 08:00 UTC.\n")


def test_once_ends_with_1_when_a_run_fails_and_runs_the_others(project: Project) -> None:
    a_project(project, "exit 3")
    project.write("configs/dags/good.yaml", "name: good\ntasks:\n  - {id: t, run: 'true'}\n")
    project.write("configs/schedules/more.yml", "id: good\ncron: '* * * * *'\ndag: configs/dags/good.yaml\n")
    project.write("configs/schedules/bad.yaml", "- id: bad\n  cron: '61 * * * *'\n  dag: good\n")
    outcome = project.answer("scheduler", "--once", *AT, "-o", "json")
    assert outcome.code == 1
    assert {run["schedule_id"]: run["status"] for run in outcome.json["runs"]} == {
        "job": "failed",
        "good": "success",
    }
    assert "exit code 3" in next(run["error"] for run in outcome.json["runs"] if run["schedule_id"] == "job")
    assert "configs/schedules/bad.yaml:2:" in outcome.err


def test_a_dag_that_cannot_run_is_reported_with_its_position_and_recorded(project: Project) -> None:
    a_project(project)
    project.write("configs/schedules/gone.yaml", "- id: gone\n  cron: '* * * * *'\n  dag: nowhere.yaml\n")
    project.write("configs/dags/calls.yaml", "name: calls\ntasks:\n  - {id: t, workflow_ref: nobody}\n")
    project.write("configs/schedules/calls.yaml", "- id: calls\n  cron: '* * * * *'\n  dag: calls\n")
    outcome = project.answer("scheduler", "--once", *AT)
    assert outcome.code == 1
    assert "configs/schedules/gone.yaml:3:8: error: DAG 'nowhere.yaml' not found" in outcome.err
    skipped = {line["schedule_id"]: line for line in state(project) if line["event"] == "schedule_skipped"}
    assert {name: line["reason"] for name, line in skipped.items()} == {
        "gone": "MissingDag",
        "calls": "NotStarted",
    }
    assert "Unknown workflow: nobody" in skipped["calls"]["error"]
    assert reported(project).count("run_finished") == 1


def test_a_dry_run_writes_nothing(project: Project) -> None:
    a_project(project)
    before = project.files()
    outcome = project.answer("scheduler", "--once", "--dry-run", *AT)
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
        outcome = project.answer("scheduler", *words)
        assert (outcome.code, outcome.out) == (2, ""), words
    (project.root / "empty").mkdir()
    outcome = project.answer("scheduler", "--once", "--dir", "empty")
    assert (outcome.code, outcome.out) == (1, "No schedules found in empty\n")
    assert project.files() == before | {"empty"}


def test_parameters_arrive_as_they_were_written(project: Project) -> None:
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
    assert project.answer("scheduler", "--once", *AT).code == 0
    assert project.events()[0]["params"] == {"region": "3.10", "list": [1, "ü"]}


def test_schedules_shows_the_next_fires_and_the_last_outcome(project: Project) -> None:
    a_project(project, "exit 1")
    project.answer("scheduler", "--once", *AT)
    (job,) = project.answer("schedules", "--next", "3", "-o", "json").json["schedules"]
    assert {name: job[name] for name in ("id", "cron", "timezone", "dag", "tenant", "enabled")} == {
        "id": "job", "cron": "* * * * *", "timezone": "UTC", "dag": "job", "tenant": None, "enabled": True,
    }  # fmt: skip
    assert len(job["next"]) == 3
    assert job["last"]["status"] == "failed"
    assert "failed" in project.answer("schedules").out


@pytest.mark.parametrize("at", ["0002-01-01T00:00Z", "0999-12-31T23:59Z", "8999-12-31T23:59Z"])
def test_any_minute_from_the_second_year_on_can_be_asked_for(project: Project, at: str) -> None:
    a_project(project, "echo $DAGRUN_SCHEDULED_AT")
    outcome = project.answer("scheduler", "--once", "--at", at)
    assert outcome.code == 0, outcome.err
    (enqueued,) = [line for line in state(project) if line["event"] == "schedule_enqueued"]
    assert enqueued["minute"] == at.replace("T", " ").removesuffix("Z")


@pytest.mark.parametrize("at", ["0001-12-31T23:59Z", "9000-01-01T00:00Z", "9999-12-31T23:59Z"])
def test_a_minute_beyond_the_calendar_is_refused(project: Project, at: str) -> None:
    a_project(project)
    outcome = project.answer("scheduler", "--once", "--at", at)
    assert outcome.code == 2
    assert f"--at: '{at}' is out of range" in outcome.err
    assert state(project) == []


def test_eight_at_the_same_instant_fire_once(project: Project) -> None:
    a_project(project)
    for minute in ("2026-11-16T08:00Z", "2026-11-16T08:01Z"):
        started = [project.start("scheduler", "--once", "--at", minute) for _ in range(8)]
        outcomes = [project.finish(process) for process in started]
        assert [outcome.code for outcome in outcomes] == [0] * 8
    assert len(list((project.root / "logs/runs").iterdir())) == 2
    assert reported(project).count("run_finished") == 2


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
    assert project.answer("status", run_id, "-o", "json").json["status"] == "interrupted"
    project.write("go", "")
    again = project.start("scheduler", "--serve", env=env)
    wait_for("the end of the run", lambda: ended(project, run_id, "success"))
    again.send_signal(signal.SIGINT)
    assert project.finish(again).code == 0
    assert project.events(run_id)[-1]["status"] == "success"
    assert "dag_resume" in project.names(run_id)


def test_the_run_of_a_killed_scheduler_continues_and_the_next_one_records_its_end(project: Project) -> None:
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


# --- the minute of a fire ----------------------------------------------------------------------------------

SAYS = "echo $DAGRUN_SCHEDULE_ID $DAGRUN_SCHEDULED_AT ${{ run.scheduled_at }}"


def test_the_minute_of_a_fire_belongs_to_its_run_over_resume_and_rerun(project: Project) -> None:
    a_project(project, f"{SAYS}; test -e go")
    assert project.answer("scheduler", "--once", *AT).code == 1
    project.write("go", "")
    assert project.dagrun("resume", "-q").code == 0
    line = "job 2026-11-16T08:00:00.000Z 2026-11-16T08:00:00.000Z\n"
    assert (project.log("t"), project.log("t", 2)) == (line, line)
    assert project.events()[0]["scheduled_at"] == "2026-11-16T08:00:00.000Z"
    assert project.dagrun("rerun", "--run-id", "again", "-q").code == 0
    start = project.events("again")[0]
    assert (start["trigger"], start["schedule_id"]) == ("rerun", "job")
    assert start["scheduled_at"] == "2026-11-16T08:00:00.000Z"
    assert (project.run_dir("again") / "logs/t.1.log").read_text() == line
    assert list((project.root / "logs/schedules/.open").iterdir()) == []


# --- clocks that were wrong --------------------------------------------------------------------------------


def test_a_schedule_that_is_settled_beyond_now_is_shown_and_reset(project: Project) -> None:
    a_project(project)
    ahead = (
        '{"timestamp":"2026-01-01T00:00:00.000Z","event":"claim","minute":"2100-01-01 00:00","run_id":"r"}\n'
    )
    claims = project.write("logs/schedules/job.jsonl", ahead)
    (job,) = project.answer("schedules", "-o", "json").json["schedules"]
    assert (job["settled_until"], job["next"]) == ("2100-01-01 00:00", ["2100-01-01T00:01:00.000Z"])
    assert "job is settled until 2100-01-01 00:00 UTC" in project.answer("schedules").out
    once = project.answer("scheduler", "--once")
    assert (once.code, state(project)) == (0, [])
    assert "It fires next at 2100-01-01 00:01 UTC" in once.err
    assert project.answer("schedules", "reset", "job").out.startswith(
        "job was settled until 2100-01-01 00:00 UTC"
    )
    assert '"event":"reset"' in claims.read_text()
    (job,) = project.answer("schedules", "-o", "json").json["schedules"]
    assert "settled_until" not in job
    assert job["next"][0] < "2100"
    again = project.answer("schedules", "reset", "job")
    assert (again.code, again.out) == (0, "job is not settled beyond now: nothing was changed.\n")
    for words in (["schedules", "reset", "jobs"], ["schedules", "reset"], ["schedules", "rest", "job"]):
        assert project.dagrun(*words).code == 2


# --- runs that are queued ----------------------------------------------------------------------------------


def test_a_queued_run_is_listed_shown_and_cancelled(project: Project) -> None:
    a_project(project, "touch begun; while ! test -e go; do sleep 0.05; done", overlap="queue")
    first = project.start("scheduler", "--once", *AT)
    project.wait_for_file("configs/dags/job.yaml")
    wait_for("the first run", (project.root / "begun").exists)
    second = project.start("scheduler", "--once", "--at", "2026-11-16T08:01Z")
    wait_for("the second run", lambda: reported(project).count("schedule_enqueued") == 2)
    queued, running = project.answer("runs", "-o", "json").json["runs"]
    assert (queued["status"], running["status"]) == ("pending", "running")
    run_id = queued["run_id"]
    assert project.answer("runs", "--status", "pending", "-o", "json").json["runs"] == [queued]
    assert project.answer("status", run_id, "-o", "json").json["params"] == {}
    assert f"after {running['run_id']}" in project.answer("status", run_id).out
    logs = project.answer("logs", run_id)
    assert (logs.code, logs.err.splitlines()[0]) == (2, f"Error: run '{run_id}' is queued: it has not begun")
    assert project.dagrun("cancel", run_id, "--reason", "not today").code == 0
    assert project.finish(second).code == 1
    assert project.answer("status", run_id, "-o", "json").json["status"] == "cancelled"
    assert project.events(run_id)[0]["scheduled_at"] == "2026-11-16T08:01:00.000Z"
    assert ended(project, run_id, "cancelled")
    project.write("go", "")
    assert project.finish(first).code == 0


# --- schedules that are wrong ------------------------------------------------------------------------------


def test_an_invalid_schedule_is_found_before_it_fires(project: Project) -> None:
    a_project(project, params="{regoin: eu}")
    project.write("configs/dags/job.yaml", "name: job\nparams: {region: us}\ntasks: [{id: t, run: 'true'}]\n")
    at = "configs/schedules/s.yaml:4:20: error: DAG 'job' has no parameter 'regoin' (did you mean 'region'?)"
    for words in (["validate"], ["validate", "configs/schedules/s.yaml"]):
        outcome = project.dagrun(*words)
        assert (outcome.code, at in outcome.out) == (2, True), outcome
    for words in (["schedules"], ["schedules", "-o", "json"], ["scheduler", "--once", "--dry-run", *AT]):
        outcome = project.dagrun(*words)
        assert (outcome.code, at in outcome.err) == (2, True), outcome
    assert "job: would skip 2026-11-16 08:00 (InvalidParams)" in outcome.out
    outcome = project.answer("scheduler", "--once", *AT)
    assert outcome.code == 1
    assert [line["reason"] for line in state(project)] == ["InvalidParams"]


def test_validate_reads_every_document_and_schedule_of_the_project(project: Project) -> None:
    a_project(project)
    project.write(
        "configs/schedules/more.yml", "- {id: job, cron: '61 * * * *', timezone: Mars, dag: nowhere}\n"
    )
    project.write("configs/schedules/days.yml", "- {id: days, cron: '0 9 */2 * 1', dag: job}\n")
    outcome = project.answer("validate", "-o", "json")
    files = {file["path"]: file for file in outcome.json["files"]}
    assert outcome.code == 2
    assert files["configs/dags/job.yaml"]["errors"] == []
    assert files["configs/schedules/s.yaml"]["schedules"] == ["job"]
    assert [each["code"] for each in files["configs/schedules/more.yml"]["errors"]] == [
        "invalid-cron",
        "unknown-zone",
    ]
    assert [each["code"] for each in files["configs/schedules/days.yml"]["warnings"]] == ["cron-days"]
    assert project.answer("validate", "configs/schedules/days.yml").code == 0


# --- signals, streams and disks ----------------------------------------------------------------------------


def test_sighup_reloads_and_goes_on(project: Project) -> None:
    a_project(project)
    serving = project.start("scheduler", "--serve", env={"SCHED_TICK_MS": "200"})
    wait_for("its start", lambda: (project.root / "logs/schedules/.served").exists() and alive(project))
    project.write("configs/schedules/bad.yaml", "- {id: bad, cron: never, dag: job}\n")
    serving.send_signal(signal.SIGHUP)
    serving.send_signal(signal.SIGHUP)
    wait_for("the run of a minute", lambda: "run_finished" in reported(project), MINUTE + PATIENCE)
    serving.send_signal(signal.SIGTERM)
    outcome = project.finish(serving)
    assert outcome.code == 0
    assert "configs/schedules/bad.yaml:1:19" in outcome.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_stdout_and_stderr_change_nothing(project: Project) -> None:
    a_project(project)
    command = 'exec "$@" >/dev/full 2>/dev/full'
    words = ["sh", "-c", command, "sh", sys.executable, "-m", "dagrun", "scheduler", "--serve", "-o", "json"]
    serving = subprocess.Popen(
        words, cwd=project.root, env=project.environment(EVERY), start_new_session=True
    )
    try:
        wait_for("the run of a minute", lambda: "run_finished" in reported(project), MINUTE + PATIENCE)
        assert serving.poll() is None
    finally:
        serving.terminate()
        serving.wait(PATIENCE)
    lines = state(project)
    of_first_run = [line["event"] for line in lines if line.get("run_id") == lines[0]["run_id"]]
    assert of_first_run == ["schedule_enqueued", "run_started", "run_finished"]


def test_once_on_a_full_disk_fails_and_says_so(project: Project) -> None:
    a_project(project)
    project.answer("scheduler", "--once", *AT)
    size = (project.root / "logs/schedules/job.jsonl").stat().st_size
    # No file may grow beyond what the claims have: whatever the next minute needs cannot be written.
    words = ["sh", "-c", f'ulimit -f {size // 512}; exec "$@"', "sh", sys.executable, "-m", "dagrun"]
    outcome = subprocess.run(
        [*words, "scheduler", "--once", "--at", "2026-11-16T08:01Z"], cwd=project.root,
        env=project.environment(), capture_output=True, text=True, timeout=LONGEST,
    )  # fmt: skip
    assert outcome.returncode == 1, outcome
    assert "Error: cannot write" in outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.mark.skipif(not _namespaces(), reason="needs namespaces of processes")
def test_as_process_1_it_reaps_what_it_adopts(project: Project) -> None:
    a_project(project, "(setsid sleep 0.2 &) ; touch begun")
    inside = 'sh -c "(sleep 0.1 &) ; (sleep 0.1 &)" ; exec "$@"'
    words = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", inside, "sh"]
    serving = subprocess.Popen(
        [*words, sys.executable, "-m", "dagrun", "scheduler", "--serve"], cwd=project.root,
        env=project.environment(EVERY), start_new_session=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for("the run of a minute", lambda: "run_finished" in reported(project), MINUTE + PATIENCE)
        assert state(project)[-1]["status"] == "success"
        wait_for("the end of all zombies", lambda: not _zombies(serving.pid))
    finally:
        serving.kill()
        serving.wait(PATIENCE)


def _zombies(pid: int) -> list[str]:
    """The zombies in the session of a process."""
    listed = subprocess.run(
        ["ps", "-e", "-o", "stat=,ppid=,pid=,sess="], capture_output=True, text=True, check=True
    )
    rows = [row.split() for row in listed.stdout.splitlines()]
    below = {str(pid)}
    for _ in rows:
        below |= {row[2] for row in rows if row[1] in below}
    return [row[2] for row in rows if row[0].startswith("Z") and row[2] in below]
