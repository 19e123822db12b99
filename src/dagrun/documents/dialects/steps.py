"""The Kubernetes style (`spec.steps:`, or `steps:` alone; S0): its wire models and the way to a Dag."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict, JsonValue

from dagrun.core.model import LATER_TASK_KEYS, Dependency, OnError, Retry, Task, Trigger
from dagrun.documents.dialects import fields, shared_models
from dagrun.documents.dialects.dialect import ParsedDocument, Path
from dagrun.documents.dialects.fields import Called, Name, Seconds, StrictModel
from dagrun.documents.dialects.locations import DialectKeys, Node
from dagrun.documents.dialects.reader import DocumentReader
from dagrun.documents.yaml import Finding, Source
from dagrun.errors import did_you_mean, nearest
from dagrun.kinds import read_action

_LATER = {**LATER_TASK_KEYS, "orchestrationRef": "sub-orchestrations"}
_KEYS = DialectKeys(
    noun="step", id="name", needs=("dependsOn",), entry="", trigger="trigger", params="with", idle=True,
    calls=("toolRef", "agentRef"), later=_LATER,
)  # fmt: skip

#: What each kind of step is done by; a later version brings those of `_LATER_KINDS`.
_KINDS: Mapping[str, tuple[str, ...]] = {
    "ToolRun": ("toolRef", "workflow_ref"),
    "AgentRun": ("agentRef", "workflow_ref"),
    "Checkpoint": (),
    "MemoryOp": (),
}
_LATER_KINDS = ("SubOrchestration", "ApprovalGate", "SignalWait")


#: Words of `retry` about the delay, which `retryBackoffSeconds` fixes.
_DELAY = ("initial", "factor", "max", "jitter")


class _ReferenceModel(StrictModel):
    """A thing by its name."""

    name: Called = Field(description="Its name.")


class _StepNodeModel(StrictModel):
    """A step among the others, and what this dialect spells in a way of its own."""

    name: Name = Field(description="The step's name, which no other step of the document has.")
    dependsOn: list[str] = Field(
        [],
        description="The steps that must end first. Where no step at all has it, each waits for the one before.",
    )
    trigger: Literal["success", "failure", "always", "none_failed"] = Field(
        "success", description="How the dependencies must have ended for the step to run."
    )
    kind: str | None = Field(
        None,
        description="What kind of step it is; what it does is said by another key.",
        json_schema_extra={"enum": list(_KINDS)},
    )
    toolRef: _ReferenceModel | None = Field(
        None, description="Call the registered Python function of this name."
    )
    agentRef: _ReferenceModel | None = Field(None, description="The same, for an agent.")
    policyRef: _ReferenceModel | None = Field(
        None, description="The policy that the step falls under; kept, not applied."
    )
    with_: dict[str, Any] | None = Field(
        None, alias="with", description="Parameters by name; every `${{ }}` in their texts is evaluated."
    )
    retryBackoffSeconds: Seconds | None = Field(None, description="The delay before each retry.")
    timeoutSeconds: Seconds | None = Field(
        None, description="How long one attempt may take; 0 means as long as it likes."
    )
    continueOnFailure: bool | shared_models.ToleratedModel = Field(
        False,
        description="Tolerate a failure, or one with certain exit codes (`{exit_codes: [1, 2]}`): dependents run all the same, and the run can still be a success.",
    )


_NO_OTHER_DELAY: JsonDict = {"properties": {"retry": {"properties": dict.fromkeys(_DELAY, False)}}}


def _asked_of(kind: str, does: Sequence[str]) -> JsonDict:
    """What a kind asks of its step's action, as the schema says it; `_Reader` tells the same with places."""
    done: list[JsonValue] = [{"required": [word]} for word in does]
    nothing: JsonDict = {"properties": dict.fromkeys(_KEYS.actions, False)}
    return {
        "if": {"required": ["kind"], "properties": {"kind": {"const": kind}}},
        "then": {"anyOf": done} if done else nothing,
    }


class _StepModel(shared_models.BodyModel, _StepNodeModel):
    """One step, which does one thing or nothing."""

    model_config = ConfigDict(
        json_schema_extra=shared_models.task_schema(
            *_KEYS.calls,
            idle=True,
            dependencies={"retryBackoffSeconds": _NO_OTHER_DELAY},
            allOf=[_asked_of(kind, does) for kind, does in _KINDS.items()],
        )
    )


