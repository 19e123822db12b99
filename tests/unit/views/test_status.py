"""One run as people and scripts see it: the fold of its events."""

from __future__ import annotations

import json

import pytest

from dagrun.core.events import (
    DagDone,
    DagResume,
    DagStart,
    Event,
    TaskFail,
    TaskOk,
    TaskRetry,
    TaskSkip,
    TaskStart,
)
from dagrun.core.model import Dag, Matrix
from dagrun.core.record import RunRecord
from dagrun.core.work import Blob
from dagrun.testing import fails
from dagrun.value import replace
from dagrun.views.status import RunView, view
from tests.unit.harness import chain, played, task

START = DagStart(timestamp=100.0, task_count=2, dag_path="d.yaml", dag_hash="ff", params={"p": 1})
A_STARTS = TaskStart(timestamp=101.0, task_id="a", attempt=1, kind="shell")
A_OK = TaskOk(timestamp=103.0, task_id="a", attempt=1, duration_seconds=2.0, outputs={"k": "v"})
A_FAILS = TaskFail(
    timestamp=103.0, task_id="a", attempt=1, error="exit code 1", error_type="CommandFailed", exit_code=1
)
B_SKIPPED = TaskSkip(timestamp=103.0, task_id="b", reason="StopAll", detail="a")
DONE = DagDone(
    timestamp=104.0, status="failed", reason="TaskFailed", tasks_succeeded=0, tasks_failed=1, tasks_skipped=1,
    tasks_cancelled=0, duration_seconds=4.0,
)  # fmt: skip


def seen(*events: Event, live: bool = False, now: float = 110.0, corrupt: int = 0) -> RunView:
    return view(RunRecord("r", chain("a; b<-a"), events, live, corrupt), now)


def test_a_run_that_has_ended() -> None:
    run = seen(START, A_STARTS, A_FAILS, B_SKIPPED, DONE)
    assert (run.status, run.reason, run.duration) == ("failed", "TaskFailed", 4.0)
    assert (run.started_at, run.finished_at, run.params) == (100.0, 104.0, {"p": 1})
    a, b = run.tasks
    assert (a.status, a.error, a.attempt) == ("failed", "exit code 1", 1)
    assert (b.status, b.reason, b.detail, b.attempt) == ("skipped", "StopAll", "a", 0)


def test_a_run_that_nobody_drives_and_that_has_no_end_was_interrupted() -> None:
    run = seen(START, A_STARTS)
    assert (run.status, run.reason) == ("interrupted", "its process ended without recording an end")
    assert (run.duration, run.finished_at) == (None, None)


def test_a_run_that_was_interrupted_before_its_first_event() -> None:
    assert seen().status == "interrupted"


@pytest.mark.parametrize(("events", "status"), [((), "pending"), ((START,), "running")])
def test_a_live_run_is_not_interrupted(events: tuple[Event, ...], status: str) -> None:
    assert seen(*events, live=True).status == status


def test_what_is_running_has_a_duration_so_far() -> None:
    run = seen(START, A_STARTS, live=True, now=105.5)
    assert (run.duration, run.tasks[0].duration) == (5.5, 4.5)


def test_no_duration_is_negative_when_somebody_sets_the_clock_back() -> None:
    run = seen(START, A_STARTS, live=True, now=50.0)
    assert (run.duration, run.tasks[0].duration) == (0.0, 0.0)


def test_what_was_running_when_its_run_was_interrupted_has_none() -> None:
    task = seen(START, A_STARTS).tasks[0]
    assert (task.status, task.duration) == ("running", None)


def test_a_resumed_run_says_since_when_its_duration_counts() -> None:
    resumed = DagResume(timestamp=200.0, reused=(), rerun=("a", "b"), dag_hash="ff")
    run = seen(START, A_STARTS, A_FAILS, B_SKIPPED, DONE, resumed, live=True, now=203.0)
    assert (run.started_at, run.resumed_at, run.duration) == (100.0, 200.0, 3.0)
    assert run.to_json()["resumed_at"] == "1970-01-01T00:03:20.000Z"
    assert "resumed_at" not in seen(START, A_STARTS, A_FAILS, B_SKIPPED, DONE).to_json()


def test_a_task_that_waits_for_a_retry() -> None:
    retry = TaskRetry(
        timestamp=103.0,
        task_id="a",
        attempt=1,
        error="boom",
        error_type="E",
        delay_seconds=5,
        duration_seconds=2,
    )
    task = seen(START, A_STARTS, retry, live=True).tasks[0]
    assert (task.status, task.error, task.reason, task.duration) == ("retrying", "boom", "", 2)


def test_every_state_is_counted() -> None:
    counts = seen(START, A_STARTS, A_FAILS, B_SKIPPED, DONE).counts()
    assert (counts["failed"], counts["skipped"], counts["success"]) == (1, 1, 0)
    assert sum(counts.values()) == 2


def test_a_fact_that_makes_no_sense_is_counted_not_fatal() -> None:
    ghost = TaskOk(timestamp=103.0, task_id="ghost", attempt=1, duration_seconds=1.0)
    odd = replace(DONE, status="odd")
    run = seen(START, ghost, odd, corrupt=1)
    assert (run.corrupt, run.status) == (3, "interrupted")


