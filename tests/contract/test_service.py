"""The service as it is wired: real processes and files, many runs in one process."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dagrun import settings
from dagrun.app import wiring
from dagrun.app.run_inputs import GivenParams
from dagrun.app.service import Service
from dagrun.app.stretch import Cancellation, RunObserver, RunResult
from dagrun.core.events import Event
from dagrun.core.outcomes import RunStatus
from dagrun.core.record import replay
from dagrun.core.selection import Selection
from dagrun.core.state import RunState
from dagrun.errors import RefusedError
from dagrun.runtime.run_request import RunRequest

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
    prepared = service.documents.prepare(RunRequest(dag=path, params=[f"n={n}"]))
    ended = asyncio.run(service.run(prepared))
    return ended.status, ended.state.outputs.get("n")


def test_any_number_of_runs_go_one_after_the_other(service: Service) -> None:
    assert [run(service, n) for n in range(3)] == [(RunStatus.SUCCESS, str(2 * n + 1)) for n in range(3)]


def test_one_that_failed_can_be_resumed_and_rerun_by_the_process_that_ran_it(service: Service) -> None:
    assert run(service, 3)[0] is RunStatus.FAILED
    (failed,) = service.runs.ids()
    resumed = asyncio.run(service.resume(failed))
    assert resumed is not None
    assert resumed.status is RunStatus.FAILED
    assert asyncio.run(service.rerun(failed, Selection())).status is RunStatus.FAILED
    assert run(service, 1) == (RunStatus.SUCCESS, "3")


def test_runs_leave_no_descriptor_open(service: Service) -> None:
    def descriptors() -> int:
        return len([*Path("/dev/fd").iterdir()])

    run(service, 0)
    before = descriptors()
    for n in range(3):
        run(service, n)
    assert descriptors() <= before


def test_runs_on_two_threads_four_at_a_time_do_not_disturb_each_other(service: Service) -> None:
    path = str(service.settings.root / "dag.yaml")
    before = children()  # of other tests in this process

    async def ten_runs(first: int) -> list[RunResult]:
        free = asyncio.Semaphore(2)

        async def one(n: int) -> RunResult:
            prepared = service.documents.prepare(RunRequest(dag=path, params=[f"n={n}"]))
            async with free:
                return await service.run(prepared)

        return await asyncio.gather(*(one(n) for n in range(first, first + 10)))

    with ThreadPoolExecutor(2) as threads:
        results = [*threads.map(lambda first: asyncio.run(ten_runs(first)), (10, 20))]
    ended = [result for half in results for result in half]
    assert [result.status for result in ended] == [RunStatus.SUCCESS] * 20
    assert [result.state.outputs["n"] for result in ended] == [str(2 * n + 1) for n in range(10, 30)]
    for result in ended:
        record = service.runs.read(result.run_id)
        assert (record.corrupt, record.live, replay(record).status) == (0, False, RunStatus.SUCCESS)
        assert [event.name for event in record.events].count("task_ok") == 2
    assert threading.active_count() == 1
    assert children() <= before + 1  # the keeper in reserve


def test_a_run_is_cancelled_through_its_control_while_others_continue(service: Service) -> None:
    (service.settings.root / "long.yaml").write_text("name: long\ntasks: [{id: a, run: sleep 300}]\n")
    path = str(service.settings.root / "long.yaml")

    class WhenStarted(RunObserver):
        def __init__(self, cancellation: Cancellation) -> None:
            self.cancellation = cancellation

        def event(self, event: Event, state: RunState) -> None:
            if event.name == "task_start":
                asyncio.get_running_loop().call_soon(self.cancellation.cancel, "me", "enough")

    async def both() -> tuple[RunResult, RunResult]:
        cancellation = Cancellation()
        long = service.documents.prepare(RunRequest(dag=path))
        short = service.documents.prepare(RunRequest(dag=str(service.settings.root / "dag.yaml")))
        return await asyncio.gather(
            service.run(long, observer=WhenStarted(cancellation), cancellation=cancellation),
            service.run(short),
        )

    cancelled, other = asyncio.run(both())
    assert (cancelled.status, other.status) == (RunStatus.CANCELLED, RunStatus.SUCCESS)


def test_a_cancelled_coroutine_leaves_an_interrupted_run_that_can_be_resumed(service: Service) -> None:
    path = service.settings.root / "long.yaml"
    path.write_text("name: long\ntasks: [{id: a, run: 'sleep ${{ params.n }}'}]\nparams: {n: 300}\n")

    async def main() -> None:
        started = asyncio.Event()

        class Started(RunObserver):
            def event(self, event: Event, state: RunState) -> None:
                if event.name == "task_start":
                    started.set()

        prepared = service.documents.prepare(RunRequest(dag=str(path)))
        running = asyncio.create_task(service.run(prepared, "r", Started()))
        await started.wait()
        running.cancel()
        await asyncio.wait([running])

    asyncio.run(main())
    assert service.status("r").status == "interrupted"
    resumed = asyncio.run(service.resume("r", given=GivenParams(params=["n=0"])))
    assert resumed is not None
    assert resumed.status is RunStatus.SUCCESS


def test_a_launched_run_is_a_process_of_its_own_and_its_secrets_are_not_arguments(service: Service) -> None:
    path = service.settings.root / "dag.yaml"
    run_id = service.launch(RunRequest(dag=str(path), params=["n=7"]))
    watch = service.watch(run_id)
    while watch.live:
        watch.poll()
    assert watch.view().outputs == {"n": "15"}
    watch.close()


def test_a_launch_of_an_id_that_is_taken_is_refused(service: Service) -> None:
    run(service, 1)
    (taken,) = service.runs.ids()
    with pytest.raises(RefusedError, match="is taken"):
        service.launch(RunRequest(dag=str(service.settings.root / "dag.yaml")), taken)


def children() -> int:
    """How many child processes this process has, dead ones included."""
    found = subprocess.run(
        ["ps", "-o", "stat=", "--ppid", str(os.getpid())], capture_output=True, text=True, check=False
    )
    return len(found.stdout.split()) - 1  # `ps` itself
