"""What a scheduler reads about runs from their records."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from dagrun.core.events import (
    ApprovalGranted,
    DagDone,
    DagPause,
    DagStart,
    Event,
    TaskFail,
    TaskStart,
    TaskWait,
)
from dagrun.core.model import Dag, Hook
from dagrun.kinds.shell import ShellAction
from dagrun.scheduling.open_runs import OpenRuns
from dagrun.scheduling.run_control import DagInfo, RunPhase
from dagrun.scheduling.run_processes import RunProcesses
from dagrun.storage.files import FileRuns
from dagrun.value import replace
from tests.unit.harness import chain, task

NOW = 1_759_485_600.0
START = DagStart(timestamp=NOW, task_count=1, dag_path="", dag_hash="ff")


@pytest.fixture
def runs(tmp_path: Path) -> FileRuns:
    return FileRuns(tmp_path / "runs", tmp_path / "stream.jsonl")


@pytest.fixture
def processes(runs: FileRuns, tmp_path: Path) -> RunProcesses:
    return RunProcesses(runs, OpenRuns(tmp_path / ".open"), tmp_path, lambda _: DagInfo("d", "t"))


def record(runs: FileRuns, run_id: str, *events: Event, dag: Dag | None = None) -> None:
    """A run whose process has ended after these events."""
    writer = runs.create(dag or chain("a"), NOW, run_id)
    for event in events:
        writer.append(event)
    writer.close()


def test_a_run_is_unborn_live_interrupted_or_ended(runs: FileRuns, processes: RunProcesses) -> None:
    record(runs, "interrupted", START)
    record(runs, "ended", START, done("success"))
    live = runs.create(chain("a"), NOW, "live")
    found = [processes.phase(run_id) for run_id in ("none", "live", "interrupted", "ended")]
    live.close()
    assert found == [RunPhase.NOT_STARTED, RunPhase.LIVE, RunPhase.INTERRUPTED, RunPhase.ENDED]


def done(status: str) -> DagDone:
    return DagDone(
        timestamp=NOW + 1, status=status, reason="", tasks_succeeded=0, tasks_failed=0, tasks_skipped=0,
        tasks_cancelled=0, duration_seconds=1.0,
    )  # fmt: skip


WAIT = TaskWait(
    timestamp=NOW, task_id="a", attempt=1, kind="approval", prompt="?", expires_at="2100-01-01T00:00:00Z"
)
PAUSE = DagPause(timestamp=NOW, waiting_for=["a"], duration_seconds=0.0)


def test_a_run_that_waits_for_a_person_is_decided_by_an_answer_or_by_time(
    runs: FileRuns, processes: RunProcesses
) -> None:
    record(runs, "waiting", START, WAIT, PAUSE)
    record(runs, "expired", START, replace(WAIT, expires_at="2001-01-01T00:00:00Z"), PAUSE)
    granted = ApprovalGranted(timestamp=NOW, task_id="a", attempt=1, by="ann")
    record(runs, "approved", START, WAIT, PAUSE, granted)
    found = [processes.phase(run_id) for run_id in ("waiting", "expired", "approved")]
    assert found == [RunPhase.WAITING, RunPhase.DECIDED, RunPhase.DECIDED]
    assert (processes.ending("waiting").is_good, processes.ending("waiting").error) == (True, "")


WAIT_FOR_CHILD = replace(WAIT, kind="dag", prompt=None, expires_at=None, child_run_id="child")


@pytest.mark.parametrize(
    ("child", "phase"),
    [
        ((WAIT, PAUSE), RunPhase.WAITING),
        ((replace(WAIT, expires_at="2001-01-01T00:00:00Z"), PAUSE), RunPhase.DECIDED),
        ((WAIT, PAUSE, ApprovalGranted(timestamp=NOW, task_id="a", attempt=1, by="ann")), RunPhase.DECIDED),
        ((replace(WAIT_FOR_CHILD, child_run_id="gone"), PAUSE), RunPhase.WAITING),
        ((WAIT, done("success")), RunPhase.DECIDED),
        ((WAIT, done("cancelled")), RunPhase.WAITING),
    ],
    ids=["waits", "has expired", "is approved", "waits for a lost run", "has succeeded", "was cancelled"],
)
def test_a_run_that_waits_for_its_child_run_is_decided_when_something_below_is(
    runs: FileRuns, processes: RunProcesses, child: Sequence[Event], phase: RunPhase
) -> None:
    record(runs, "root", START, replace(WAIT_FOR_CHILD, child_run_id="middle"), PAUSE)
    record(runs, "middle", START, WAIT_FOR_CHILD, PAUSE)
    record(runs, "child", START, *child)
    assert processes.phase("root") is phase


def test_a_child_run_that_a_process_drives_is_not_decided(runs: FileRuns, processes: RunProcesses) -> None:
    record(runs, "root", START, WAIT_FOR_CHILD, PAUSE)
    record(
        runs, "child", START, WAIT, PAUSE, ApprovalGranted(timestamp=NOW, task_id="a", attempt=1, by="ann")
    )
    driver = runs.take_over("child")
    found = processes.phase("root")
    driver.close()
    assert found is RunPhase.WAITING


def test_a_cancel_of_a_paused_run_ends_its_child_runs(runs: FileRuns, processes: RunProcesses) -> None:
    started = TaskStart(timestamp=NOW, task_id="a", attempt=1, kind="dag", child_run_id="child")
    record(runs, "root", START, started, WAIT_FOR_CHILD, PAUSE)
    record(runs, "child", START, WAIT, PAUSE)
    assert processes.cancel("root", "replaced")
    assert [processes.ending(run_id).status for run_id in ("root", "child")] == ["cancelled", "cancelled"]


def test_a_paused_run_is_cancelled_at_once(runs: FileRuns, processes: RunProcesses) -> None:
    record(runs, "r", START, WAIT, PAUSE)
    assert processes.cancel("r", "replaced")
    assert processes.ending("r").status == "cancelled"
    assert not processes.cancel("r", "replaced")


def test_the_hooks_of_a_paused_run_run_when_it_is_cancelled(
    runs: FileRuns, processes: RunProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGRUN_RUNS_DIR", str(tmp_path / "runs"))
    hook = Hook(on="on_cancel", task=task("hook:on_cancel", action=ShellAction(("echo cancelled > trace",))))
    record(runs, "r", START, WAIT, PAUSE, dag=replace(chain("a"), hooks=(hook,)))
    assert processes.cancel("r", "replaced")
    deadline = time.monotonic() + 60
    while processes.phase("r") is not RunPhase.ENDED:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    processes.close()
    assert (tmp_path / "trace").read_text() == "cancelled\n"
    assert processes.ending("r").status == "cancelled"


def test_the_ending_of_a_failed_run_has_its_first_failure(runs: FileRuns, processes: RunProcesses) -> None:
    start = TaskStart(timestamp=NOW, task_id="a", attempt=1, kind="shell")
    fail = TaskFail(timestamp=NOW, task_id="a", attempt=1, error="exit code 3", error_type="CommandFailed")
    record(runs, "failed", START, start, fail, done("failed"))
    ending = processes.ending("failed")
    assert (ending.status, ending.is_good) == ("failed", False)
    assert "exit code 3" in ending.error


def test_a_run_without_records_counts_as_interrupted(processes: RunProcesses) -> None:
    assert processes.ending("none").status == "interrupted"
    assert processes.last_event_at("none") is None


def test_the_last_sign_of_a_run_is_its_last_event(runs: FileRuns, processes: RunProcesses) -> None:
    record(runs, "r", START, TaskStart(timestamp=NOW + 5, task_id="a", attempt=1, kind="shell"))
    assert processes.last_event_at("r") == NOW + 5


def test_only_a_live_run_is_asked_to_end(runs: FileRuns, processes: RunProcesses) -> None:
    record(runs, "ended", START, done("success"))
    live = runs.create(chain("a"), NOW, "live")
    asked = [processes.cancel(run_id, "replaced") for run_id in ("ended", "live")]
    (request,) = live.requests()
    live.close()
    assert asked == [False, True]
    assert (request.kind, request.by) == ("cancel", "scheduler")


def test_a_run_of_another_process_ends_when_its_lock_is_free(runs: FileRuns, processes: RunProcesses) -> None:
    live = runs.create(chain("a"), NOW, "live")
    watched = processes.watch("live")
    before = watched.has_ended()
    live.close()
    assert (watched.own, before, watched.has_ended(), watched.error()) == (False, False, True, "")