def test_the_shape_for_scripts() -> None:
    shape = seen(START, A_STARTS, A_OK, live=True, now=105.0).to_json()
    tasks = shape.pop("tasks")
    counts = shape.pop("counts")
    assert shape == {
        "run_id": "r",
        "dag_name": "letters",
        "tenant": "local-dev",
        "status": "running",
        "reason": "",
        "params": {"p": 1},
        "outputs": {},
        "started_at": "1970-01-01T00:01:40.000Z",
        "finished_at": None,
        "duration_seconds": 5.0,
    }
    assert (counts["success"], counts["pending"]) == (1, 1)
    assert tasks[0] == {
        "id": "a",
        "kind": "shell",
        "status": "success",
        "reason": "Completed",
        "detail": "",
        "attempt": 1,
        "changed": True,
        "started_at": "1970-01-01T00:01:41.000Z",
        "duration_seconds": 2.0,
        "error": None,
        "outputs": {"k": "v"},
    }


def test_the_shape_is_json() -> None:
    shape = seen(START, A_STARTS, A_FAILS, B_SKIPPED, DONE).to_json()
    assert json.loads(json.dumps(shape)) == shape


def test_a_list_of_runs_leaves_the_tasks_out() -> None:
    assert "tasks" not in seen(START).to_json(tasks=False)


def test_large_outputs_are_named_by_their_file() -> None:
    ok = TaskOk(
        timestamp=103.0,
        task_id="a",
        attempt=1,
        duration_seconds=2.0,
        outputs_file=Blob("a.1.json", 70_000, "ab"),
    )
    outputs = seen(START, A_STARTS, ok).tasks[0].to_json()["outputs"]
    assert outputs == {"file": "outputs/a.1.json", "size": 70_000, "sha256": "ab"}


def test_groups_and_variants_for_scripts() -> None:
    matrix = Matrix(axes={"os": ("ubuntu", "alpine")})
    tasks = (task("test", matrix=matrix, continue_on_failure=True), task("each", "test", for_each=("a", "b")))
    run = played(*tasks, bodies={"test[os=alpine]": fails(9)}).view
    shape = {entry["id"]: entry for entry in run.to_json()["tasks"]}
    assert list(shape) == ["test[os=ubuntu]", "test[os=alpine]", "test", "each[0]", "each[1]", "each"]
    assert shape["test"]["variants"] == [{"os": "ubuntu"}, {"os": "alpine"}]
    assert shape["test"]["results"] == {"os=ubuntu": "success", "os=alpine": "failed"}
    assert (shape["test"]["summary"], shape["each"]["summary"]) == ("1/2 passed", "2/2 passed")
    assert (shape["each"]["variants"], shape["each[1]"]["group"]) == (["0", "1"], "each")
    assert (run.counts()["success"], run.counts()["failed"], run.status) == (3, 1, "success")


def test_a_group_shows_what_its_dependents_receive_however_it_ended() -> None:
    tasks = (
        task("each", for_each=("a", "b", "c"), continue_on_failure=True),
        task("after", "each"),
        task("none", for_each=("a",), continue_on_failure=True),
    )
    received: dict[str, object] = {}

    def after(params: dict[str, object]) -> dict[str, object]:
        received.update(params)
        return {}

    bodies = {
        "each[0]": lambda _: {"k": 1, "only": True},
        "each[1]": fails(9),
        "each[2]": lambda _: {"k": 3},
        "after": after,
        "none[0]": fails(9),
    }
    shape = {entry["id"]: entry for entry in played(*tasks, bodies=bodies).view.to_json()["tasks"]}
    assert shape["each"]["status"] == "failed"
    assert shape["each"]["outputs"] == {"k": {"0": 1, "2": 3}, "only": {"0": True}}
    assert {f"each__{name}": value for name, value in shape["each"]["outputs"].items()} == received
    assert shape["none"]["outputs"] == {}


def test_large_outputs_of_a_variant_are_named_by_their_file_in_its_group() -> None:
    tasks = (task("each", for_each=("a", "b")),)
    events = played(*tasks, bodies={"each[0]": lambda _: {"k": 1}}).events()
    large = Blob("each.1.json", 70_000, "ab")
    changed = [
        replace(event, outputs=None, outputs_file=large)
        if isinstance(event, TaskOk) and event.task_id == "each[1]"
        else event
        for event in events
    ]
    group = view(RunRecord("r", Dag(name="d", tasks=tasks), changed, live=False), 110.0).to_json()["tasks"][
        -1
    ]
    assert group["outputs"] == {"k": {"0": 1}}
    assert group["outputs_files"] == {"1": {"file": "outputs/each.1.json", "size": 70_000, "sha256": "ab"}}


def test_a_group_runs_while_its_variants_do() -> None:
    tasks = (task("test", matrix=Matrix(axes={"os": ("ubuntu", "alpine")})),)
    record = RunRecord("r", Dag(name="d", tasks=tasks), (START,), live=True)
    assert view(record, 110.0).tasks[-1].status == "pending"
    begun = TaskStart(timestamp=101.0, task_id="test[os=alpine]", attempt=1, kind="shell")
    group = view(replace(record, events=(START, begun)), 110.0).tasks[-1]
    assert (group.status, group.started_at, group.duration) == ("running", 101.0, 9.0)
