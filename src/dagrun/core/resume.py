"""Resume and rerun: which results of a run are kept, and what runs (again)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from dagrun.core.events import DagResume, Event, TaskExpand, TaskOk, TaskSkip, file_of
from dagrun.core.graph import Node
from dagrun.core.model import Dag
from dagrun.core.outcomes import FINAL, STOPS, Reason, RunStatus, Status
from dagrun.core.record import RunRecord, replay
from dagrun.core.selection import Selection, chosen, part
from dagrun.core.state import RunState
from dagrun.core.variants import base_id
from dagrun.core.work import Blob
from dagrun.errors import DamagedError
from dagrun.value import Value, replace


class Remainder(Value):
    """The tasks that a resume keeps, those that it runs, and those that still wait, in file order."""

    reused: Sequence[str]
    rerun: Sequence[str]
    waiting: Sequence[str] = ()


def remainder(state: RunState) -> Remainder:
    """Tasks that succeeded are kept, tasks that wait still do (except for child runs), all others run (again).

    A group that succeeded is kept with its skipped variants. A paused run keeps everything that has ended.
    """
    waiting = {
        i
        for i, task in enumerate(state.tasks)
        if task.status is Status.WAITING and not state.nodes[i].task.action.has_own_run
    }
    if state.status is RunStatus.WAITING:
        kept = {i for i, task in enumerate(state.tasks) if task.status in FINAL}
    else:
        kept = _good_results(state)
        waiting = {i for i in waiting if _still_waits(state, i, kept)}
    ids = [(i, state.nodes[i].task.id) for i in state.in_file_order()]
    return Remainder(
        [task_id for i, task_id in ids if i in kept],
        [task_id for i, task_id in ids if i not in kept and i not in waiting],
        [task_id for i, task_id in ids if i in waiting],
    )


def _still_waits(state: RunState, i: int, kept: set[int]) -> bool:
    """Whether a task may go on waiting: nothing above it runs again, except that tasks are skipped again."""
    above = list(state.nodes[i].needs)
    seen = set(above)
    for each in above:  # grows while it is read
        task = state.tasks[each]
        skipped = task.status is Status.SKIPPED and task.reason not in (*STOPS, Reason.EXIT_CODE)
        if each not in kept and not skipped:
            return False
        new = [need for need in state.nodes[each].needs if need not in seen]
        seen.update(new)
        above += new
    return True


def _good_results(state: RunState) -> set[int]:
    """The nodes with a result to keep. Of a group that succeeded these include the variants that were skipped."""
    good = [task.status is Status.SUCCESS for task in state.tasks]
    well = {node.index for node in state.nodes if good[node.index] and node.members is None}
    for node in state.nodes:  # a changed document may have added variants since
        members = node.members
        if members is not None and good[node.index] and all(state.tasks[i].status in FINAL for i in members):
            well.update((*members, node.index))
    return well


def needed_files(state: RunState) -> Iterator[tuple[str, Blob]]:
    """The files that a resume will read, each with its task: outputs above the tasks that run, and lists whose items run."""
    kept = _good_results(state)
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
    """A context in which results of a task are read. Raises DamagedError that says how to continue without them."""
    try:
        yield
    except DamagedError as error:
        raise DamagedError(
            f"the results of task '{task_id}' cannot be used: {error.message}",
            hint=f"`dagrun rerun {run_id} --from {task_id}` computes them again, in a new run",
        ) from error


def resumption(state: RunState, dag_hash: str, max_parallel: int, now: float) -> DagResume:
    """The event that begins a new stretch."""
    left = remainder(state)
    return DagResume(
        timestamp=now, reused=left.reused, rerun=left.rerun, waiting=left.waiting or None, dag_hash=dag_hash,
        max_parallel=max_parallel,
    )  # fmt: skip


class Reuse(Value):
    """The part of a DAG that a rerun runs, and the events that it copies from the earlier run."""

    dag: Dag
    results: Sequence[TaskOk | TaskSkip | TaskExpand]

    @property
    def files(self) -> Iterator[tuple[str, Blob]]:
        """The files that the events name, each with its task."""
        return ((event.task_id, blob) for event in self.results if (blob := file_of(event)) is not None)

    @property
    def task_ids(self) -> Iterator[str]:
        """The tasks and variants that succeeded."""
        return (event.task_id for event in self.results if isinstance(event, TaskOk))

    def events(self, run_id: str, now: float) -> Iterable[Event]:
        """The events of the new run for the results that it reuses."""
        for event in self.results:
            if isinstance(event, TaskOk):
                attempt = None if event.summary else 0
                yield replace(event, timestamp=now, attempt=attempt, duration_seconds=0.0, reused_from=run_id)
            else:
                yield replace(event, timestamp=now)


def reuse(record: RunRecord, dag: Dag, again: Selection) -> Reuse:
    """A rerun of what `again` selects. Other results are reused; what the selection needs and has no good result runs too.

    Of a group, those variants run that are selected or have no good result; but all variants of a for_each whose list is
    evaluated again because a task above it runs. Raises NotFoundError, UsageError.
    """
    state = replay(record, dag)
    items = {
        node.task.id: [state.nodes[i].task.id for i in node.members or ()]
        for node in state.nodes
        if node.each
    }
    good = _good_results(state)
    runs = _run_again(state, [state.index[name] for name in chosen(dag, again, items)], good)
    kept = good - runs - _left_alone(state, runs, good)
    kept -= {node.index for node in state.nodes if not kept.issuperset(node.members or ())}
    names = _names(state, runs | kept)
    running = {base_id(state.nodes[i].task.id) for i in runs}
    return Reuse(part(dag, names, running), list(_results(state, record.events, runs, kept)))


def _names(state: RunState, nodes: set[int]) -> set[str]:
    """The names that select these nodes: tasks, and the variants of groups of which only a part is selected."""
    names = {base_id(state.nodes[i].task.id) for i in nodes}
    for node in state.nodes:
        if not nodes.issuperset(node.members or ()):
            names.update(state.nodes[i].task.id for i in node.members or () if i in nodes)
    return names


def _run_again(state: RunState, again: Sequence[int], good: set[int]) -> set[int]:
    """The nodes `again`, and those that they need and that have no good result."""
    runs: set[int] = set()
    pile = list(again)
    while pile:
        i = pile.pop()
        if i not in runs:
            runs.add(i)
            pile += [need for need in state.nodes[i].needs if need not in good]
        if not pile:
            pile = [i for node in state.nodes if node.each for i in _list_evaluated_again(state, node, runs)]
    return runs


def _left_alone(state: RunState, runs: set[int], good: set[int]) -> set[int]:
    """The variants of groups that did not succeed and that are not part of the rerun: it must not show such a group as complete."""
    needed = {need for i in runs for need in state.nodes[i].needs}
    return {
        i
        for node in state.nodes
        if node.members is not None
        and node.index not in good
        and runs.isdisjoint((node.index, *node.members))
        for i in node.members
        if i not in needed
    }


def _list_evaluated_again(state: RunState, node: Node, runs: set[int]) -> Iterable[int]:
    """The variants of a for_each that must run because others of it do and its list is evaluated again."""
    group = (node.index, *(node.members or ()))
    if runs.isdisjoint(group) or runs.isdisjoint(state.index[need.task] for need in node.task.needs):
        return ()
    return (i for i in group if i not in runs)


def _results(
    state: RunState, events: Iterable[Event], runs: set[int], kept: set[int]
) -> Iterator[TaskOk | TaskSkip | TaskExpand]:
    """The events that ended the tasks `kept`, in file order; first the list of a for_each, unless all of it runs."""
    lists: dict[str, TaskExpand] = {}
    ends: dict[str, TaskOk | TaskSkip] = {}
    for event in events:
        if isinstance(event, TaskExpand):
            lists.setdefault(event.task_id, event)
        elif isinstance(event, TaskOk | TaskSkip):
            ends[event.task_id] = event
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
