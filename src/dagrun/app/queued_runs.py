"""Runs in flight for schedulers: queued runs, which have not begun, and runs of schedules that are driven here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dagrun.core.model import Dag
from dagrun.core.outcomes import RunStatus
from dagrun.storage.run_store import RunStore
from dagrun.views.status import RunView

if TYPE_CHECKING:
    from dagrun.runtime.prepared_run import PreparedRun
    from dagrun.scheduling.open_runs import OpenRun


class QueuedRuns:
    """The records that schedulers keep of their runs; `directory` is that of the claims of schedules.

    Costs as much as there are runs in flight, whatever the history.
    """

    def __init__(self, runs: RunStore, directory: Path) -> None:
        self._runs = runs
        self._directory = directory / ".open"

    def all(self) -> Sequence[OpenRun]:
        """The queued runs, newest first."""
        try:
            names = os.listdir(self._directory)  # noqa: PTH208 - only names are needed
        except OSError:
            return []
        ids = sorted((name.removesuffix(".json") for name in names if name.endswith(".json")), reverse=True)
        return [run for run_id in ids if (run := self.get(run_id)) is not None]

    def get(self, run_id: str) -> OpenRun | None:
        """A queued run; None when no schedule has fired it, or when it has begun."""
        path = self._directory / f"{run_id}.json"
        if not path.exists() or self._runs.has(run_id):
            return None
        from dagrun.scheduling.open_runs import OpenRun

        return OpenRun.read(path)

    def starting_with(self, prefix: str) -> list[str]:
        """The ids of the queued runs that begin with `prefix`."""
        return [run.run_id for run in self.all() if run.run_id.startswith(prefix)]

    @contextmanager
    def in_flight(
        self, run_id: str, prepared: PreparedRun, has_ended: Callable[[], bool] = lambda: True
    ) -> Iterator[None]:
        """Within the block the run counts for the `overlap` of its schedule, if it has one.

        A run that is interrupted by an exception, or that has not ended, remains in flight: a scheduler continues it.
        """
        if prepared.schedule_id is None or prepared.scheduled_at is None:
            yield
            return
        from dagrun.clock import from_rfc3339
        from dagrun.scheduling.open_runs import OpenRun, OpenRuns
        from dagrun.scheduling.schedule import minute_text

        open_runs = OpenRuns(self._directory)
        if open_runs.get(run_id) is not None:  # a scheduler has recorded it
            yield
            return
        dag = prepared.graph.dag
        run = OpenRun(
            schedule_id=prepared.schedule_id, minute=minute_text(int(from_rfc3339(prepared.scheduled_at) // 60)),
            run_id=run_id, dag=prepared.path, tenant=dag.tenant,
            trigger=prepared.trigger, dag_name=dag.name,
        )  # fmt: skip
        open_runs.put(run)
        yield
        if has_ended():
            open_runs.drop(run_id)


def queued_view(run: OpenRun) -> RunView:
    """A queued run as people see it."""
    after = f", after {', '.join(run.after)}" if run.after else ""
    return RunView(
        run_id=run.run_id, dag=Dag(name=dag_name(run), tasks=()), tenant=run.tenant or "",
        status=str(RunStatus.PENDING), reason=f"queued by schedule '{run.schedule_id}', {run.minute} UTC{after}",
        params=dict(run.params), outputs={}, started_at=None, finished_at=None, duration=None, tasks=(),
    )  # fmt: skip


def dag_name(run: OpenRun) -> str:
    """The name of the DAG of a queued run, as far as it is recorded."""
    return run.dag_name or Path(run.dag).stem
