"""The CI style (`jobs:`, S3): its wire models and the way to a Dag."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
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
from dagrun.documents.dialects.dialect import Written
from dagrun.documents.dialects.fields import Axis, Timeout, Value, Wire
from dagrun.documents.dialects.locations import Spelling
from dagrun.documents.dialects.reader import Reader
from dagrun.documents.yaml import Source

_SPELLING = Spelling(
    noun="job", id=None, needs=("requires", "after"), entry="job", trigger="on_complete", params="params",
    later=LATER_TASK_KEYS,
)  # fmt: skip

_Condition = Literal["success", "failure", "always"]
_CONDITIONS = get_args(_Condition)


class _Edge(Wire):
    """A job that must have ended in a certain way."""

    job: str = Field(description="The name of the job that must end first.")
    condition: _Condition | None = Field(
        None, description="How that job must have ended, in place of what `on_complete` says for all."
    )


class _Node(Wire):
    """A job among the others."""

    requires: list[str | _Edge] = Field(
        [],
        description="The jobs that must end well first, each by its name or as `{job: name, condition: ...}`.",
    )
    after: list[str] = Field([], description="The jobs that must end first, in whatever way.")
    parallel_with: list[str] = Field([], description="The jobs that run at the same time.")
    on_complete: _Condition = Field(
        "success",
        description="How the others must have ended for the job to run; with `always` or `failure`, and without `requires` and `after`, it waits for every job that is not like it.",
    )
    exclude: list[dict[Axis, Value]] | None = Field(
        None, description="The same as `exclude` inside the `matrix`."
    )
    include: list[dict[Axis, Value]] | None = Field(
        None, description="The same as `include` inside the `matrix`."
    )


#: `exclude` and `include` stand in the matrix or beside it, as the schema says it; `_Reader` tells the same with places.
_BESIDE: JsonDict = {
    word: {"required": ["matrix"], "properties": {"matrix": {"properties": {word: False}}}}
    for word in ("exclude", "include")
}


class _Job(shared_models.Common, shared_models.Body, _Node):
    """One job, which does exactly one thing."""

    model_config = ConfigDict(json_schema_extra=shared_models.task_schema(dependencies=_BESIDE))

    timeout: Timeout = Field(300.0, description="How long one attempt may take.")


class _Workflow(shared_models.Document, shared_models.Named):
    """A DAG in the CI style."""

    model_config = ConfigDict(json_schema_extra={"required": ["jobs"]})

    on_error: Literal["stop_all", "continue"] = Field(
        "continue",
        description="What a failure that is not tolerated does: end the run, or leave the jobs that do not depend on it alone.",
    )
    timeout: Timeout = Field(3600.0, description="How long the whole run may take.")
    cleanup_policy: Literal["remove_on_completion", "keep", "keep_on_failure"] = Field(
        "remove_on_completion", description="What becomes of containers when their job has ended."
    )
    #: Each job is read by itself, so that one that is wrong does not hide the others.
    jobs: Any = Field(
        None,
        description="The jobs by their names, in the order in which those that are ready start.",
        json_schema_extra={
            "type": "object",
            "minProperties": 1,
            "patternProperties": {f"^{NAME_PATTERN}$": {"$ref": "#/definitions/_Job"}},
        },
    )


#: What `dialects/schema.py` makes a schema of: the document by its key, then what it does not name by itself.
ROOTS: Mapping[str, type[Wire]] = {"jobs": _Workflow}
PARTS: Sequence[type[Wire]] = (_Job, shared_models.Declaration)


def to_dag(data: Mapping[str, Any], source: Source, name: str | None) -> Written:
    """Read a workflow of jobs."""
    reader = _Reader(source, _SPELLING, shared_models.with_kinds(_Job))
    workflow = reader.document(_Workflow, data)
    name = reader.name(workflow.name, name)
    return reader.written(
        workflow, reader.jobs(reader.nodes(data, "jobs", dict)), name=name, on_error=OnError(workflow.on_error),
        timeout=workflow.timeout, cleanup=workflow.cleanup_policy,
    )  # fmt: skip


class _Reader(Reader):
    """One workflow on its way to a Dag."""

    def jobs(self, jobs: Mapping[str, Any]) -> list[Task]:
        """Every job as a task."""
        for name in jobs:
            if not is_name(name):
                self.tell(
                    ("jobs", name), f"'{name}' is no valid name: {NAME_RULE}", "invalid-value", key=True
                )
        self.awaited = [name for name, job in jobs.items() if not _is_finaliser(job)]
        tasks = self.tasks(
            shared_models.with_kinds(_Job), [(("jobs", name), job) for name, job in jobs.items()], self._job
        )
        for i, job in enumerate(jobs.values()):
            if isinstance(job, dict) and job.get("on_complete", "success") not in _CONDITIONS:
                self.loosen(i)  # it may have been meant for a finaliser
        return tasks

    def _job(self, i: int, wired: _Job) -> Task:
        path, node = self.places.nodes[i]
        for word in ("exclude", "include"):
            if word not in node:
                continue
            if "matrix" not in node:
                self.tell((*path, word), f"'{word}' is for jobs with 'matrix'", "misplaced-key", key=True)
            elif word in node["matrix"]:
                second = [each for each in node if each in ("matrix", word)][1]
                at = (*path, word) if second == word else (*path, "matrix", word)
                self.two_spellings(at, word, f"matrix.{word}")
        task = self.task(
            i, wired, id=str(path[-1]), needs=self._needs(node, wired), trigger=Trigger(wired.on_complete),
            params=wired.params, timeout=wired.timeout, continue_on_failure=wired.continue_on_failure,
        )  # fmt: skip
        return (
            replace(task, parallel_with=tuple(dict.fromkeys(wired.parallel_with)))
            if wired.parallel_with
            else task
        )

    def _needs(self, node: Any, wired: _Job) -> Iterator[Dependency]:
        """What it requires, what it comes after; or, for a finaliser, every job that is none."""
        if _is_finaliser(node):
            yield from map(Dependency, self.awaited)
        for entry in wired.requires:
            if isinstance(entry, str):
                yield Dependency(entry)
            else:
                yield Dependency(entry.job, Trigger(entry.condition) if entry.condition else None)
        required = {entry if isinstance(entry, str) else entry.job for entry in wired.requires}
        for name in wired.after:
            if name not in required:  # which says more
                yield Dependency(name, Trigger.ALWAYS)


def _is_finaliser(job: Any) -> bool:
    """Whether it runs when all is done: S3's `notify` comes last, not first."""
    return (
        isinstance(job, dict)
        and job.get("on_complete") in ("always", "failure")
        and not (job.get("requires") or job.get("after"))
    )