class _SpecModel(shared_models.DocumentModel):
    """What an orchestration consists of."""

    model_config = ConfigDict(json_schema_extra={"required": ["steps"]})

    timeoutSeconds: Seconds | None = Field(
        None, description="How long the whole run may take; 0 means as long as it likes."
    )
    entrypoint: str | None = Field(None, description="The step that stands for the whole; it must exist.")
    #: Each step is read by itself, so that one that is wrong does not hide the others.
    steps: Any = Field(
        None,
        description="The steps, in the order in which those that are ready start.",
        json_schema_extra={"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/_StepModel"}},
    )


class _FragmentModel(_SpecModel, shared_models.NamedModel):
    """Steps without their orchestration."""


class _MetadataModel(StrictModel):
    """What the orchestration says about itself."""

    name: Name | None = Field(
        None, description="The DAG's name; without a word the file's, without its ending."
    )
    namespace: str | None = Field(None, description="Kept, not looked at.")
    labels: dict[str, str | int | float | bool] | None = Field(None, description="Kept, not looked at.")
    annotations: dict[str, str | int | float | bool] | None = Field(None, description="Kept, not looked at.")


class _OrchestrationModel(StrictModel):
    """A DAG in the Kubernetes style."""

    model_config = ConfigDict(json_schema_extra={"required": ["spec"]})

    apiVersion: str | None = Field(None, description="Kept by those who need it.")
    kind: Literal["Orchestration"] | None = Field(None, description="Always `Orchestration`.")
    metadata: _MetadataModel | None = Field(None, description="Its name, and what is kept with it.")
    spec: Any = Field(
        None,
        description="What the orchestration does.",
        json_schema_extra={"allOf": [{"$ref": "#/definitions/_SpecModel"}]},
    )


#: What `dialects/schema.py` makes a schema of: the documents by their keys, then what they do not name by themselves.
ROOTS: Mapping[str, type[StrictModel]] = {"spec": _OrchestrationModel, "steps": _FragmentModel}
PARTS: Sequence[type[StrictModel]] = (_SpecModel, _StepModel, shared_models.DeclarationModel)


def to_dag(data: Mapping[str, Any], source: Source, name: str | None) -> ParsedDocument:
    """Read an orchestration, or a fragment of one."""
    whole = "spec" in data or not any(nearest(key.lower(), ("spec", "steps")) == "steps" for key in data)
    reader = _StepsReader(source, _KEYS, shared_models.with_kinds(_StepModel), ("spec",) if whole else ())
    if not whole:
        fragment = reader.document(_FragmentModel, data)
        return reader.read(fragment, data, reader.name(fragment.name, name), {})
    below = dict.fromkeys(fields.keys_of(_SpecModel), "it stands below 'spec'")
    orchestration = reader.document(_OrchestrationModel, data, level=below)
    metadata = orchestration.metadata or _MetadataModel()
    name = reader.name(metadata.name, name, "metadata: {name: my-dag}")
    spec = {} if data.get("spec") is None else data["spec"]
    if not isinstance(spec, dict):
        reader.error(
            ("spec",),
            "'spec' must be a mapping",
            "invalid-value",
            suggestion="write the steps in it, under 'steps'",
        )
        spec = {}
    return reader.read(reader.document(_SpecModel, spec, ("spec",)), spec, name, reader.metadata(metadata))


