"""Runs that go on after something happened to them: cancel from outside, resume, rerun. Pure questions, answered for `service`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace

from dagrun.errors import RefusedError
from dagrun.events import DagResume, Event, TaskExpand, TaskOk, TaskSkip
from dagrun.graph import Graph
from dagrun.model import Dag
from dagrun.outcomes import FINAL, Status
from dagrun.runs.base import RunRecord
from dagrun.selection import part
from dagrun.state import RunState
from dagrun.variants import base_id
from dagrun.views.status import fold as fold_in
from dagrun.work import Blob


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
    """What ended well is kept, all else runs (again). A group that ended well is kept whole, with what it skipped."""
    ids = [(i, state.nodes[i].task.id) for i in state.places()]
    kept = {i for i, _ in ids if _ended_well(state, i)}
    return Remainder(
        [task_id for i, task_id in ids if i in kept], [task_id for i, task_id in ids if i not in kept]
    )


def _ended_well(state: RunState, i: int) -> bool:
    node, good = state.nodes[i], state.tasks[i].status is Status.SUCCESS
    if node.members is not None:  # a variant may have come with a changed document since
        return good and all(state.tasks[member].status in FINAL for member in node.members)
    return good or (node.variant is not None and _ended_well(state, node.variant.group))


def resumption(state: RunState, dag_hash: str, max_parallel: int, now: float) -> DagResume:
    """The fact that begins a new stretch."""
    left = remainder(state)
    return DagResume(
        timestamp=now, reused=left.reused, rerun=left.rerun, dag_hash=dag_hash, max_parallel=max_parallel
    )


@dataclass(frozen=True, slots=True)
class Reuse:
    """The part of a DAG that a rerun runs, and the facts that it takes over from the earlier run."""

    dag: Dag
    results: Sequence[TaskOk | TaskSkip | TaskExpand]

    @property
    def files(self) -> Iterator[Blob]:
        """The files that the facts name."""
        for fact in self.results:
            blob = fact.outputs_file if isinstance(fact, TaskOk) else getattr(fact, "items_file", None)
            if blob is not None:
                yield blob

    @property
    def task_ids(self) -> Iterator[str]:
        """The tasks, and variants, that have ended well."""
        return (fact.task_id for fact in self.results if isinstance(fact, TaskOk))

    def facts(self, run_id: str, now: float) -> Iterable[Event]:
        """What the new run's journal says about results that were taken over."""
        for fact in self.results:
            if isinstance(fact, TaskOk):
                attempt = None if fact.summary else 0
                yield replace(fact, timestamp=now, attempt=attempt, duration_seconds=0.0, reused_from=run_id)
            else:
                yield replace(fact, timestamp=now)


def reuse(record: RunRecord, dag: Dag, again: frozenset[str]) -> Reuse:
    """A rerun of the tasks `again`, taking over what others have ended with; what is above them and has no result runs too.

    A group is taken over whole, with its list and what became of each variant. Raises RefusedError when nothing is to run.
    """
    state = fold(record, dag)
    well = {state.nodes[i].task.id for i in state.places() if _ended_well(state, i)}
    above = {task.id: [base_id(need.task) for need in task.needs] for task in dag.tasks}
    runs: set[str] = set()
    pile = list(again)
    while pile:
        task_id = pile.pop()
        if task_id in runs:
            continue
        runs.add(task_id)
        pile.extend(need for need in above[task_id] if need not in well)
    if not runs:
        raise RefusedError(f"nothing of run '{record.run_id}' is left to run again")
    kept = {task.id for task in dag.tasks if task.id in well and task.id not in runs}
    return Reuse(part(dag, runs | kept), list(_results(state, record.events, kept)))


def _results(
    state: RunState, facts: Iterable[Event], kept: Set[str]
) -> Iterator[TaskOk | TaskSkip | TaskExpand]:
    """How the tasks `kept` came to their ends, in the file's order."""
    lists: dict[str, TaskExpand] = {}
    ends: dict[str, TaskOk | TaskSkip] = {}
    for fact in facts:
        if isinstance(fact, TaskExpand):
            lists.setdefault(fact.task_id, fact)
        elif isinstance(fact, TaskOk | TaskSkip):
            ends[fact.task_id] = fact
    for task in state.graph.dag.tasks:
        if task.id in kept:
            group = state.nodes[state.index[task.id]]
            if task.for_each is not None:
                yield lists[task.id]
            for name in (*(state.nodes[i].task.id for i in group.members or ()), task.id):
                if name in ends:
                    yield ends[name]
