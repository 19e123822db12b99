"""One stretch of a run: how it is created, driven and released."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dagrun.app.queued_runs import QueuedRuns
from dagrun.app.stretch import RunObserver, Stretches, recorded_dag_of
from dagrun.clock import FakeClock
from dagrun.core.graph import Graph
from dagrun.core.outcomes import RunStatus
from dagrun.errors import RecordError
from dagrun.executors.inline import InlineExecutor
from dagrun.runtime.prepared_run import PreparedRun
from dagrun.settings import Settings
from dagrun.storage.memory import MemoryRuns
from dagrun.testing import dag
from tests.unit.lives import REGISTRY

DAG = dag("name: d\nparams: {n: 1, t: x}\ntasks: [{id: a, workflow_ref: w}]\n")
RUN = PreparedRun(Graph.compile(DAG), "d.yaml", {"n": 2, "t": "a s3cr3t"}, REGISTRY, {"T": "s3cr3t"})


@pytest.fixture
def runs() -> MemoryRuns:
    return MemoryRuns()


@pytest.fixture
def stretches(runs: MemoryRuns) -> Stretches:
    nowhere = Path("/nowhere")
    return Stretches(Settings(root=nowhere), runs, FakeClock(), InlineExecutor, QueuedRuns(runs, nowhere))


def test_the_recorded_dag_has_the_values_of_the_run_as_defaults() -> None:
    recorded = recorded_dag_of(RUN)
    assert {param.name: param.default for param in recorded.params} == {"n": 2, "t": "a ***"}
    assert recorded.masked_params == ("t",)


def test_the_first_event_describes_the_run(stretches: Stretches) -> None:
    writer = stretches.create(RUN, "r")
    start = stretches.start_event(RUN, writer, parent="p")
    assert (start.dag_path, start.task_count, start.parent_run_id) == ("d.yaml", 1, "p")
    assert (start.params, start.masked_params) == ({"n": 2, "t": "a ***"}, ("t",))


def test_an_observer_sees_the_id_and_every_event(stretches: Stretches, runs: MemoryRuns) -> None:
    seen: list[str] = []

    class Observer(RunObserver):
        def begin(self, run_id: str, _runs: object) -> None:
            seen.append(run_id)

        def event(self, event: object, state: object) -> None:
            seen.append(event.name)  # type: ignore[attr-defined]

    writer = stretches.create(RUN, "r")
    first = stretches.start_event(RUN, writer)
    result = asyncio.run(stretches.drive(RUN, writer, lambda: [first], Observer()))
    assert seen == ["r", "dag_start", "task_start", "task_ok", "dag_done"]
    assert (result.run_id, result.status, result.view.status) == ("r", RunStatus.SUCCESS, "success")
    assert not runs.is_live("r")


def test_the_run_is_released_whatever_happens(stretches: Stretches, runs: MemoryRuns) -> None:
    class Broken(RunObserver):
        def event(self, event: object, state: object) -> None:
            raise RecordError("no room")

    writer = stretches.create(RUN, "r")
    with pytest.raises(RecordError):
        asyncio.run(stretches.drive(RUN, writer, lambda: [stretches.start_event(RUN, writer)], Broken()))
    assert not runs.is_live("r")
