"""Runs in flight for schedulers: which are queued, and which one is recorded while it is driven."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagrun.app.queued_runs import QueuedRuns, queued_view
from dagrun.core.graph import Graph
from dagrun.registry import Registry
from dagrun.runtime.prepared_run import PreparedRun
from dagrun.scheduling.open_runs import OpenRun, OpenRuns
from dagrun.storage.memory import MemoryRuns
from tests.unit.harness import chain


@pytest.fixture
def open_runs(tmp_path: Path) -> OpenRuns:
    return OpenRuns(tmp_path / ".open")


@pytest.fixture
def runs() -> MemoryRuns:
    return MemoryRuns()


@pytest.fixture
def queue(runs: MemoryRuns, tmp_path: Path) -> QueuedRuns:
    return QueuedRuns(runs, tmp_path)


def fired(run_id: str, **more: object) -> OpenRun:
    return OpenRun(schedule_id="s", minute="2026-01-01 00:00", run_id=run_id, dag="d.yaml", **more)  # type: ignore[arg-type]


def test_a_run_is_queued_until_it_begins(queue: QueuedRuns, open_runs: OpenRuns, runs: MemoryRuns) -> None:
    for run_id in ("a-1", "a-2", "b-1"):
        open_runs.put(fired(run_id))
    runs.create(chain("x"), 0.0, "a-1").close()
    assert [run.run_id for run in queue.all()] == ["b-1", "a-2"]
    assert queue.starting_with("a") == ["a-2"]
    assert queue.get("a-1") is None


def test_without_schedules_nothing_is_queued(queue: QueuedRuns) -> None:
    assert queue.all() == []
    assert queue.get("r") is None


def test_a_queued_run_is_shown_with_what_it_waits_for() -> None:
    view = queued_view(fired("r", after=("q",)))
    assert (view.status, view.dag.name) == ("pending", "d")
    assert view.reason == "queued by schedule 's', 2026-01-01 00:00 UTC, after q"


def resumed(schedule_id: str | None) -> PreparedRun:
    graph = Graph.compile(chain("x"))
    return PreparedRun(
        graph, "d.yaml", {}, Registry(), schedule_id=schedule_id, scheduled_at="2026-01-01T00:00:00.000Z"
    )


def test_a_run_of_a_schedule_is_in_flight_while_it_is_driven(queue: QueuedRuns, open_runs: OpenRuns) -> None:
    with queue.in_flight("r", resumed("s")):
        assert [(run.run_id, run.minute) for run in open_runs.all()] == [("r", "2026-01-01 00:00")]
    assert open_runs.ids() == []


def test_one_that_is_interrupted_stays_in_flight(queue: QueuedRuns, open_runs: OpenRuns) -> None:
    with pytest.raises(KeyboardInterrupt), queue.in_flight("r", resumed("s")):
        raise KeyboardInterrupt
    assert open_runs.ids() == ["r"]


def test_one_that_a_scheduler_has_recorded_stays_its_own(queue: QueuedRuns, open_runs: OpenRuns) -> None:
    open_runs.put(fired("r", by="scheduler"))
    with queue.in_flight("r", resumed("s")):
        pass
    assert open_runs.get("r") == fired("r", by="scheduler")


def test_a_run_without_a_schedule_leaves_no_record(queue: QueuedRuns, open_runs: OpenRuns) -> None:
    with queue.in_flight("r", resumed(None)):
        assert open_runs.ids() == []
