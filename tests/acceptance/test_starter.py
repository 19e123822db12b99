"""`dagrun init`: a project that runs at once."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.acceptance.harness import LONGEST, Project


@pytest.fixture
def started(project: Project) -> Project:
    """The project as `init` makes it."""
    (project.root / "dagrun.toml").unlink()
    assert project.dagrun("init").code == 0
    return project


def test_the_commands_that_it_names_work(project: Project) -> None:
    made = project.dagrun("init", "my project")
    assert made.code == 0
    written, _, commands = made.out.partition("\nNow try:\n")
    assert [line.removeprefix("written my project/") for line in written.splitlines()] == [
        "dagrun.toml", "workflows.py", "configs/dags/backup.yaml", "configs/schedules/backup.yaml", ".gitignore",
    ]  # fmt: skip
    assert [line.strip() for line in commands.splitlines()] == [
        "cd 'my project'", "dagrun run backup", "dagrun why latest report",
    ]  # fmt: skip
    environment = project.environment()
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"  # as after `pip install`
    done = subprocess.run(
        ["sh", "-ec", commands], cwd=project.root, env=environment, capture_output=True, text=True, timeout=LONGEST, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Status: success" in done.stdout
    assert "report succeeded; it started because verify succeeded" in done.stdout


def test_the_example_validates_plans_and_runs_again_and_again(started: Project) -> None:
    assert started.dagrun("validate", "backup").out.endswith("valid (backup, 3 tasks)\n")
    assert started.dagrun("plan", "backup", "-o", "json").json["waves"] == [["pack"], ["verify"], ["report"]]
    assert started.dagrun("run", "backup", "--dry-run").code == 0
    for _ in range(2):
        run = started.dagrun("run", "backup", "-o", "json")
        assert run.json["status"] == "success"
    archive = started.root / run.task("pack")["outputs"]["archive"]
    with tarfile.open(archive) as packed:
        assert "configs/dags/backup.yaml" in packed.getnames()
    assert started.log("report") == f"2 files are safe in {archive.relative_to(started.root)}\n"


def test_a_directory_that_is_not_there_fails_after_the_retries(started: Project) -> None:
    run = started.dagrun("run", "backup", "--param", "source=nowhere", "-o", "json")
    assert run.code == 1
    assert (run.task("pack")["status"], run.task("pack")["attempt"]) == ("failed", 3)


def test_its_schedule_waits_to_be_enabled(started: Project) -> None:
    (schedule,) = started.dagrun("schedules", "-o", "json").json["schedules"]
    assert (schedule["id"], schedule["enabled"]) == ("backup", False)
    assert started.dagrun("scheduler", "--once", "--at", "2026-01-01T02:30Z").code == 0
    assert not (started.root / "logs" / "runs").exists()


def test_git_ignores_what_runs_and_secrets_write(started: Project) -> None:
    started.dagrun("run", "backup", "-q")
    ignored = (started.root / ".gitignore").read_text().split()
    assert {"logs/", "backups/", ".env"} <= set(ignored)
    new = {name.split("/")[0] for name in started.files()}
    assert new == {"dagrun.toml", "workflows.py", "configs", ".gitignore", "logs", "backups"}


def test_json_lists_what_was_written(project: Project) -> None:
    reported = project.dagrun("init", "new", "-o", "json").json
    assert reported["directory"] == str(project.root / "new")
    assert [str(Path(path)) for path in reported["written"]][:2] == ["new/dagrun.toml", "new/workflows.py"]
    assert reported["next"][0] == "dagrun run backup"
    again = project.dagrun("init", "new", "-o", "json")
    assert again.code == 2
    assert again.json["error"]["type"] == "RefusedError"
    assert again.json["error"]["message"].count("already exists") == len(reported["written"])


def test_a_file_that_is_there_is_never_written_over(project: Project) -> None:
    before = project.files()
    refused = project.dagrun("init")
    assert refused.code == 2
    assert "Error: dagrun.toml already exists" in refused.err
    assert "nothing was written" in refused.err
    assert project.files() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_below_a_directory_that_is_read_only(project: Project) -> None:
    (project.root / "locked").mkdir(mode=stat.S_IRUSR | stat.S_IXUSR)
    refused = project.dagrun("init", "locked/new")
    assert refused.code == 2
    assert "Error: cannot write locked/new: Permission denied" in refused.err
