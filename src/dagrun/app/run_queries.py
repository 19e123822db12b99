"""Answers about runs, queued, live and ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from dagrun.app.following import LogFollower, Watch
from dagrun.app.queued_runs import QueuedRuns, queued_view
from dagrun.clock import Clock, to_rfc3339
from dagrun.core.events import EVENTS, TaskStart, TaskWait
from dagrun.core.graph import Graph
from dagrun.core.hooks import id_of, is_hook
from dagrun.core.model import Dag
from dagrun.core.outcomes import Status
from dagrun.core.record import RunRecord, fold
from dagrun.core.selection import which
from dagrun.core.state import RunState
from dagrun.core.variants import base_id, is_of
from dagrun.core.work import Json
from dagrun.errors import DamagedError, NotFoundError, RefusedError, UsageError, did_you_mean
from dagrun.runtime.prepared_run import default_parallel
from dagrun.storage.log_position import log_end
from dagrun.storage.run_store import EventTail, RunStore
from dagrun.value import Value, replace
from dagrun.views.status import DAMAGED, DamagedRun, RunView, view
from dagrun.views.waiting import WaitView

if TYPE_CHECKING:
    from dagrun.views.estimate import Estimate
    from dagrun.views.why import Why

MAX_RUNS_READ = 50  # for an estimate, so that its cost does not grow with the history


class OpenApproval(Value):
    """An approval that a run waits for. `root_run_id` and `path` name it from the run above which there is none."""

    run_id: str
    task_id: str
    root_run_id: str
    path: str
    dag_name: str
    tenant: str
    view: WaitView

    def to_json(self) -> dict[str, Json]:
        """The shape of one entry of `approvals`."""
        names = {
            "run_id": self.run_id,
            "task_id": self.task_id,
            "root_run_id": self.root_run_id,
            "path": self.path,
            "dag_name": self.dag_name,
            "tenant": self.tenant,
        }
        return {**names, "waiting_since": to_rfc3339(self.view.wait.timestamp), **self.view.to_json()}


class RunQueries:
    """Answers about runs. A run is named by its id, a unique prefix of it, or `latest`.

    Neither `latest` nor a prefix that another run has too names a child run.
    """

    def __init__(self, runs: RunStore, clock: Clock, queue: QueuedRuns) -> None:
        self.runs = runs
        self.clock = clock
        self.queue = queue

    def record(self, named: str = "latest") -> RunRecord:
        """A run that has begun. Raises NotFoundError, and RefusedError for an ambiguous prefix or a queued run."""
        return self.runs.read(self.run_id(named))

    def run_id(self, named: str) -> str:
        """The id of a run that has begun. Raises NotFoundError, and RefusedError for an ambiguous prefix or a queued run."""
        try:
            return self._begun(named)
        except NotFoundError:
            queued = self.queue.starting_with(named) if named else []
            if not queued:
                raise
            hint = f"`dagrun status {queued[0]}` shows what it waits for"
            raise RefusedError(f"run '{queued[0]}' is queued: it has not begun", hint=hint) from None

    def _begun(self, named: str) -> str:
        if named == "latest":
            newest = next(self.runs.ids(children=False), None)
            if newest is None:
                raise NotFoundError("run", named, hint="there are no runs yet")
            return newest
        if self.runs.has(named):
            return named
        matches = [run_id for run_id in self.runs.ids(children=False) if named and run_id.startswith(named)]
        if not matches:
            matches = [run_id for run_id in self.runs.ids() if named and run_id.startswith(named)]
        if len(matches) > 1:
            raise _ambiguous(named, matches)
        if not matches:
            raise NotFoundError("run", named, hint="`dagrun runs` lists them")
        return matches[0]

    def any_run_id(self, named: str) -> str:
        """The id of a run, queued or begun. Raises NotFoundError, and RefusedError for an ambiguous prefix."""
        queued = [] if named in ("", "latest") else self.queue.starting_with(named)
        if named in queued or not queued:
            return named if queued else self._begun(named)
        try:
            begun = self._begun(named)
        except NotFoundError:
            matches = queued
        else:
            matches = [begun] if begun == named else [*queued, begun]
        if len(matches) > 1:
            raise _ambiguous(named, matches)
        return matches[0]

    def graph_of(self, named: str = "latest") -> Graph:
        """The graph of a run."""
        return Graph.compile(self.runs.dag(self.run_id(named)))

    def status(self, named: str = "latest") -> RunView:
        """One run as people see it; a queued one too."""
        run_id = self.any_run_id(named)
        queued = self.queue.get(run_id)
        return view(self.runs.read(run_id), self.clock.now()) if queued is None else queued_view(queued)

    def status_below(self, view: RunView, most: int) -> dict[str, RunView]:
        """The child runs of a run and of these, by id: at most `most` of them, first those that have not succeeded."""
        found: dict[str, RunView] = {}
        level = [view]
        while level and len(found) < most:
            tasks = [task for each in level for task in each.tasks if task.child_run_id is not None]
            tasks.sort(key=lambda task: task.status == Status.SUCCESS)
            level = []
            for task in tasks:
                if len(found) < most and task.child_run_id is not None and task.child_run_id not in found:
                    with suppress(NotFoundError, DamagedError):
                        level.append(self.status(task.child_run_id))
                        found[level[-1].run_id] = level[-1]
        return found

    def history(
        self, *, dag: str | None = None, status: str | None = None, tenant: str | None = None,
        since: float | None = None, limit: int = 20, offset: int = 0, children: bool = False,
    ) -> list[RunView | DamagedRun]:  # fmt: skip
        """Runs, the one that began last first, and before them all the queued ones.

        With `children` child runs too. Without a filter only the runs in the answer are read. A run whose records are damaged is part of the answer,
        unless a filter asks for what they would contain.
        """

        def matches(run: RunView) -> bool:
            return (
                dag in (None, run.dag.name) and status in (None, run.status) and tenant in (None, run.tenant)
            )

        queued = filter(matches, map(queued_view, self.queue.all()))
        damaged = dag is None and tenant is None and status in (None, DAMAGED)
        begun = (
            run
            for run in self._views(since, children=children)
            if (damaged if isinstance(run, DamagedRun) else matches(run))
        )
        return list(islice(chain(queued, begun), offset, offset + limit))

    def _views(self, since: float | None, *, children: bool) -> Iterator[RunView | DamagedRun]:
        now = self.clock.now()
        for run_id in self.runs.ids(since, children=children):
            try:
                yield view(self.runs.read(run_id), now)
            except NotFoundError:  # not a run, or a run that is being created or removed just now
                continue
            except DamagedError as error:
                yield DamagedRun(run_id, error.message)

    def open_approvals(self, tenant: str | None = None) -> list[OpenApproval]:
        """The approvals that runs wait for, of the oldest run first. Damaged runs are left out."""
        now, found = self.clock.now(), list[OpenApproval]()
        for run_id in self.runs.ids():
            try:
                with closing(self.runs.events(run_id, (TaskWait.name,))) as waits:
                    if not waits.last(1):  # most runs have none
                        continue
                run = view(self.runs.read(run_id), now)
            except (NotFoundError, DamagedError):
                continue
            if run.finished_at is None and tenant in (None, run.tenant):
                gates = [
                    (task_id, each)
                    for task_id, each in run.waits
                    if each.wait.is_approval and not each.answer
                ]
                root_id, prefix = self._place_of(run) if gates else (run_id, "")
                found += [
                    OpenApproval(run_id, task_id, root_id, prefix + task_id, run.dag.name, run.tenant, each)
                    for task_id, each in gates
                ]
        return sorted(found, key=lambda each: each.view.wait.timestamp)

    def _place_of(self, run: RunView) -> tuple[str, str]:
        """The highest run from which a path leads to this one, and that path: `deploy/`."""
        run_id, prefix = run.run_id, ""
        while run.parent_run_id is not None:
            try:
                above = view(self.runs.read(run.parent_run_id), self.clock.now())
            except (NotFoundError, DamagedError):
                break
            task_id = next((task.id for task in above.tasks if task.child_run_id == run_id), None)
            if task_id is None:  # the task has a newer child run
                break
            run, run_id, prefix = above, above.run_id, f"{task_id}/{prefix}"
        return run_id, prefix

    def why(self, named: str, task_id: str) -> Why:
        """Why a task of a run is as it is, back to the first cause. Raises NotFoundError."""
        from dagrun.views.why import explain

        run_id, task_id = self.gate(self.run_id(named), task_id)
        record = self.runs.read(run_id)
        if is_hook(task_id):
            raise NotFoundError("task", task_id, hint="`why` explains tasks; `status` and `logs` show hooks")
        if task_id not in {task.id for task in record.dag.tasks}:
            self._task_ids(record.run_id, task_id)
        found = explain(
            record, task_id, self.clock.now(),
            lambda task, attempt: log_end(self.runs.log_path(record.run_id, task, attempt)),
        )  # fmt: skip
        return replace(found, below=self._why_below(found))

    def _why_below(self, why: Why) -> Why | None:
        """Why the child run of a task that has not succeeded is as it is: its first task in trouble."""
        from dagrun.core.outcomes import FAILED

        child = None if why.child_run_id is None or why.status == Status.SUCCESS else why.child_run_id
        if child is None or not self.runs.has(child):
            return None
        tasks = self.status(child).tasks
        for statuses in (FAILED, (Status.CANCELLED,), (Status.RUNNING, Status.RETRYING, Status.WAITING)):
            for task in tasks:
                if task.status in statuses and task.variants is None:
                    return self.why(child, task.id)
        return None

    def logs(self, named: str, task_id: str | None = None) -> Iterator[tuple[str, int, Path]]:
        """The log files of a run: task, attempt, path; tasks in the order of the DAG.

        A task of a child run is named by `task/task`; after the task that runs it come all of its tasks.
        """
        run_id, own, prefix = self.inside(self.run_id(named), task_id)
        return self._logs(run_id, self._log_ids(run_id, own), prefix)

    def _logs(self, run_id: str, task_ids: Sequence[str], prefix: str) -> Iterator[tuple[str, int, Path]]:
        children = self._child_runs(run_id)
        if not children:
            yield from (
                (prefix + task_id, number, path) for task_id, number, path in self.runs.logs(run_id, task_ids)
            )
            return
        found: dict[str, list[tuple[int, Path]]] = {}
        for task_id, number, path in self.runs.logs(run_id, task_ids):
            found.setdefault(task_id, []).append((number, path))
        for task_id in task_ids:
            yield from ((prefix + task_id, number, path) for number, path in found.get(task_id, ()))
            for child in children.get(task_id, ()):
                if self.runs.has(child):
                    yield from self._logs(child, self._log_ids(child, None), f"{prefix}{task_id}/")

    def _child_runs(self, run_id: str) -> dict[str, dict[str, None]]:
        """The child runs of each task, oldest first."""
        found: dict[str, dict[str, None]] = {}
        if any(task.action.has_own_run for task in self.runs.dag(run_id).tasks):
            for event in self.runs.read(run_id).events:
                if isinstance(event, TaskStart) and event.child_run_id is not None:
                    found.setdefault(event.task_id, {})[event.child_run_id] = None
        return found

    def named(self, run_id: str, task_id: str) -> None:
        """Raises NotFoundError for a task that a run does not have, in one of its child runs if it is `task/task`."""
        if "/" in task_id:
            found, own, _ = self.inside(run_id, task_id)
            self._task_ids(found, own)

    def gate(self, run_id: str, task_id: str) -> tuple[str, str]:
        """The run that has a task which is named by `task/task`, and its name there. Raises NotFoundError."""
        found, own, _ = self.inside(run_id, task_id)
        return found, own or task_id

    def inside(self, run_id: str, task_id: str | None) -> tuple[str, str | None, str]:
        """The run that has a task named by `task/task`, the last of the names, and what comes before it.

        The child run is the last one of its task. Raises NotFoundError.
        """
        prefix = ""
        while task_id is not None and "/" in task_id and task_id not in self._task_ids(run_id, None):
            children = self._child_runs(run_id)
            outer = next((name for name in children if task_id.startswith(f"{name}/")), None)
            if outer is None:
                self._task_ids(run_id, task_id.partition("/")[0])
                raise NotFoundError("task", task_id, hint=f"'{task_id.partition('/')[0]}' has no child run")
            run_id = list(children[outer])[-1]
            prefix, task_id = f"{prefix}{outer}/", task_id.removeprefix(f"{outer}/")
        return run_id, task_id, prefix

    def events(self, named: str | None = None, names: Sequence[str] = ()) -> EventTail:
        """The events of one run, or of all runs, as they were recorded; with `names` only those. Raises UsageError."""
        for name in names:
            if name not in EVENTS:
                raise UsageError(
                    f"there is no event '{name}': it is one of {', '.join(EVENTS)}",
                    hint=did_you_mean(name, EVENTS),
                )
        return self.runs.events(None if named is None else self.run_id(named), names)

    def is_live(self, run_id: str) -> bool:
        """Whether a process drives the run now. Called often, so it takes an id and looks nothing up."""
        return self.runs.is_live(run_id)

    def watch(self, named: str = "latest") -> Watch:
        """Follow the state of a run."""
        return Watch(self.runs, self.run_id(named), self.clock)

    def follow_logs(self, named: str, task_id: str | None = None) -> LogFollower:
        """Follow the output of a run's tasks. Raises NotFoundError."""
        run_id, own, prefix = self.inside(self.run_id(named), task_id)
        self._log_ids(run_id, own)
        return LogFollower(self.runs, self.watch(run_id), own, prefix)

    def _log_ids(self, run_id: str, task_id: str | None) -> list[str]:
        """What has logs: the tasks, their variants and the hooks; or only `task_id`, which must exist, and its variants."""
        hooks = [hook.task.id for hook in self.runs.dag(run_id).hooks]
        if task_id in hooks:
            return [task_id]
        if task_id is not None and id_of(task_id) in hooks and task_id not in self._task_ids(run_id, None):
            raise NotFoundError("task", task_id, hint=f"the hook is '{id_of(task_id)}'")
        tasks = self._task_ids(run_id, task_id, whole=True)
        return [*tasks, *hooks] if task_id is None else tasks

    def _task_ids(self, run_id: str, task_id: str | None, *, whole: bool = False) -> list[str]:
        """The ids of a run's tasks and variants, or only `task_id`, which must exist; with `whole` also its variants."""
        dag = self.runs.dag(run_id)
        ids = [task.id for task in dag.tasks]
        if any(task.matrix is not None or task.for_each is not None for task in dag.tasks):
            state = RunState(Graph.compile(dag))
            if state.graph.grows:
                fold(state, self.runs.read(run_id).events)
            ids = [state.nodes[i].task.id for i in state.in_file_order()]
        if task_id is None:
            return ids
        if task_id not in ids:
            raise _no_such_task(run_id, dag, task_id, ids)
        return [each for each in ids if is_of(each, task_id)] if whole else [task_id]

    def estimate(self, graph: Graph, params: Mapping[str, Json] | None = None) -> Estimate:
        """The expected times of a run, from the newest runs of its DAG. `params` default to the parameters' defaults.

        Reads runs until every task has 20 successes, and never more than the newest 50 runs of all DAGs, then 50 with
        child runs.
        """
        from dagrun.views import estimate

        history = estimate.History(graph)
        newest = chain(
            islice(self.runs.ids(children=False), MAX_RUNS_READ), islice(self.runs.ids(), MAX_RUNS_READ)
        )
        seen: set[str] = set()
        for run_id in newest:
            if history.is_enough:
                break
            if run_id in seen:
                continue
            seen.add(run_id)
            try:
                record = self.runs.read(run_id)
            except (NotFoundError, DamagedError):  # or it is being created or removed
                continue
            if record.dag.name == graph.dag.name:
                history.add(record.events)
        return estimate.estimate(graph, history, default_parallel(graph.dag), params)


def _ambiguous(named: str, matches: Sequence[str]) -> RefusedError:
    return RefusedError(f"'{named}' names {len(matches)} runs", hint="the newest: " + ", ".join(matches[:3]))


def _no_such_task(run_id: str, dag: Dag, task_id: str, ids: Sequence[str]) -> NotFoundError:
    """The error for a task or a variant that the run does not have, with a suggestion."""
    task = next((task for task in dag.tasks if task.id == base_id(task_id)), None)
    if task is not None:
        return NotFoundError(
            "task",
            task_id,
            hint=which(task, task_id, [each for each in ids if base_id(each) == task.id and each != task.id]),
        )
    named = ", ".join(task.id for task in dag.tasks[:10])
    hint = did_you_mean(base_id(task_id), ids) or f"run {run_id} has: {named}"
    return NotFoundError("task", task_id, hint=hint)
