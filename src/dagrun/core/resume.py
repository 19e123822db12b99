"""Runs that go on after something happened to them: cancel from outside, resume, rerun. Pure questions, answered for `service`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from dagrun.core.events import DagResume, Event, TaskExpand, TaskOk, TaskSkip, file_of
from dagrun.core.graph import Node
from dagrun.core.model import Dag
from dagrun.core.outcomes import FINAL, Status
from dagrun.core.record import RunRecord, replay
from dagrun.core.selection import Selection, chosen, part
from dagrun.core.state import RunState
from dagrun.core.variants import base_id
from dagrun.core.work import Blob
from dagrun.errors import DamagedError


@dataclass(frozen=True, slots=True)
class Remainder:
    """What a resume keeps and what it runs, in the file's order."""

    reused: Sequence[str]
    rerun: Sequence[str]


def remainder(state: RunState) -> Remainder:
    """What ended well is kept, all else runs (again). A group that ended well is kept whole, with what it skipped."""
    kept, ids = _ended_well(state), [(i, state.nodes[i].task.id) for i in state.in_file_order()]
    return Remainder(
        [task_id for i, task_id in ids if i in kept], [task_id for i, task_id in ids if i not in kept]
    )


def _ended_well(state: RunState) -> set[int]:
    """The nodes that have a good result. A group has one once all its variants have ended, those that it skipped too."""
    good = [task.status is Status.SUCCESS for task in state.tasks]
    well = {node.index for node in state.nodes if good[node.index] and node.members is None}
    for node in state.nodes:  # a variant may have come with a changed document since
        members = node.members
        if members is not None and good[node.index] and all(state.tasks[i].status in FINAL for i in members):
            well.update((*members, node.index))
    return well


def needed_files(state: RunState) -> Iterator[tuple[str, Blob]]:
    """The files that a resume will read, each with its task: outputs above what runs, and lists whose items run."""
    kept = _ended_well(state)
    pile = [i for i in range(len(state.nodes)) if i not in kept or state.graph.dag.outputs]
    above = set(pile)
    while pile:
        needs = [need for need in state.nodes[pile.pop()].needs if need not in above]
        above.update(needs)
        pile += needs
    for i in sorted(above):
        files = (state.tasks[i].outputs if i in kept else None, None if i in kept else state.items.get(i))
        yield from ((state.nodes[i].task.id, each) for each in files if isinstance(each, Blob))


@contextmanager
def usable(run_id: str, task_id: str) -> Iterator[None]:
    """While a task's results are taken over. Raises DamagedError that says how to go on without them."""
    try:
        yield
    except DamagedError as error:
        raise DamagedError(
            f"the results of task '{task_id}' cannot be used: {error.message}",
            hint=f"`dagrun rerun {run_id} --from {task_id}` makes them anew, in a new run",
        ) from error


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
    def files(self) -> Iterator[tuple[str, Blob]]:
        """The files that the facts name, each with its task."""
        return ((fact.task_id, blob) for fact in self.results if (blob := file_of(fact)) is not None)

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


def reuse(record: RunRecord, dag: Dag, again: Selection) -> Reuse:
    """A rerun of what `again` selects, taking over what all else has ended with; what that needs and has no good result runs too.

    Of a group those variants run that are selected or have no good result; but all of a for_each whose list is made
    anew, because a task runs that stands above it. Raises NotFoundError, UsageError.
    """
    state = replay(record, dag)
    items = {
        node.task.id: [state.nodes[i].task.id for i in node.members or ()]
        for node in state.nodes
        if node.each
    }
    well = _ended_well(state)
    runs = _run_again(state, [state.index[name] for name in chosen(dag, again, items)], well)
    kept = well - runs - _left_alone(state, runs, well)
    kept -= {node.index for node in state.nodes if not kept.issuperset(node.members or ())}
    names = _names(state, runs | kept)
    running = {base_id(state.nodes[i].task.id) for i in runs}
    return Reuse(part(dag, names, running), list(_results(state, record.events, runs, kept)))


def _names(state: RunState, nodes: set[int]) -> set[str]:
    """What a part of a DAG is called that has these nodes: tasks and, of those that are not whole, variants."""
    names = {base_id(state.nodes[i].task.id) for i in nodes}
    for node in state.nodes:
        if not nodes.issuperset(node.members or ()):
            names.update(state.nodes[i].task.id for i in node.members or () if i in nodes)
    return names


def _run_again(state: RunState, again: Sequence[int], well: set[int]) -> set[int]:
    """The nodes `again`, and what they need and has no good result."""
    runs: set[int] = set()
    pile = list(again)
    while pile:
        i = pile.pop()
        if i not in runs:
            runs.add(i)
            pile += [need for need in state.nodes[i].needs if need not in well]
        if not pile:
            pile = [i for node in state.nodes if node.each for i in _made_anew(state, node, runs)]
    return runs


def _left_alone(state: RunState, runs: set[int], well: set[int]) -> set[int]:
    """The variants of groups that have not ended well and that the rerun is not about: it must not show them as whole."""
    needed = {need for i in runs for need in state.nodes[i].needs}
    return {
        i
        for node in state.nodes
        if node.members is not None
        and node.index not in well
        and runs.isdisjoint((node.index, *node.members))
        for i in node.members
        if i not in needed
    }


def _made_anew(state: RunState, node: Node, runs: set[int]) -> Iterable[int]:
    """The variants of a for_each that must run because others of them do, and its list is made anew."""
    group = (node.index, *(node.members or ()))
    if runs.isdisjoint(group) or runs.isdisjoint(state.index[need.task] for need in node.task.needs):
        return ()
    return (i for i in group if i not in runs)


def _results(
    state: RunState, facts: Iterable[Event], runs: set[int], kept: set[int]
) -> Iterator[TaskOk | TaskSkip | TaskExpand]:
    """How the tasks `kept` came to their ends, in the file's order; of a for_each, unless all of it runs, its list first."""
    lists: dict[str, TaskExpand] = {}
    ends: dict[str, TaskOk | TaskSkip] = {}
    for fact in facts:
        if isinstance(fact, TaskExpand):
            lists.setdefault(fact.task_id, fact)
        elif isinstance(fact, TaskOk | TaskSkip):
            ends[fact.task_id] = fact
    for task in state.graph.dag.tasks:
        group = state.index[task.id]
        members = state.nodes[group].members
        mine = (*(members or ()), group)
        is_known = task.for_each is not None and members is not None
        if is_known and not runs.issuperset(members or mine) and not (runs | kept).isdisjoint(mine):
            yield lists[task.id]
        for i in mine:
            if i in kept and (name := state.nodes[i].task.id) in ends:
                yield ends[name]
