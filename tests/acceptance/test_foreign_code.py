"""Foreign files next to a DAG: modules, which replace nothing, projects of other users, and runs that others have created."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.acceptance.harness import LONGEST, Outcome, Project, wait_for

NAMES = ("json", "typer", "dagrun", "typing", "hashlib", "asyncio", "runpy")


def dagrun(project: Project, *args: str, **env: str) -> Outcome:
    """A command as the installed `dagrun` runs it: the present directory is not on its path."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "dagrun", *args], cwd=project.root, env={**project.environment(), **env},
        capture_output=True, text=True, timeout=LONGEST, check=False,
    )  # fmt: skip
    assert "internal error" not in done.stderr
    return Outcome(done.returncode, done.stdout, done.stderr)


def ended(project: Project) -> list[str]:
    found = dagrun(project, "runs", "-o", "json").json["runs"]
    return [run["status"] for run in found if run["finished_at"] is not None]


def test_modules_beside_a_dag_replace_neither_dagruns_own_nor_its_libraries(project: Project) -> None:
    project.workflows("""
        import json, helper

        @workflow("says")
        def says() -> dict:
            return {"json": json.dumps([1]), "helper": helper.VALUE}
    """)
    project.write("helper.py", "VALUE = 'mine'\n")
    for name in NAMES:
        project.write(f"{name}.py", f"open({str(project.root / 'taken')!r}, 'a').write({name!r})\n")
    project.write("configs/dags/d.yaml", "tasks: [{id: a, workflow_ref: says}]\n")
    project.write(
        "configs/schedules/s.yaml", '{id: s, cron: "* * * * *", dag: configs/dags/d.yaml, enabled: true}\n'
    )

    assert dagrun(project, "run", "d", "--detach").code == 0
    wait_for("the detached run", lambda: ended(project) == ["success"])
    assert dagrun(project, "status", "-o", "json").task("a")["outputs"] == {
        "json": "[1]",
        "helper": "mine",
    }
    assert dagrun(project, "scheduler", "--once").code == 0
    assert ended(project) == ["success", "success"]
    assert not (project.root / "taken").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to somebody else")
def test_a_project_of_another_user_runs_nothing_before_it_is_trusted(project: Project) -> None:
    project.workflows("open('imported', 'w')\n")
    project.write("d.yaml", "tasks: [{id: a, workflow_ref: says}]\n")
    os.chown(project.root / "dagrun.toml", 54321, 54321)
    refused = dagrun(project, "validate", "d.yaml")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == (
        f"Error: {project.root}/dagrun.toml belongs to user 54321: the code that it lists would run as you\n"
        f"  if you trust that project: export DAGRUN_SAFE_DIRECTORIES={project.root}\n"
    )
    assert not (project.root / "imported").exists()
    dagrun(project, "validate", "d.yaml", DAGRUN_SAFE_DIRECTORIES=str(project.root))
    assert (project.root / "imported").exists()


def test_a_run_directory_that_somebody_has_made_before_is_refused(project: Project) -> None:
    project.write("d.yaml", "tasks: [{id: a, run: touch begun}]\n")
    (project.root / "elsewhere").mkdir(mode=0o700)
    runs = project.root / "logs" / "runs"
    runs.mkdir(parents=True)
    (runs / "X").symlink_to("../../elsewhere")
    for more in ((), ("--detach",)):
        refused = dagrun(project, "run", "d.yaml", "--run-id", "X", *more)
        assert refused.code == 2
        assert refused.err.startswith("Error: the run id 'X' is taken")
    assert not (project.root / "begun").exists()
    assert not list((project.root / "elsewhere").iterdir())


def test_a_group_shares_a_project_where_the_umask_lets_it(project: Project) -> None:
    project.write("d.yaml", "tasks: [{id: a, run: 'echo hi; exit 1'}]\n")
    command = f"umask 007; exec {sys.executable} -P -m dagrun run d.yaml"
    subprocess.run(["sh", "-c", command], cwd=project.root, env=project.environment(), check=False, capture_output=True)  # fmt: skip
    below = [project.run_dir(), *project.run_dir().rglob("*"), *(project.root / "logs").glob("*.jsonl")]
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in below if path.is_file()} == dict.fromkeys(
        {path.name for path in below if path.is_file()}, "0o660"
    )
    assert {path.stat().st_mode & 0o777 for path in below if path.is_dir()} == {0o770}
