"""Runs that go on after something happened to them: cancel from outside, resume, rerun. Pure questions, answered for `service`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dagrun.errors import RefusedError
from dagrun.events import DagResume, Event, TaskOk
from dagrun.graph import Graph
from dagrun.model import Dag
from dagrun.outcomes import Status
from dagrun.runs.base import RunRecord
from dagrun.selection import part
from dagrun.state import RunState
from dagrun.views.status import fold as fold_in


def fold(record: RunRecord, dag: Dag | None = None) -> RunState:
    """The state of a recorded run. With `dag` that of a run of it in which the same tasks have already ended well."""
    state = RunState(Graph.compile(dag or record.dag))
    fold_in(state, record.events)
    return state


@dataclass(frozen=True, slots=True)
class Remainder:
    """What a resume keeps and what it runs, in the file's order."""

    reused: Sequence[str]
    rerun: Sequence[str]


def remainder(state: RunState) -> Remainder:
    """What ended well is kept, all else runs (again)."""
    ids = [node.task.id for node in state.graph.nodes]
    well = [task.status is Status.SUCCESS for task in state.tasks]
    return Remainder(
        [task_id for task_id, kept in zip(ids, well, strict=True) if kept],
        [task_id for task_id, kept in zip(ids, well, strict=True) if not kept],
    )


def resumption(state: RunState, dag_hash: str, max_parallel: int, now: float) -> DagResume:
    """The fact that begins a new stretch."""
    left = remainder(state)
    return DagResume(
        timestamp=now, reused=left.reused, rerun=left.rerun, dag_hash=dag_hash, max_parallel=max_parallel
    )


@dataclass(frozen=True, slots=True)
class Reuse:
    """The part of a DAG that a rerun runs, and the results that it takes over from the earlier run."""

    dag: Dag
    results: Sequence[TaskOk]

    def facts(self, run_id: str, now: float) -> Iterable[Event]:
        """What the new run's journal says about results that were taken over."""
        for result in self.results:
            yield TaskOk(
                timestamp=now, task_id=result.task_id, attempt=0, duration_seconds=0.0, changed=result.changed,
                outputs=result.outputs, outputs_file=result.outputs_file, reused_from=run_id,
            )  # fmt: skip


def reuse(record: RunRecord, dag: Dag, again: frozenset[str]) -> Reuse:
    """A rerun of the tasks `again`, taking over what others have ended with; what is above them and has no result runs too.

    Raises RefusedError when nothing is to run.
    """
    results = {event.task_id: event for event in record.events if isinstance(event, TaskOk)}
    above = {task.id: [need.task for need in task.needs] for task in dag.tasks}
    runs: set[str] = set()
    pile = list(again)
    while pile:
        task_id = pile.pop()
        if task_id in runs:
            continue
        runs.add(task_id)
        pile.extend(need for need in above[task_id] if need not in results)
    kept = [results[task.id] for task in dag.tasks if task.id in results and task.id not in runs]
    if not runs:
        raise RefusedError(f"nothing of run '{record.run_id}' is left to run again")
    names = runs | {result.task_id for result in kept}
    return Reuse(part(dag, names), kept)
