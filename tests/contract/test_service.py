"""The service as it is wired: real processes and files, many runs in one process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dagrun import settings
from dagrun.app import wiring
from dagrun.app.documents import RunRequest
from dagrun.app.service import Service
from dagrun.core.outcomes import RunStatus
from dagrun.core.selection import Selection

FLOWS = """
from dagrun import workflow

@workflow("double")
def double(n: int): return {"n": 2 * n}
"""

DAG = """
name: sums
params: {n: 1}
tasks:
  - id: one
    workflow_ref: double
    params: {n: "${{ params.n }}"}
  - id: two
    depends_on: [one]
    run: echo "n=$(($DAGRUN_PARAM_ONE__N + 1))" >> "$DAGRUN_OUTPUT"
  - id: odd
    if: params.n == 3
    run: exit 1
outputs: {n: "${{ tasks.two.outputs.n }}"}
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service over a project with one DAG."""
    (tmp_path / "flows.py").write_text(FLOWS)
    (tmp_path / "dag.yaml").write_text(DAG)
    (tmp_path / "dagrun.toml").write_text('workflows = ["flows.py"]\n')
    with wiring.service(settings.load(start=tmp_path), runs=True) as service:
        yield service


def run(service: Service, n: int) -> tuple[RunStatus, object]:
    """How a run with this parameter ends."""
    path = str(service.settings.root / "dag.yaml")
    ended = service.run(service.documents.prepare(RunRequest(dag=path, params=[f"n={n}"])))
    return ended.status, ended.state.outputs.get("n")


def test_any_number_of_runs_go_one_after_the_other(service: Service) -> None:
    assert [run(service, n) for n in range(3)] == [(RunStatus.SUCCESS, str(2 * n + 1)) for n in range(3)]


def test_one_that_failed_can_be_resumed_and_rerun_by_the_process_that_ran_it(service: Service) -> None:
    assert run(service, 3)[0] is RunStatus.FAILED
    (failed,) = service.runs.ids()
    resumed = service.resume(failed)
    assert resumed is not None
    assert resumed.status is RunStatus.FAILED
    assert service.rerun(failed, Selection()).status is RunStatus.FAILED
    assert run(service, 1) == (RunStatus.SUCCESS, "3")


def test_runs_leave_no_descriptor_open(service: Service) -> None:
    def descriptors() -> int:
        return len([*Path("/dev/fd").iterdir()])

    run(service, 0)
    before = descriptors()
    for n in range(3):
        run(service, n)
    assert descriptors() <= before