class _StepsReader(DocumentReader):
    """One orchestration on its way to a Dag."""

    def read(
        self, spec: _SpecModel, data: Mapping[str, Any], name: str, metadata: Mapping[str, Any]
    ) -> ParsedDocument:
        """The Dag with everything that could be read."""
        path = self.locations.document("steps")
        nodes = [((*path, i), node) for i, node in enumerate(self.nodes(data, "steps", list))]
        self.named: set[str] = set()
        self.sequential = not any("dependsOn" in node for _, node in nodes if isinstance(node, dict))
        tasks = self.tasks(shared_models.with_kinds(_StepModel), nodes, self._step)
        self._mixture(nodes)
        names = {task.id for task in tasks}
        if names and spec.entrypoint is not None and spec.entrypoint not in names:
            near = did_you_mean(spec.entrypoint, names)
            message = f"there is no step '{spec.entrypoint}'"
            self.error(self.locations.document("entrypoint"), message, "unknown-task", suggestion=near)
        policies = {
            node["name"]: node["policyRef"]["name"]
            for i, (_, node) in enumerate(nodes)
            if i not in self.broken and "policyRef" in node
        }
        return self.written(
            spec, tasks, name=name, on_error=OnError.CONTINUE, timeout=spec.timeoutSeconds or None,
            metadata={**metadata, **({"policies": policies} if policies else {})},
        )  # fmt: skip

    def metadata(self, model: _MetadataModel) -> Mapping[str, Any]:
        """What the orchestration says about itself; values of labels and annotations as they were written."""
        kept: dict[str, Any] = {}
        if model.namespace is not None:
            kept["namespace"] = model.namespace
        if model.labels:
            kept["labels"] = self.env(model.labels, lambda name: ("metadata", "labels", name))
        if model.annotations:
            kept["annotations"] = self.env(model.annotations, lambda name: ("metadata", "annotations", name))
        return kept

    def _mixture(self, nodes: Sequence[Node]) -> None:
        """Among steps with `dependsOn` one without it may have been meant to wait for the one before."""
        loose = [
            i
            for i, (_, node) in enumerate(nodes)
            if i
            and i not in self.broken
            and "dependsOn" not in node
            and "needs" not in self.misspelt.get(i, ())
        ]
        if loose and not self.sequential:
            path, node = nodes[loose[0]]
            message = f"'{node.get('name')}' has no 'dependsOn', so it waits for nothing, while other steps have one"
            place = self.source.place((*path, "name"))
            self.findings.append(
                Finding(place, message, "mixed-order", "write `dependsOn: []` if that is meant", "warning")
            )

    def _step(self, i: int, model: _StepModel) -> Task:
        path, node = self.locations.nodes[i]
        self._kind(model.kind, node, path)
        if model.retryBackoffSeconds is not None and model.retry is not None:
            for word in _DELAY:
                if word in node["retry"]:
                    second = [each for each in node if each in ("retry", "retryBackoffSeconds")][1]
                    self.synonymous_keys((*path, second), "retryBackoffSeconds", f"retry.{word}")
        ref = model.toolRef or model.agentRef
        return self.task(
            i, model, read_action({"workflow_ref": ref.name}) if ref else None,
            id=model.name, needs=self._needs(i, model), trigger=Trigger(model.trigger), params=model.with_,
            retry=self._backoff(model), timeout=model.timeoutSeconds or None, continue_on_failure=model.continueOnFailure,
        )  # fmt: skip

    def _needs(self, i: int, model: _StepModel) -> Iterator[Dependency]:
        if not self.sequential:
            yield from map(Dependency, model.dependsOn)
        elif i - 1 in self.broken:
            self.add_unknown_dependency(i)
        elif i and model.name not in self.named:
            yield Dependency(self.locations.nodes[i - 1][1]["name"])
        self.named.add(model.name)  # a name that stands twice is told as that, not as a circle

    def _backoff(self, model: _StepModel) -> Retry | None:
        """A constant delay."""
        if model.retryBackoffSeconds is None:
            return None
        delay = model.retryBackoffSeconds
        return replace(self.retry(model), initial=delay, factor=1.0, max=delay, jitter=0.0)

    def _kind(self, kind: str | None, node: Mapping[str, Any], path: Path) -> None:
        """What a kind asks of the step's action."""
        if kind is None:
            return
        at = (*path, "kind")
        if kind in _LATER_KINDS:
            self.error(at, f"the kind '{kind}' is not supported yet", "not-supported-yet")
            return
        if kind not in _KINDS:
            known = (*_KINDS, *_LATER_KINDS)
            message = f"'kind' must be one of {', '.join(known)}"
            self.error(at, message, "invalid-value", suggestion=did_you_mean(kind, known))
            return
        allowed = _KINDS[kind]
        actions = [word for word in self.keys.actions if word in node]
        does = f"calls a function: it has {' or '.join(map(repr, allowed))}" if allowed else "does nothing"
        if allowed and not actions and self.intended_keys(node).isdisjoint(allowed):
            self.error(at, f"a step of the kind '{kind}' {does}", "missing-key")
        for word in actions:
            if word not in allowed:
                but = "not" if allowed else "but this one has"
                message = f"a step of the kind '{kind}' {does}, {but} '{word}'"
                self.error((*path, word), message, "misplaced-key", key=True)
