"""Runs prepared from records: which DAG, and which parameter values."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagrun.app.documents import Documents
from dagrun.app.repeating import Repeating
from dagrun.app.run_inputs import GivenParams
from dagrun.core.events import DagStart
from dagrun.core.model import Dag
from dagrun.core.record import RunRecord
from dagrun.errors import NotFoundError, RefusedError
from dagrun.registry import Registry
from dagrun.scheduling.open_runs import OpenRun
from dagrun.settings import Settings
from dagrun.testing import dag
from dagrun.value import replace

TEXT = "name: d\nparams: {n: 1, t: x}\ntasks: [{id: a, run: x}, {id: b, run: y}]\n"
START = DagStart(
    timestamp=5.0, task_count=2, dag_path="d.yaml", dag_hash="ff", params={"n": 2, "t": "y"},
    schedule_id="s", scheduled_at="2026-01-01T00:00:00.000Z", trigger="schedule",
)  # fmt: skip


@pytest.fixture
def repeating(tmp_path: Path) -> Repeating:
    (tmp_path / "d.yaml").write_text(TEXT)
    return Repeating(Documents(Settings(root=tmp_path), Registry))


def record(start: DagStart | None = START, recorded: Dag | None = None) -> RunRecord:
    return RunRecord("r", recorded or dag(TEXT), [start] if start else [], live=False, corrupt=0)


def test_the_recorded_dag_is_resumed_with_a_notice_when_the_document_has_changed(
    repeating: Repeating, tmp_path: Path
) -> None:
    notices: list[str] = []
    repeating.dag_to_resume(record(), use_current=False, notice=notices.append)
    assert notices == []
    (tmp_path / "d.yaml").write_text(TEXT.replace("run: y", "run: z"))
    resumed = repeating.dag_to_resume(record(), use_current=False, notice=notices.append)
    assert resumed == record().dag
    assert [notice.split(";")[0] for notice in notices] == ["d.yaml has changed since"]


def test_the_current_dag_keeps_the_tenant_of_the_run(repeating: Repeating, tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text(TEXT.replace("run: y", "run: z"))
    recorded = record(recorded=replace(dag(TEXT), tenant="acme"))
    current = repeating.dag_to_resume(recorded, use_current=True, notice=print)
    assert (current.tenant, current.tasks[1] == recorded.dag.tasks[1]) == ("acme", False)


def test_without_its_document_the_current_dag_is_an_error(repeating: Repeating, tmp_path: Path) -> None:
    (tmp_path / "d.yaml").unlink()
    with pytest.raises(NotFoundError, match="document"):
        repeating.dag_to_resume(record(), use_current=True, notice=print)


def test_a_resumed_run_keeps_its_values_and_its_fire(repeating: Repeating) -> None:
    run = repeating.resumed(record(), record().dag, START, None)
    assert run.params == {"n": 2, "t": "y"}
    assert (run.trigger, run.schedule_id, run.scheduled_at) == ("schedule", "s", START.scheduled_at)


def test_new_values_override_recorded_ones(repeating: Repeating) -> None:
    run = repeating.resumed(record(), record().dag, START, GivenParams(params=["n=3"]))
    assert run.params == {"n": 3, "t": "y"}


def test_a_rerun_is_a_run_of_its_own_with_the_same_values(repeating: Repeating) -> None:
    earlier = record()
    run = repeating.rerun(earlier, earlier.dag, START, None)
    assert (run.trigger, run.params, run.partial) == ("rerun", {"n": 2, "t": "y"}, False)


def test_a_value_that_was_not_recorded_must_be_given_again(repeating: Repeating) -> None:
    masked = replace(START, params={"n": 2, "t": "***"}, masked_params=["t"])
    with pytest.raises(RefusedError, match="the value of parameter 't' held a secret") as error:
        repeating.rerun(record(masked), record().dag, masked, None)
    assert error.value.hint == "give it again: -p t=VALUE"
    again = repeating.rerun(record(masked), record().dag, masked, GivenParams(params=["t=new"]))
    kept = repeating.rerun(record(masked), record().dag, masked, GivenParams(kept={"t": "old"}))
    assert (again.params["t"], kept.params["t"]) == ("new", "old")


def test_a_parameter_that_the_current_document_added_has_its_default(repeating: Repeating) -> None:
    current = dag(TEXT.replace("t: x", 't: x, at: "${{ run.id }}"'))
    run = repeating.resumed(record(), current, START, None)
    assert run.params == {"n": 2, "t": "y", "at": "r"}


@pytest.mark.parametrize(("path", "tasks"), [("d.yaml", 2), ("gone.yaml", 0)])
def test_a_queued_run_is_recorded_even_without_its_document(
    repeating: Repeating, path: str, tasks: int
) -> None:
    fired = OpenRun(
        schedule_id="s", minute="2026-01-01 00:00", run_id="q", dag=path, tenant="acme", params={"n": 9}
    )
    run = repeating.queued(fired)
    assert (len(run.graph.dag.tasks), run.graph.dag.tenant, run.params["n"]) == (tasks, "acme", 9)
