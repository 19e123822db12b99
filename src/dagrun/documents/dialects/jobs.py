"""The CI style (`jobs:`): its models, and reading them into a Dag."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from dagrun.core.model import (
    LATER_TASK_KEYS,
    NAME_PATTERN,
    NAME_RULE,
    Dependency,
    OnError,
    Task,
    Trigger,
    is_name,
)
from dagrun.documents.dialects import shared_models
from dagrun.documents.dialects.declarations import DeclarationModel
from dagrun.documents.dialects.dialect import ParsedDocument
from dagrun.documents.dialects.fields import Axis, StrictModel, Timeout, Value
from dagrun.documents.dialects.locations import DialectKeys
from dagrun.documents.dialects.reader import DocumentReader
from dagrun.documents.yaml import Source
from dagrun.value import replace

_KEYS = DialectKeys(
    noun="job", id=None, needs=("requires", "after"), entry="job", trigger="on_complete", params="params",
    later=LATER_TASK_KEYS,
)  # fmt: skip

_Condition = Literal["success", "failure", "always"]
_CONDITIONS = get_args(_Condition)


class _JobEdgeModel(StrictModel):
    """A dependency with its own condition."""

    job: str = Field(description="The name of the job that must end first.")
    condition: _Condition | None = Field(
        None, description="How that job must have ended, instead of the `on_complete` for all dependencies."
    )


class _JobNodeModel(StrictModel):
    """The dependencies of a job."""

    requires: list[str | _JobEdgeModel] = Field(
        [],
        description="The jobs that must succeed first, each as a name or as `{job: name, condition: ...}`.",
    )
    after: list[str] = Field([], description="The jobs that must end first, with any result.")
    parallel_with: list[str] = Field([], description="The jobs that can run at the same time.")
    on_complete: _Condition = Field(
        "success",
        description="How the dependencies must have ended for the job to run. A job with `always` or `failure`, without `requires` and `after`, waits for all jobs that are not such jobs.",
    )
    exclude: list[dict[Axis, Value]] | None = Field(
        None, description="The same as `exclude` inside the `matrix`."
    )
    include: list[dict[Axis, Value]] | None = Field(
        None, description="The same as `include` inside the `matrix`."
    )


#: `exclude` and `include` are inside or next to the matrix. For the schema; `_JobsReader` checks the same and reports places.
_BESIDE: JsonDict = {
    word: {"required": ["matrix"], "properties": {"matrix": {"properties": {word: False}}}}
    for word in ("exclude", "include")
}


class _JobModel(shared_models.CommonModel, shared_models.BodyModel, _JobNodeModel):
    """One job, with exactly one action."""

    model_config = ConfigDict(json_schema_extra=shared_models.task_schema(dependencies=_BESIDE))

    timeout: Timeout = Field(300.0, description="The maximum duration of one attempt.")


class _WorkflowModel(shared_models.DocumentModel, shared_models.NamedModel):
    """A DAG in the CI style."""

    model_config = ConfigDict(json_schema_extra={"required": ["jobs"]})

    on_error: Literal["stop_all", "continue"] = Field(
        "continue",
        description="What a failure that is not tolerated does: end the run (`stop_all`), or let the jobs that do not depend on it continue.",
    )
    timeout: Timeout = Field(3600.0, description="The maximum duration of the whole run.")
    cleanup_policy: Literal["remove_on_completion", "keep", "keep_on_failure"] = Field(
        "remove_on_completion", description="What to do with containers after their job has ended."
    )
    #: Each job is parsed separately, so that errors in one do not hide errors in others.
    jobs: Any = Field(
        None,
        description="The jobs by name. Jobs that are ready start in this order.",
        json_schema_extra={
            "type": "object",
            "minProperties": 1,
            "patternProperties": {f"^{NAME_PATTERN}$": {"$ref": "#/definitions/_JobModel"}},
        },
    )


#: The models for `dialects/schema.py`: the document by its top-level key, then the models that it does not refer to.
ROOTS: Mapping[str, type[StrictModel]] = {"jobs": _WorkflowModel}
PARTS: Sequence[type[StrictModel]] = (_JobModel, DeclarationModel)


def to_dag(data: Mapping[str, Any], source: Source, name: str | None) -> ParsedDocument:
    """Read a workflow of jobs."""
    reader = _JobsReader(source, _KEYS, shared_models.with_kinds(_JobModel))
    workflow = reader.document(_WorkflowModel, data)
    name = reader.name(workflow.name, name)
    return reader.result(
        workflow, reader.jobs(reader.nodes(data, "jobs", dict)), name=name, on_error=OnError(workflow.on_error),
        timeout=workflow.timeout, cleanup=workflow.cleanup_policy,
    )  # fmt: skip


class _JobsReader(DocumentReader):
    """Reads one workflow into a Dag."""

    def jobs(self, jobs: Mapping[str, Any]) -> list[Task]:
        """Every job as a task."""
        for name in jobs:
            if not is_name(name):
                self.error(
                    ("jobs", name), f"'{name}' is not a valid name: {NAME_RULE}", "invalid-value", key=True
                )
        self.awaited = [name for name, job in jobs.items() if not _is_finaliser(job)]
        tasks = self.tasks(
            shared_models.with_kinds(_JobModel),
            [(("jobs", name), job) for name, job in jobs.items()],
            self._job,
        )
        for i, job in enumerate(jobs.values()):
            if isinstance(job, dict) and job.get("on_complete", "success") not in _CONDITIONS:
                self.add_unknown_dependency(i)  # it may be meant as a finaliser
        return tasks

    def _job(self, i: int, model: _JobModel) -> Task:
        path, node = self.locations.nodes[i]
        for word in ("exclude", "include"):
            if word not in node:
                continue
            if "matrix" not in node:
                self.error((*path, word), f"'{word}' needs 'matrix'", "misplaced-key", key=True)
            elif word in node["matrix"]:
                second = [each for each in node if each in ("matrix", word)][1]
                at = (*path, word) if second == word else (*path, "matrix", word)
                self.synonymous_keys(at, word, f"matrix.{word}")
        task = self.task(
            i, model, id=str(path[-1]), needs=self._needs(node, model), trigger=Trigger(model.on_complete),
            params=model.params, timeout=model.timeout, continue_on_failure=model.continue_on_failure,
        )  # fmt: skip
        return (
            replace(task, parallel_with=tuple(dict.fromkeys(model.parallel_with)))
            if model.parallel_with
            else task
        )

    def _needs(self, node: Any, model: _JobModel) -> Iterator[Dependency]:
        """The jobs in `requires` and `after`; for a finaliser, all jobs that are not finalisers."""
        if _is_finaliser(node):
            yield from map(Dependency, self.awaited)
        for entry in model.requires:
            if isinstance(entry, str):
                yield Dependency(entry)
            else:
                yield Dependency(entry.job, Trigger(entry.condition) if entry.condition else None)
        required = {entry if isinstance(entry, str) else entry.job for entry in model.requires}
        for name in model.after:
            if name not in required:  # which is stricter
                yield Dependency(name, Trigger.ALWAYS)


def _is_finaliser(job: Any) -> bool:
    """Whether a job is a finaliser, which runs after all other jobs."""
    return (
        isinstance(job, dict)
        and job.get("on_complete") in ("always", "failure")
        and not (job.get("requires") or job.get("after"))
    )
