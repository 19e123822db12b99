"""One run as data: what `status` and `runs` show. Scripts rely on the names of the JSON fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from dagrun.clock import to_rfc3339
from dagrun.core.events import CancelIgnored, CancelRequested
from dagrun.core.graph import Graph, Node
from dagrun.core.hook_states import HookState
from dagrun.core.model import Dag
from dagrun.core.outcomes import FINAL, RunStatus, Status
from dagrun.core.payloads import by_output
from dagrun.core.record import RunRecord, fold, mark_interrupted
from dagrun.core.state import RunState
from dagrun.core.task_state import TaskState
from dagrun.core.work import Blob, Json, Outputs
from dagrun.value import Value
from dagrun.views.waiting import WaitView, wait_ended, wait_view

DAMAGED: Final = "damaged"  # the status of a run whose records cannot be read


class Variants(Value, kw_only=True):
    """The variants of a group: the matrix values or item number of each, and their statuses."""

    each: Sequence[Json]
    results: Mapping[str, str]
    summary: str
    #: Of a group that has ended: outputs that are too large to include, each in the file of its variant.
    large: Mapping[str, Blob]

    def to_json(self) -> dict[str, Json]:
        """The fields that they add to the entry of their group."""
        shape: dict[str, Json] = {
            "variants": list(self.each),
            "results": dict(self.results),
            "summary": self.summary,
        }
        return shape | (
            {"outputs_files": {key: _file(blob) for key, blob in self.large.items()}} if self.large else {}
        )


class TaskView(Value, kw_only=True):
    """One task of a run. Moments in seconds since the epoch, durations in seconds."""

    id: str
    kind: str
    status: str
    reason: str
    detail: str
    attempt: int
    changed: bool | None
    started_at: float | None
    duration: float | None
    error: str | None
    outputs: Outputs
    #: Of a task that runs another DAG: its child run.
    child_run_id: str | None = None
    #: Whether it failed and its failure is tolerated.
    tolerated: bool = False
    #: Of a variant: the task that it is a variant of.
    group: str | None = None
    #: Of a group whose variants are known.
    variants: Variants | None = None
    #: Of a task that waits.
    wait: WaitView | None = None

    def to_json(self) -> dict[str, Json]:
        """The shape of one entry of `tasks`."""
        outputs: Json = dict(self.outputs) if not isinstance(self.outputs, Blob) else _file(self.outputs)
        return {
            "id": self.id,
            "kind": self.kind,
            "status": self.status,
            "reason": self.reason,
            "detail": self.detail,
            "attempt": self.attempt,
            "changed": self.changed,
            "started_at": _moment(self.started_at),
            "duration_seconds": self.duration,
            "error": self.error,
            "outputs": outputs,
            **({} if self.child_run_id is None else {"run_id": self.child_run_id}),
            **({} if self.group is None else {"group": self.group}),
            **({} if self.variants is None else self.variants.to_json()),
            **({} if self.wait is None else {"wait": self.wait.to_json()}),
        }


class HookView(Value, kw_only=True):
    """One hook of the last stretch of a run. Moments in seconds since the epoch, durations in seconds."""

    name: str
    status: str
    attempt: int
    started_at: float | None
    duration: float | None
    error: str | None

    def to_json(self) -> dict[str, Json]:
        """The shape of one entry of `hooks`."""
        return {
            "hook": self.name,
            "status": self.status,
            "attempt": self.attempt,
            "started_at": _moment(self.started_at),
            "duration_seconds": self.duration,
            "error": self.error,
        }


class RunView(Value, kw_only=True):
    """One run."""

    run_id: str
    dag: Dag
    tenant: str
    status: str
    reason: str
    params: dict[str, Json]
    outputs: dict[str, Json]
    started_at: float | None
    finished_at: float | None
    duration: float | None
    tasks: tuple[TaskView, ...]
    #: Those of the last stretch; empty before its tasks have ended.
    hooks: tuple[HookView, ...] = ()
    #: Of a child run: the run whose task it is.
    parent_run_id: str | None = None
    #: Of a run that was resumed: when its present stretch began; `duration` counts from then.
    resumed_at: float | None = None
    #: Why it is late, or was.
    late: str | None = None
    cancel: CancelRequested | None = None
    cancel_ignored: CancelIgnored | None = None
    corrupt: int = 0

    def counts(self) -> dict[str, int]:
        """How many tasks are in each state; variants count, their group does not."""
        counts = {str(status): 0 for status in Status}
        for task in self.counted:
            counts[task.status] += 1
        return counts

    @property
    def waits(self) -> Iterator[tuple[str, WaitView]]:
        """The tasks that wait, and for what."""
        return ((task.id, task.wait) for task in self.tasks if task.wait is not None)

    @property
    def counted(self) -> Iterator[TaskView]:
        """The tasks that are counted: all except groups whose variants are known."""
        return (task for task in self.tasks if task.variants is None)

    def to_json(self, *, tasks: bool = True) -> dict[str, Json]:
        """The shape of `status -o json`; without `tasks` the shape of one entry of `runs`."""
        shape: dict[str, Json] = {
            "run_id": self.run_id,
            "dag_name": self.dag.name,
            "tenant": self.tenant,
            "status": self.status,
            "reason": self.reason,
            "params": self.params,
            "outputs": self.outputs,
            "started_at": _moment(self.started_at),
            "finished_at": _moment(self.finished_at),
            "duration_seconds": self.duration,
            "counts": self.counts(),
        }
        if self.parent_run_id is not None:
            shape["parent_run_id"] = self.parent_run_id
        if self.corrupt:
            shape["damaged_lines"] = self.corrupt
        if self.resumed_at is not None:
            shape["resumed_at"] = _moment(self.resumed_at)
        if self.late is not None:
            shape["late"] = self.late
        if tasks:
            shape["tasks"] = [task.to_json() for task in self.tasks]
            if self.hooks:
                shape["hooks"] = [hook.to_json() for hook in self.hooks]
        return shape


class DamagedRun(Value):
    """A run whose records cannot be read, and why."""

    run_id: str
    reason: str

    status = DAMAGED

    def to_json(self) -> dict[str, Json]:
        """The shape of one entry of `runs`."""
        unknown = ("dag_name", "tenant", "started_at", "finished_at", "duration_seconds")
        known: dict[str, Json] = {"run_id": self.run_id, "status": self.status, "reason": self.reason}
        return known | dict.fromkeys(unknown) | {"params": {}, "outputs": {}, "counts": {}}


def _moment(moment: float | None) -> str | None:
    return None if moment is None else to_rfc3339(moment)


def _file(blob: Blob) -> dict[str, Json]:
    return {"file": f"outputs/{blob.file}", "size": blob.size, "sha256": blob.sha256}


def view(record: RunRecord, now: float) -> RunView:
    """A recorded run at the moment `now`. It was interrupted if it has not ended and no process drives it."""
    state = RunState(Graph.compile(record.dag))
    corrupt = record.corrupt + fold(state, record.events)
    if not record.live:
        mark_interrupted(state)
    return view_of(state, record.run_id, now, corrupt)


def view_of(state: RunState, run_id: str, now: float | None = None, corrupt: int = 0) -> RunView:
    """A run from its state; with `now`, what has not ended has the duration so far."""
    tasks = tuple(_task_view(state, i, now) for i in state.in_file_order())
    return RunView(
        run_id=run_id,
        dag=state.graph.dag,
        tenant=state.graph.dag.tenant,
        status=str(state.status),
        reason=str(state.reason) or _why_paused(state, tasks),
        params=dict(state.start.params) if state.start else {},
        outputs=dict(state.outputs),
        parent_run_id=parent_of(state),
        late=None if state.late is None else state.late.reason,
        cancel=state.cancel,
        cancel_ignored=state.cancel_ignored,
        started_at=state.started_at,
        resumed_at=None if state.stretch_started_at == state.started_at else state.stretch_started_at,
        finished_at=state.finished_at,
        duration=_duration(state, now),
        tasks=tasks,
        hooks=tuple(_hook_view(name, hook, state, now) for name, hook in state.hooks.states.items()),
        corrupt=corrupt,
    )


def _hook_view(name: str, hook: HookState, state: RunState, now: float | None) -> HookView:
    duration = hook.duration
    if hook.status is Status.RUNNING and hook.started_at is not None:
        running = state.status is RunStatus.RUNNING and now is not None
        duration = max(0.0, round((now or 0) - hook.started_at, 3)) if running else None
    return HookView(
        name=name, status=str(hook.status), attempt=hook.attempt, started_at=hook.started_at, duration=duration,
        error=hook.error,
    )  # fmt: skip


def parent_of(state: RunState) -> str | None:
    """The run whose task a run is; None: it is no child run."""
    return state.start.parent_run_id if state.start is not None and state.start.trigger == "dag" else None


def _why_paused(state: RunState, tasks: Sequence[TaskView]) -> str:
    """What a paused run waits for: `WaitingForApproval: gate`."""
    if state.status is not RunStatus.WAITING:
        return ""
    first = next(((task.id, task.wait) for task in tasks if task.wait is not None), None)
    return "" if first is None else f"{first[1].reason}: {first[0]}"


def _duration(state: RunState, now: float | None) -> float | None:
    began = state.stretch_started_at
    if state.duration is None and began is not None and state.status is RunStatus.RUNNING and now:
        return max(0.0, round(now - began, 3))  # the clock may have been set back
    return state.duration


def _task_view(state: RunState, i: int, now: float | None) -> TaskView:
    task, node = state.tasks[i], state.nodes[i]
    status, started_at, duration = task.status, task.started_at, task.duration
    if node.members is not None:
        begun = [state.tasks[member].started_at for member in node.members]
        started_at = min((moment for moment in begun if moment is not None), default=None)
        if status is Status.PENDING and started_at is not None:
            status = state.status_of_group(node)
    outputs = _outputs_by_variant(state, node)
    if status is Status.RUNNING and started_at is not None:
        running = state.status is RunStatus.RUNNING and now is not None
        duration = max(0.0, round((now or 0) - started_at, 3)) if running else None
    wait = wait_view(node, task, now) if status is Status.WAITING and node.members is None else None
    return TaskView(
        id=node.task.id,
        kind=node.task.kind,
        status=str(status),
        reason=str(task.reason) if task.status in FINAL else wait.reason if wait else "",
        detail=wait.text if wait else task.detail or _decision(task),
        attempt=task.attempt,
        changed=task.changed,
        started_at=started_at,
        duration=duration,
        error=task.error,
        outputs=task.outputs
        if node.members is None
        else by_output((key, each) for key, each in outputs.items() if not isinstance(each, Blob)),
        child_run_id=task.child_run_id,
        tolerated=node.task.tolerates(task.exit_code) and status in (Status.FAILED, Status.TIMED_OUT),
        wait=wait,
        group=None if node.variant is None else state.nodes[node.variant.group].task.id,
        variants=_variants(
            state, node, {key: each for key, each in outputs.items() if isinstance(each, Blob)}
        ),
    )


def _decision(task: TaskState) -> str:
    """Who has approved, for example; the error of a rejected one says it already."""
    return wait_ended(task) if task.status is Status.SUCCESS else ""


def _outputs_by_variant(state: RunState, node: Node) -> dict[str, Outputs]:
    """The outputs of a group that has ended, by variant: those of the variants that succeeded."""
    if node.members is None or state.tasks[node.index].status not in FINAL:
        return {}
    variants = ((state.nodes[i].variant, state.tasks[i]) for i in node.members)
    return {
        variant.key: task.outputs
        for variant, task in variants
        if variant is not None and task.status is Status.SUCCESS
    }


def _variants(state: RunState, node: Node, large: Mapping[str, Blob]) -> Variants | None:
    if node.members is None:
        return None
    found = [(i, each) for i in node.members if (each := state.nodes[i].variant) is not None]
    return Variants(
        each=[dict(each.values) if node.each is None else each.key for _, each in found],
        results={each.key: str(state.tasks[i].status) for i, each in found},
        summary=state.summary(node),
        large=large,
    )
