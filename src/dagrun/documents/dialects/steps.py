"""The Kubernetes style (`spec.steps:`, or only `steps:`): its models, and reading them into a Dag."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict, JsonValue

from dagrun.core.model import LATER_TASK_KEYS, Action, Dependency, OnError, Retry, Task, Trigger
from dagrun.documents.dialects import fields, shared_models
from dagrun.documents.dialects.declarations import DeclarationModel
from dagrun.documents.dialects.dialect import ParsedDocument, Path
from dagrun.documents.dialects.fields import Called, Name, Seconds, StrictModel
from dagrun.documents.dialects.locations import DialectKeys, Node
from dagrun.documents.dialects.reader import DocumentReader
from dagrun.documents.yaml import Finding, Source
from dagrun.errors import did_you_mean, nearest
from dagrun.kinds import read_action
from dagrun.kinds.approval import PROMPT, ApprovalAction
from dagrun.kinds.wait import WaitAction
from dagrun.value import replace

_KEYS = DialectKeys(
    noun="step", id="name", needs=("dependsOn",), entry="", trigger="trigger", params="with", idle=True,
    calls=("toolRef", "agentRef", "orchestrationRef"), later=LATER_TASK_KEYS,
)  # fmt: skip

#: The action keys of each kind of step.
_KINDS: Mapping[str, tuple[str, ...]] = {
    "ToolRun": ("toolRef", "workflow_ref"),
    "AgentRun": ("agentRef", "workflow_ref"),
    "SubOrchestration": ("orchestrationRef", "dag"),
    "ApprovalGate": ("approval",),
    "SignalWait": ("wait",),
    "Checkpoint": (),
    "MemoryOp": (),
}
#: What a step of a kind does when no key says it: asks with its description, waits for the signal of its own name.
_IMPLIED: Mapping[str, Callable[[Any], Action]] = {
    "ApprovalGate": lambda model: ApprovalAction(model.description or PROMPT),
    "SignalWait": lambda model: WaitAction(signal_name=model.name),
}


#: Keys of `retry` about the delay, which `retryBackoffSeconds` makes constant.
_DELAY = ("initial", "factor", "max", "jitter")


class _ReferenceModel(StrictModel):
    """A reference by name."""

    name: Called = Field(description="The name.")


class _DagReferenceModel(StrictModel):
    """A reference to a DAG."""

    name: str = Field(min_length=1, description="The name of the DAG, or the path of its document.")


class _StepNodeModel(StrictModel):
    """The name and the dependencies of a step, and the keys with other names in this dialect."""

    name: Name = Field(description="The name of the step, which must be unique in the document.")
    dependsOn: list[str] = Field(
        [],
        description="The steps that must end first. If no step has this key, each step waits for the one before it.",
    )
    trigger: Literal["success", "failure", "always", "none_failed"] = Field(
        "success", description="How the dependencies must have ended for the step to run."
    )
    kind: str | None = Field(
        None,
        description="The kind of the step; another key gives its action.",
        json_schema_extra={"enum": list(_KINDS)},
    )
    toolRef: _ReferenceModel | None = Field(
        None, description="Call the registered Python function with this name."
    )
    agentRef: _ReferenceModel | None = Field(None, description="The same, for an agent.")
    orchestrationRef: _DagReferenceModel | None = Field(
        None, description="Run the DAG with this name or path as a child run; the same as `dag`."
    )
    policyRef: _ReferenceModel | None = Field(
        None, description="The policy of the step; kept, but not applied."
    )
    with_: dict[str, Any] | None = Field(
        None, alias="with", description="Parameters by name; every `${{ }}` in their texts is evaluated."
    )
    retryBackoffSeconds: Seconds | None = Field(None, description="The delay before each retry, in seconds.")
    timeoutSeconds: Seconds | None = Field(
        None, description="The maximum duration of one attempt in seconds; 0 means no limit."
    )
    continueOnFailure: bool | shared_models.ToleratedModel = Field(
        False,
        description="Tolerate a failure, or only failures with certain exit codes (`{exit_codes: [1, 2]}`): dependents still run, and the run can still succeed.",
    )


_NO_OTHER_DELAY: JsonDict = {"properties": {"retry": {"properties": dict.fromkeys(_DELAY, False)}}}


def _asked_of(kind: str, does: Sequence[str]) -> JsonDict:
    """The actions that a kind allows, for the schema; `_StepsReader` checks the same and reports places."""
    done: list[JsonValue] = [{"required": [word]} for word in does]
    nothing: JsonDict = {"properties": dict.fromkeys(_KEYS.actions, False)}
    if not done or kind in _IMPLIED:
        done.append(nothing)
    return {
        "if": {"required": ["kind"], "properties": {"kind": {"const": kind}}},
        "then": {"anyOf": done} if len(done) > 1 else done[0],
    }


class _StepModel(shared_models.BodyModel, _StepNodeModel):
    """One step, with one action or none."""

    model_config = ConfigDict(
        json_schema_extra=shared_models.task_schema(
            *_KEYS.calls,
            idle=True,
            dependencies={"retryBackoffSeconds": _NO_OTHER_DELAY},
            allOf=[_asked_of(kind, does) for kind, does in _KINDS.items()],
        )
    )


class _SpecModel(shared_models.DocumentModel):
    """The content of an orchestration."""

    model_config = ConfigDict(json_schema_extra={"required": ["steps"]})

    timeoutSeconds: Seconds | None = Field(
        None, description="The maximum duration of the whole run in seconds; 0 means no limit."
    )
    entrypoint: str | None = Field(None, description="The name of a step; it must exist.")
    #: Each step is parsed separately, so that errors in one do not hide errors in others.
    steps: Any = Field(
        None,
        description="The steps. Steps that are ready start in this order.",
        json_schema_extra={"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/_StepModel"}},
    )


class _FragmentModel(_SpecModel, shared_models.NamedModel):
    """Steps without an orchestration around them."""


class _MetadataModel(StrictModel):
    """The metadata of an orchestration."""

    name: Name | None = Field(
        None, description="The name of the DAG (default: the name of the file without its suffix)."
    )
    namespace: str | None = Field(None, description="Kept, but not used.")
    labels: dict[str, str | int | float | bool] | None = Field(None, description="Kept, but not used.")
    annotations: dict[str, str | int | float | bool] | None = Field(None, description="Kept, but not used.")


class _OrchestrationModel(StrictModel):
    """A DAG in the Kubernetes style."""

    model_config = ConfigDict(json_schema_extra={"required": ["spec"]})

    apiVersion: str | None = Field(None, description="Accepted, but not used.")
    kind: Literal["Orchestration"] | None = Field(None, description="Always `Orchestration`.")
    metadata: _MetadataModel | None = Field(None, description="Its name and further metadata.")
    spec: Any = Field(
        None,
        description="The content of the orchestration.",
        json_schema_extra={"allOf": [{"$ref": "#/definitions/_SpecModel"}]},
    )


#: The models for `dialects/schema.py`: the documents by top-level key, then the models that these do not refer to.
ROOTS: Mapping[str, type[StrictModel]] = {"spec": _OrchestrationModel, "steps": _FragmentModel}
PARTS: Sequence[type[StrictModel]] = (_SpecModel, _StepModel, DeclarationModel)


def to_dag(data: Mapping[str, Any], source: Source, name: str | None) -> ParsedDocument:
    """Read an orchestration, or a fragment of one."""
    whole = "spec" in data or not any(nearest(key.lower(), ("spec", "steps")) == "steps" for key in data)
    reader = _StepsReader(source, _KEYS, shared_models.with_kinds(_StepModel), ("spec",) if whole else ())
    if not whole:
        fragment = reader.document(_FragmentModel, data)
        return reader.read(fragment, data, reader.name(fragment.name, name), {})
    below = dict.fromkeys(fields.keys_of(_SpecModel), "it belongs below 'spec'")
    orchestration = reader.document(_OrchestrationModel, data, level=below)
    metadata = orchestration.metadata or _MetadataModel()
    name = reader.name(metadata.name, name, "metadata: {name: my-dag}")
    spec = {} if data.get("spec") is None else data["spec"]
    if not isinstance(spec, dict):
        reader.error(
            ("spec",),
            "'spec' must be a mapping",
            "invalid-value",
            suggestion="write the steps under 'steps' in it",
        )
        spec = {}
    return reader.read(reader.document(_SpecModel, spec, ("spec",)), spec, name, reader.metadata(metadata))


class _StepsReader(DocumentReader):
    """Reads one orchestration into a Dag."""

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
        return self.result(
            spec, tasks, name=name, on_error=OnError.CONTINUE, timeout=spec.timeoutSeconds or None,
            metadata={**metadata, **({"policies": policies} if policies else {})},
        )  # fmt: skip

    def metadata(self, model: _MetadataModel) -> Mapping[str, Any]:
        """The metadata of the orchestration; labels and annotations keep their text."""
        kept: dict[str, Any] = {}
        if model.namespace is not None:
            kept["namespace"] = model.namespace
        if model.labels:
            kept["labels"] = self.env(model.labels, lambda name: ("metadata", "labels", name))
        if model.annotations:
            kept["annotations"] = self.env(model.annotations, lambda name: ("metadata", "annotations", name))
        return kept

    def _mixture(self, nodes: Sequence[Node]) -> None:
        """Warn about a step without `dependsOn` among others with it: it may be meant to wait for the one before it."""
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
            message = (
                f"'{node.get('name')}' has no 'dependsOn', so it waits for no step, but other steps have one"
            )
            place = self.source.place((*path, "name"))
            self.findings.append(
                Finding(place, message, "mixed-order", "write `dependsOn: []` if this is intended", "warning")
            )

    def _step(self, i: int, model: _StepModel) -> Task:
        path, node = self.locations.nodes[i]
        self._kind(model.kind, node, path)
        if model.retryBackoffSeconds is not None and model.retry is not None:
            for word in _DELAY:
                if word in node["retry"]:
                    second = [each for each in node if each in ("retry", "retryBackoffSeconds")][1]
                    self.synonymous_keys((*path, second), "retryBackoffSeconds", f"retry.{word}")
        return self.task(
            i, model, self._action(model, node),
            id=model.name, needs=self._needs(i, model), trigger=Trigger(model.trigger), params=model.with_,
            retry=self._backoff(model), timeout=model.timeoutSeconds or None, continue_on_failure=model.continueOnFailure,
        )  # fmt: skip

    def _action(self, model: _StepModel, node: Mapping[str, Any]) -> Action | None:
        """The action that only this dialect writes; None: the keys of all dialects say it."""
        if ref := model.toolRef or model.agentRef:
            return read_action({"workflow_ref": ref.name})
        if model.orchestrationRef:
            return read_action({"dag": model.orchestrationRef.name})
        implied = _IMPLIED.get(model.kind or "")
        return implied(model) if implied and not any(word in node for word in self.keys.actions) else None

    def _needs(self, i: int, model: _StepModel) -> Iterator[Dependency]:
        if not self.sequential:
            yield from map(Dependency, model.dependsOn)
        elif i - 1 in self.broken:
            self.add_unknown_dependency(i)
        elif i and model.name not in self.named:
            yield Dependency(self.locations.nodes[i - 1][1]["name"])
        self.named.add(model.name)  # a duplicate name is an error of its own, not a cycle

    def _backoff(self, model: _StepModel) -> Retry | None:
        """The retry with a constant delay."""
        if model.retryBackoffSeconds is None:
            return None
        delay = model.retryBackoffSeconds
        return replace(self.retry(model), initial=delay, factor=1.0, max=delay, jitter=0.0)

    def _kind(self, kind: str | None, node: Mapping[str, Any], path: Path) -> None:
        """Check that the kind of a step allows its action."""
        if kind is None:
            return
        at = (*path, "kind")
        if kind not in _KINDS:
            known = tuple(_KINDS)
            message = f"'kind' must be one of {', '.join(known)}"
            self.error(at, message, "invalid-value", suggestion=did_you_mean(kind, known))
            return
        allowed = _KINDS[kind]
        actions = [word for word in self.keys.actions if word in node]
        needs = f"needs {' or '.join(map(repr, allowed))}" if allowed else "has no action"
        if allowed and not actions and kind not in _IMPLIED and self.intended_keys(node).isdisjoint(allowed):
            self.error(at, f"a step of the kind '{kind}' {needs}", "missing-key")
        for word in actions:
            if word not in allowed:
                but = "not" if allowed else "but this one has"
                message = f"a step of the kind '{kind}' {needs}, {but} '{word}'"
                self.error((*path, word), message, "misplaced-key", key=True)
