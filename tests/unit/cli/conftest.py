"""A project for command lines that start no process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dagrun.cli.app import run
from dagrun.core.events import DagDone, DagStart, TaskFail, TaskOk, TaskStart
from dagrun.storage.files import FileRuns
from tests.unit.harness import chain

NOW = 1_759_485_600.0  # 2025-10-03T10:00:00Z

#: Runs a command line: its exit code, stdout and stderr.
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Command lines in an empty project, which is the current directory."""
    (tmp_path / "dagrun.toml").touch()
    monkeypatch.chdir(tmp_path)
    for name in ("DAGRUN_RUNS_DIR", "DAGRUN_DAGS_DIR", "DAGRUN_SCHEDULES_DIR", "DAGRUN_WORKFLOWS"):
        monkeypatch.delenv(name, raising=False)

    def execute(*words: str) -> tuple[int, str, str]:
        code = run(words)
        out, err = capsys.readouterr()
        return code, out, err

    return execute


@pytest.fixture
def ended(command: Command, tmp_path: Path) -> FileRuns:
    """Two runs of the project: `good` succeeded, `bad` failed."""
    runs = FileRuns(tmp_path / "logs" / "runs", tmp_path / "logs" / "orchestrator_events.jsonl")
    for run_id in ("good", "bad"):
        writer = runs.create(chain("a"), NOW, run_id)
        writer.append(DagStart(timestamp=NOW, task_count=1, dag_path="d.yaml", dag_hash=writer.dag_hash))
        writer.append(TaskStart(timestamp=NOW, task_id="a", attempt=1, kind="shell"))
        if run_id == "good":
            writer.append(TaskOk(timestamp=NOW, task_id="a", attempt=1, duration_seconds=1.0))
        else:
            writer.append(
                TaskFail(timestamp=NOW, task_id="a", attempt=1, error="exit code 1", error_type="E")
            )
        writer.append(
            DagDone(
                timestamp=NOW + 1, status="success" if run_id == "good" else "failed", reason="",
                tasks_succeeded=int(run_id == "good"), tasks_failed=int(run_id == "bad"), tasks_skipped=0,
                tasks_cancelled=0, duration_seconds=1.0,
            )
        )  # fmt: skip
        writer.close()
    return runs
