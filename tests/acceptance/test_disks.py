"""Places that cannot be written to: a clear error, nothing continues unrecorded, bodies are ended."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.harness import PATIENCE, Project, wait_for

DAG = """
    name: dag
    tasks:
      - {id: sleeps, run: "echo x > begun; sleep 300"}
      - {id: chatty, run: "while ! test -e full; do sleep 0.02; done; exit 1", retries: 100000, retry: {initial: 1ms, factor: 1}}
"""


@contextlib.contextmanager
def mounted(where: Path, options: str) -> Iterator[Path]:
    """A small file system of its own; the test is skipped where mounting is not allowed."""
    where.mkdir(parents=True, exist_ok=True)
    command = shutil.which("mount")
    if command is None or subprocess.run(
        [command, "-t", "tmpfs", "-o", options, "tmpfs", str(where)], capture_output=True, check=False
    ).returncode:  # fmt: skip
        pytest.skip("mounting a tmpfs is not permitted here")
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", str(where)], check=False)


def test_logs_that_nobody_may_write_stop_the_run_before_it_begins(project: Project) -> None:
    project.write("dag.yaml", DAG)
    (project.root / "logs").mkdir(mode=0o555)
    if os.access(project.root / "logs", os.W_OK):  # root may write anywhere
        project.write("file", "in the way")
        env, name = {"DAGRUN_RUNS_DIR": "file/runs"}, "file"
    else:
        env, name = {}, "logs"
    run = project.dagrun("run", "dag.yaml", env=env)
    assert (run.code, run.out) == (1, "")
    assert run.err.startswith(f"Error: cannot write {project.root / name}")
    assert not (project.root / "begun").exists()


def test_a_stream_that_nobody_may_write_stops_the_run_before_it_begins(project: Project) -> None:
    project.write("dag.yaml", DAG)
    run = project.dagrun("run", "dag.yaml", env={"ORCH_EVENTS_PATH": "dag.yaml/events.jsonl"})
    assert (run.code, run.out) == (1, "")
    assert run.err.startswith(f"Error: cannot write {project.root / 'dag.yaml'}")
    assert not (project.root / "begun").exists()


def test_a_read_only_file_system(project: Project) -> None:
    project.write("dag.yaml", DAG)
    with mounted(project.root / "logs", "size=64k,ro"):
        run = project.dagrun("run", "dag.yaml")
        assert (run.code, run.out) == (1, "")
        assert run.err.startswith("Error: cannot write ")
        assert "Read-only file system" in run.err


def test_a_disk_that_fills_up_stops_the_run_and_its_bodies(project: Project) -> None:
    project.write("dag.yaml", DAG)
    with mounted(project.root / "logs", "size=256k") as logs:
        process = project.start("run", "dag.yaml", "-q")
        project.wait_for_file("begun")
        with contextlib.suppress(OSError), (logs / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(b"x" * 4096)
        project.write("full", "x")
        run = project.finish(process, PATIENCE)
        assert run.code == 1
        assert "Error: cannot write " in run.err
        assert "No space left on device" in run.err
        wait_for("the end of its processes", lambda: not project.processes())
        (logs / "filler").unlink()
        status = project.dagrun("status", "-o", "json")
        assert status.json["status"] == "interrupted"
        project.write("dag.yaml", "name: dag\ntasks: [{id: a, run: 'true'}]\n")
        assert project.dagrun("run", "dag.yaml", "-q").code == 0  # and the torn line harms nobody
        assert project.names()[-1] == "dag_done"
