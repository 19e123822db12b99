"""The commands that answer runs. (With runs that go on: tests/acceptance/test_approvals.py.)"""

from __future__ import annotations

import json

import pytest

from dagrun.core.events import DagPause, DagStart, TaskWait
from dagrun.core.model import Dag, Task
from dagrun.kinds.approval import ApprovalAction
from dagrun.storage.files import FileRuns
from tests.unit.cli.conftest import NOW, Command


@pytest.fixture
def paused(ended: FileRuns) -> FileRuns:
    """And a run `asks`, which waits for an approval."""
    writer = ended.create(
        Dag(name="d", tasks=(Task(id="gate", action=ApprovalAction("Deploy?")),)), NOW, "asks"
    )
    writer.append(DagStart(timestamp=NOW, task_count=1, dag_path="d.yaml", dag_hash=writer.dag_hash))
    writer.append(
        TaskWait(
            timestamp=NOW, task_id="gate", attempt=1, kind="approval", prompt="Deploy?", required_role="Operator",
            expires_at="2100-01-01T00:00:00.000Z",
        )
    )  # fmt: skip
    writer.append(DagPause(timestamp=NOW, waiting_for=["gate"], duration_seconds=0.0))
    writer.close()
    return ended


def test_open_approvals_are_a_table_or_data(command: Command, paused: FileRuns) -> None:
    assert command("approvals")[1].split() == [
        "RUN", "TASK", "DAG", "TENANT", "ROLE", "EXPIRES", "PROMPT",
        "asks", "gate", "d", "local-dev", "Operator", "2100-01-01T00:00:00.000Z", "Deploy?",
    ]  # fmt: skip
    (found,) = json.loads(command("approvals", "-o", "json")[1])["approvals"]
    assert (found["run_id"], found["task_id"], found["prompt"]) == ("asks", "gate", "Deploy?")
    assert (found["root_run_id"], found["path"]) == ("asks", "gate")
    assert command("approvals", "--tenant", "acme") == (0, "No run waits for an approval.\n", "")


def test_an_answer_is_recorded_and_the_run_left_as_it_is(
    command: Command, paused: FileRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("approve", "asks", "gate", "--no-resume")[0] == 2
    monkeypatch.setenv("USER_RBAC_ROLE", "Admin")
    assert command("approve", "asks", "gate", "--no-resume", "--by", "ann") == (
        0, "", "Approved 'gate' of run asks: it was not continued\n",
    )  # fmt: skip
    assert command("reject", "asks", "gate", "--no-resume")[0] == 2
    (task,) = json.loads(command("status", "asks", "-o", "json")[1])["tasks"]
    assert (task["status"], task["reason"], task["detail"]) == ("waiting", "Approved", "approved by ann")


def test_what_has_ended_takes_no_signal(command: Command, paused: FileRuns) -> None:
    assert command("signal", "good", "go") == (2, "", "Error: the run has ended: success\n")
