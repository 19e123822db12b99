"""Runs prepared from records: what a resumed, repeated or queued run executes, with recorded or new parameter values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from dagrun.app.queued_runs import dag_name
from dagrun.app.run_inputs import evaluate_defaults
from dagrun.core.events import DagStart
from dagrun.core.graph import Graph
from dagrun.core.model import Dag
from dagrun.core.record import RunRecord
from dagrun.core.selection import names, part
from dagrun.core.work import Json
from dagrun.errors import DagrunError, NotFoundError, RefusedError
from dagrun.registry import Registry
from dagrun.runtime.prepared_run import PreparedRun
from dagrun.value import replace

if TYPE_CHECKING:
    from dagrun.app.documents import Documents
    from dagrun.app.run_inputs import GivenParams
    from dagrun.scheduling.open_runs import OpenRun


class Repeating:
    """Prepares runs from records of runs."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def dag_to_resume(self, record: RunRecord, use_current: bool, notice: Callable[[str], None]) -> Dag:
        """The recorded DAG; with `use_current` the one that the document declares now.

        Calls `notice` with a message when the document has changed since. Raises NotFoundError, DocumentError.
        """
        start = next((event for event in record.events if isinstance(event, DagStart)), None)
        path = self._documents.settings.path(start.dag_path) if start and start.dag_path else None
        if start is None or path is None or not path.is_file():
            if use_current:
                raise NotFoundError("document", str(path or "of the run"))
            return record.dag
        report = self._documents.report(path, start.dag_path)
        current = report.graph.dag if report.graph else None
        if current is not None and start.partial:
            recorded = names(record.dag)
            current = part(current, recorded & names(current, recorded))
        if use_current:
            if current is None:
                raise report.error()
            current = replace(current, tenant=record.dag.tenant)
            return current if start.trigger == "dag" else self._documents.with_project_hooks(current)
        if current is None or _what_runs(current) != _what_runs(record.dag):
            notice(
                f"{start.dag_path} has changed since; the recorded DAG is used (--use-current takes the new one)"
            )
        return record.dag

    def resumed(
        self, record: RunRecord, dag: Dag, start: DagStart | None, given: GivenParams | None
    ) -> PreparedRun:
        """A run that continues as `dag`, with its recorded parameter values unless new ones are `given`.

        Raises UsageError, and RefusedError when a value was not recorded.
        """
        params: Mapping[str, Json] = start.params if start else {}
        known = params
        if dag != record.dag:
            declared = {param.name for param in dag.params}
            params = {name: value for name, value in params.items() if name in declared}
        if start is None or dag != record.dag or given or _masked_params(record, start):
            known = self._values(record, dag, start, params, given)
            params = self._documents.inputs.resolved(dag, known)
        else:
            # Parameters that an earlier resume with another document added are defaults of its DAG.
            params = {**{param.name: param.default for param in dag.params}, **params}
        partial = start is not None and bool(start.partial)
        prepared = self._documents.recorded(dag, start.dag_path if start else "", params, partial=partial)
        prepared = _as_fired(prepared, start)
        if dag == record.dag or start is None:
            return prepared
        from dagrun.documents.parameters import deferred

        new = replace(prepared, deferred=deferred(dag, known))  # parameters that the run did not have
        return evaluate_defaults(new, record.run_id, start.timestamp)

    def rerun(
        self, record: RunRecord, dag: Dag, start: DagStart | None, given: GivenParams | None
    ) -> PreparedRun:
        """A new run of `dag`, the DAG of an earlier run or a part of it, with the same parameter values.

        Raises UsageError, and RefusedError when a value was not recorded.
        """
        params = self._values(record, record.dag, start, start.params if start else {}, given)
        prepared = self._documents.recorded(
            dag,
            start.dag_path if start else "",
            self._documents.inputs.resolved(record.dag, params),
            partial=dag is not record.dag or bool(start and start.partial),
        )
        return replace(_as_fired(prepared, start), trigger="rerun")

    def queued(self, run: OpenRun) -> PreparedRun:
        """What a queued run would run, without its workflows and secrets: enough to record it. Its document may be missing."""
        try:
            dag, path = self._documents.dag_at_root(run.dag), self._documents.path_at_root(run.dag)
        except DagrunError:
            dag, path = Dag(name=dag_name(run), tasks=()), run.dag
        dag = replace(dag, tenant=run.tenant or dag.tenant)
        params = {param.name: param.default for param in dag.params} | dict(run.params)
        return PreparedRun(
            Graph.compile(dag), path, params, Registry(), trigger=run.trigger,
            schedule_id=run.schedule_id, scheduled_at=run.scheduled_at,
        )  # fmt: skip

    def _values(
        self,
        record: RunRecord,
        dag: Dag,
        start: DagStart | None,
        recorded: Mapping[str, Json],
        given: GivenParams | None,
    ) -> dict[str, Json]:
        """The parameter values of a run: those that are given now, else those that were recorded."""
        values = self._documents.inputs.given(dag, given) if given else {}
        declared = {param.name for param in dag.params}
        missing = [name for name in _masked_params(record, start) if name in declared and name not in values]
        kept = given.kept if given is not None else {}
        values |= {name: kept[name] for name in missing if name in kept}
        _refuse_masked(record.run_id, [name for name in missing if name not in kept])
        return {**recorded, **values}


def _what_runs(dag: Dag) -> Sequence[object]:
    """The tasks and hooks of a document."""
    return (dag.tasks, tuple(hook for hook in dag.hooks if not hook.of_project))


def _masked_params(record: RunRecord, start: DagStart | None) -> Sequence[str]:
    """The parameters whose values were not recorded, because they held a secret."""
    if start is None:
        return record.dag.masked_params
    later = (name for name in record.dag.masked_params if name not in start.params)
    return (*(start.masked_params or ()), *later)


def _refuse_masked(run_id: str, names: Sequence[str]) -> None:
    """Raises RefusedError when there are such parameters."""
    if names:
        what = f"parameter '{names[0]}'" if len(names) == 1 else f"parameters {', '.join(map(repr, names))}"
        again = " ".join(f"-p {name}=VALUE" for name in names)
        raise RefusedError(
            f"run '{run_id}' cannot be repeated as it was: the value of {what} held a secret and was not recorded",
            hint=f"give it again: {again}",
        )


def _as_fired(prepared: PreparedRun, start: DagStart | None) -> PreparedRun:
    """A run that continues or repeats another keeps the schedule and the minute that the other was fired for."""
    if start is None:
        return prepared
    return replace(
        prepared, trigger=start.trigger, schedule_id=start.schedule_id, scheduled_at=start.scheduled_at
    )
