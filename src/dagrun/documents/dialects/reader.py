"""What every dialect does alike on its way from a document to a Dag; only the words differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from dagrun import kinds
from dagrun.core.model import (
    LATER_DAG_KEYS,
    NAME_RULE,
    Action,
    Dag,
    Dependency,
    Matrix,
    OnError,
    Param,
    Retry,
    ServiceContainer,
    Task,
    Trigger,
    is_name,
)
from dagrun.documents.dialects import fields, matrices, shared_models, synonyms, task_parts
from dagrun.documents.dialects.dialect import ParsedDocument, Path
from dagrun.documents.dialects.locations import DialectKeys, Node, NodeLocations
from dagrun.documents.yaml import Finding, Source

AnyModel = TypeVar("AnyModel", bound=fields.StrictModel)
AnyBody = TypeVar("AnyBody", bound=shared_models.BodyModel)

NOTHING: Mapping[str, Any] = {}
SCRIPTS = frozenset({"run", "commands"})
#: Words for one thing, to call a registered function.
_CALLS = frozenset({"workflow_ref", "toolRef", "agentRef"})
_LATER_ACTIONS = frozenset({"dag", "approval", "wait", "orchestrationRef"})
#: Words that most tasks do without.
_RARE_KEYS = frozenset(
    {
        "shell",
        "skip_on_exit_codes",
        "image",
        "mount",
        "pull",
        "services",
        "artifacts",
        "matrix",
        "for_each",
        "max_parallel",
    }
)
#: Words that may be left out of a task without making any of its other words wrong.
_REMOVABLE = frozenset(
    {
        "description", "kind", "trigger", "on_complete", "if", "unless", "only_if_changed", "retries", "retry",
        "retryBackoffSeconds", "timeout", "timeoutSeconds", "continue_on_failure", "continueOnFailure", "on_error",
        "working_dir", "shell", "mount", "pull", "artifacts", "max_parallel", "skip_on_exit_codes",
    }
)  # fmt: skip
_STUB = kinds.read_action({})


class DocumentReader:
    """One document on its way to a Dag; collects every finding."""

    def __init__(
        self, source: Source, keys: DialectKeys, body: type[shared_models.BodyModel], root: Path = ()
    ) -> None:
        self.source = source
        self.keys = keys
        self._choice = keys.actions
        #: What a task may say, and what a document may say beside its tasks.
        self._task_keys = frozenset(fields.keys_of(body))
        self._document_keys: frozenset[str] = frozenset()
        #: Words that could not be read: what they declare is not known.
        self.unread: set[str] = set()
        self.misspelt: dict[int, frozenset[str]] = {}
        self.locations = NodeLocations(keys, (), root)
        self.findings: list[Finding] = []
        #: Errors that leave the task they are about as it is: it is checked on.
        self.soft_errors: list[Finding] = []
        self.broken: set[int] = set()
        self._combinations = 0  # of all matrices so far, before `exclude` and `include`
        # Thousands of tasks say the same; what is equal is one value.
        self._retries = cache(lambda retries: Retry(retries=retries))

    def error(self, path: Path, message: str, code: str, *, suggestion: str = "", key: bool = False) -> None:
        """Note an error."""
        self.findings.append(Finding(self.source.place(path, key=key), message, code, suggestion))

    def synonymous_keys(self, path: Path, one: str, other: str) -> None:
        """Note that two words say one thing."""
        message = f"'{one}' and '{other}' say the same thing; keep one"
        self.error(path, message, "two-spellings", key=True)

    # --- the document --------------------------------------------------------------------------------------

    def document(
        self,
        model_type: type[AnyModel],
        data: Mapping[str, Any],
        path: Path = (),
        level: Mapping[str, str] = NOTHING,
    ) -> AnyModel:
        """A node whose keys may all be left out. Those that are wrong are told, and left out.

        `level` says where words stand that are not for this node.
        """
        good = dict(data)
        if issubclass(model_type, shared_models.DocumentModel):
            self._document_keys = frozenset(fields.keys_of(model_type))
        each = self._task_keys - {"kind"}  # that of a document is another thing
        level = {**dict.fromkeys(each, f"each {self.keys.noun} says it for itself"), **level}
        while True:
            try:
                return model_type.model_validate(good)
            except ValidationError as error:
                self.findings += fields.findings(error, self.source, path, model_type, LATER_DAG_KEYS, level)
                known = fields.keys_of(model_type)
                for word in {str(detail["loc"][0]) for detail in error.errors()}:
                    self.unread |= {word, *(() if word in known else _intended_keys(word, known, level))}
                    good.pop(word, None)

    def name(self, own: str | None, given: str | None, hint: str = "name: my_dag") -> str:
        """The DAG's name: its own, or the one that comes with the file."""
        if own is None and not (given and is_name(given)):
            why = (
                f"'{given}' cannot be one: {NAME_RULE}"
                if given
                else "text without a file has none of its own"
            )
            self.error((), f"the DAG needs a name: {why}", "missing-name", suggestion=f"add `{hint}`")
        return own or given or "unnamed"

    def nodes(self, data: Mapping[str, Any], word: str, kind: type[list[Any]] | type[dict[str, Any]]) -> Any:
        """What stands under `word`, if it is a list, or mapping, that holds something; else an empty one."""
        path, nodes = self.locations.document(word), data.get(word)
        if word not in data and any(synonyms.names(each.suggestion, path) for each in self.findings):
            return kind()  # a misspelt key was told of already
        if nodes is None or nodes in ([], {}):
            hint = f"write the {self.keys.noun}s under '{word}:'" if word not in data else ""
            message = "ValidationError: DAG must have at least one task"
            self.error(path, message, "no-tasks", suggestion=hint, key=True)
        elif isinstance(nodes, kind):
            return nodes
        else:
            shape, begin = ("list", f"- {self.keys.id}:") if kind is list else ("mapping", "my-job:")
            message = f"'{word}' must be a {shape} of {self.keys.noun}s"
            self.error(path, message, "invalid-value", suggestion=f"begin each with `{begin}`")
        return kind()

    def written(
        self, document: shared_models.DocumentModel, tasks: Iterable[Task], **own: Any
    ) -> ParsedDocument:
        """The Dag with everything that could be read."""
        dag = Dag(
            description=document.description,
            tenant=document.tenant_id,
            params=tuple(self._param(name, value) for name, value in document.params.items()),
            env=self.env(document.env, lambda name: (*self.locations.document("env"), name)),
            max_parallel=document.max_parallel,
            dotenv=tuple(document.dotenv),
            secrets=tuple(dict.fromkeys(document.secrets)),
            outputs=document.outputs,
            tasks=tuple(tasks),
            **own,
        )
        return ParsedDocument(
            dag,
            (*self.findings, *self.soft_errors),
            self.source,
            self.locations,
            frozenset(self.broken),
            frozenset(self.unread),
            self.misspelt,
        )

    def _param(self, name: str, value: Any) -> Param:
        if not isinstance(value, dict) or value.keys().isdisjoint(shared_models.DECLARING):
            return Param(name=name, default=value)
        self.locations.declared.add(name)
        try:
            declared = shared_models.DeclarationModel.model_validate(value)
        except ValidationError as error:
            path = (*self.locations.document("params"), name)
            self.findings += fields.findings(error, self.source, path, shared_models.DeclarationModel, {})
            return Param(name=name)
        return Param(
            name=name, type=declared.type, default=declared.default, enum=tuple(declared.enum),
            required=declared.required, description=declared.description,
        )  # fmt: skip

    # --- its tasks -----------------------------------------------------------------------------------------

    def tasks(
        self,
        model_type: type[AnyBody],
        nodes: Sequence[Node],
        build: Callable[[int, AnyBody], Task],
        whole: Sequence[Any] | None = None,
    ) -> list[Task]:
        """Every node as a task. `whole` are the nodes with what the document says for all of them."""
        self.locations.nodes = nodes
        tasks: list[Task] = []
        for i, model in enumerate(self._parse_all(model_type, nodes, whole or [node for _, node in nodes])):
            if model is None:
                self.broken.add(i)
                tasks.append(self._stub(i))
                continue
            self._check(i, model)
            before = len(self.findings)
            task = build(i, model)
            if len(self.findings) > before:
                self.broken.add(i)
                task = self._stub(i)
            tasks.append(task)
        return tasks

    def _parse_all(
        self, model_type: type[AnyBody], nodes: Sequence[Node], whole: Sequence[Any]
    ) -> Sequence[AnyBody | None]:
        try:
            return _list_of(model_type).validate_python(whole)
        except ValidationError:  # Each by itself now, so that one that is wrong hides no other.
            for i, (_, node) in enumerate(nodes):
                if isinstance(node, dict) and (intended_keys := self.intended_keys(node)):
                    keys = self.keys
                    same = {**dict.fromkeys(keys.needs, "needs"), keys.params: "params"}
                    self.misspelt[i] = frozenset(same.get(word, word) for word in intended_keys)
            return [self._parse(model_type, path, node) for (path, _), node in zip(nodes, whole, strict=True)]

    def _parse(self, model_type: type[AnyBody], path: Path, node: Any) -> AnyBody | None:
        if not isinstance(node, dict):
            named = f" with {'an' if self.keys.id == 'id' else 'a'} '{self.keys.id}'"
            message = f"a {self.keys.noun} must be a mapping{named if self.keys.id else ''}"
            says = self.keys.id is None and isinstance(node, str) and "\n" not in node
            hint = f"say what it does: `run: {node}`" if says else ""
            self.error(path, message, "invalid-value", suggestion=hint)
            return None
        try:
            return model_type.model_validate(node)
        except ValidationError as error:
            self.findings += fields.findings(
                error, self.source, path, model_type, self.keys.later, self._level()
            )
            wrong = {str(detail["loc"][0]) for detail in error.errors(include_url=False)}
            if wrong & self._task_keys <= _REMOVABLE and wrong.isdisjoint(self.keys.later):
                # One wrong word hides no other mistake of the task.
                return self._parse(model_type, path, {key: node[key] for key in node if key not in wrong})
            self._actions(node, path)
            return None

    def _level(self) -> Mapping[str, str]:
        """Where the words stand that a task has not."""
        keys = self.keys
        key = {} if keys.id else dict.fromkeys(("id", "name"), f"the key above is the {keys.noun}'s name")
        outputs = {"outputs": "what a script writes to $DAGRUN_OUTPUT are its outputs"}
        return (
            dict.fromkeys(self._document_keys - {f"{keys.noun}s"}, f"it is said once, beside '{keys.noun}s'")
            | key
            | outputs
        )

    def _stub(self, i: int) -> Task:
        """What is known of a task that could not be read: enough for others to depend on it."""
        path, node = self.locations.nodes[i]
        raw = node if isinstance(node, dict) else {}
        intended_keys = (raw[word] for word in raw if self.keys.id in self.intended_keys({word: None}))
        own = raw.get(self.keys.id or "", next(intended_keys, None))
        task_id = own if self.keys.id else path[-1]
        lists = [raw.get(word) for word in self.keys.needs]
        names = [
            entry for each in lists if isinstance(each, list) for entry in each if isinstance(entry, str)
        ]
        return Task(
            id=task_id if isinstance(task_id, str) else self._text(path) or f"#{i}",
            action=_STUB,
            needs=tuple(map(Dependency, dict.fromkeys(names))),
        )

    def _text(self, path: Path) -> str | None:
        """The id of the task at `path` as it was written, which YAML reads as a number."""
        return self.source.written((*path, self.keys.id or ""))

    # --- what the words of one task ask of one another -----------------------------------------------------

    def _check(self, i: int, model: shared_models.BodyModel) -> None:
        path, node = self.locations.nodes[i]
        actions = self._actions(node, path)
        if "retry" in node:
            self.check_retry_keys(node, path)
        if not _RARE_KEYS.isdisjoint(node):
            self._misplaced(node, path, actions)
            self._artifacts(model.artifacts or (), path)

    def _actions(self, node: Mapping[str, Any], path: Path) -> list[str]:
        """The keys that say what the task does: one, if all is right. An image with a script is one thing."""
        noun, choice = self.keys.noun, self._choice
        actions = [word for word in choice if word in node]
        if "image" in actions and not SCRIPTS.isdisjoint(actions):
            actions.remove("image")
        if not actions and not self.keys.idle and _LATER_ACTIONS.isdisjoint(node):
            strange = bool(node) and self._task_keys.isdisjoint(node)
            if not strange and self.intended_keys(node).isdisjoint(choice) and self.unread.isdisjoint(choice):
                hint = f"give it one of {', '.join(map(repr, choice))}"
                self.error(path, f"the {noun} does nothing", "no-action", suggestion=hint)
        elif len(actions) > 1 and _CALLS.issuperset(actions):
            one, other = [word for word in node if word in actions][:2]
            self.synonymous_keys((*path, other), one, other)
        elif len(actions) > 1:
            both = " and ".join(f"'{word}'" for word in actions)
            message = f"a {noun} does one thing, but this one has {both}"
            self.error((*path, actions[1]), message, "two-actions", key=True)
        return actions

    def add_unknown_dependency(self, i: int) -> None:
        """Note that a task may wait for more than is known."""
        self.misspelt[i] = self.misspelt.get(i, frozenset()) | {"needs"}

    def intended_keys(self, node: Mapping[str, Any]) -> set[str]:
        """The words of a task that stand in it under another name, as it was told of them."""
        unknown = [word for word in node if word not in self._task_keys]
        return {each for word in unknown for each in _intended_keys(word, self._task_keys, self._level())}

    def check_retry_keys(self, node: Mapping[str, Any], path: Path) -> None:
        """Tell when `retries` stands beside `retry.max_attempts`."""
        retry = node.get("retry")
        if "retries" in node and isinstance(retry, dict) and "max_attempts" in retry:
            self.synonymous_keys((*path, "retries"), "retries", "retry.max_attempts")

    def _misplaced(self, node: Mapping[str, Any], path: Path, actions: Sequence[str]) -> None:
        noun = self.keys.noun
        scripted, contained = not SCRIPTS.isdisjoint(actions), "image" in node
        many = "matrix" in node or "for_each" in node
        for word, fits, others in (
            ("shell", scripted, "'run' or 'commands'"),
            ("skip_on_exit_codes", scripted or contained, "'run', 'commands' or 'image'"),
            ("services", scripted or contained, "'run', 'commands' or 'image'"),
            ("mount", contained, "'image'"),
            ("pull", contained, "'image'"),
            ("max_parallel", many, "'matrix' or 'for_each'"),
        ):
            if word in node and not fits and (actions or self.keys.idle):
                self.error((*path, word), f"'{word}' is for {noun}s with {others}", "misplaced-key", key=True)
        if "matrix" in node and "for_each" in node:
            second = [word for word in node if word in ("matrix", "for_each")][1]
            message = f"a {noun} has 'matrix' or 'for_each', not both"
            self.error((*path, second), message, "two-spellings", key=True)

    def _artifacts(self, artifacts: Sequence[str], path: Path) -> None:
        kept: dict[str, str] = {}
        for j, artifact in enumerate(artifacts):
            name, at = task_parts.artifact_name(artifact), (*path, "artifacts", j)
            if name is None:
                self.error(at, f"'{artifact}' names nothing in the working directory", "invalid-value")
            elif name in kept:
                message = f"'{kept[name]}' and '{artifact}' would both be kept as '{name}'"
                self.error(at, message, "name-collision")
            else:
                kept[name] = artifact

    # --- what all dialects build alike ---------------------------------------------------------------------

    def task(
        self,
        i: int,
        model: shared_models.BodyModel,
        action: Action | None = None,
        *,
        id: str,
        needs: Iterable[Dependency],
        trigger: Trigger,
        params: Mapping[str, Any] | None,
        retry: Retry | None = None,
        timeout: float | None,
        continue_on_failure: bool | shared_models.ToleratedModel,
    ) -> Task:
        """A task, given what its dialect spells in a way of its own."""
        task = Task(
            id=id,
            action=action or kinds.read_action(vars(model)),
            description=model.description,
            needs=self._unique(i, needs, trigger),
            trigger=trigger,
            condition=model.if_,
            unless=model.unless,
            only_if_changed=model.only_if_changed,
            params=params or NOTHING,
            env=self.env(model.env, lambda name: self.locations.variable(i, name)) if model.env else NOTHING,
            dotenv=tuple(model.dotenv) if model.dotenv else (),
            retry=retry or self.retry(model),
            timeout=timeout,
            working_dir=model.working_dir,
            continue_on_failure=continue_on_failure is True,
            tolerated_exit_codes=task_parts.tolerated(continue_on_failure),
            skip_on_exit_codes=tuple(dict.fromkeys(model.skip_on_exit_codes or ())),
            on_error=OnError(model.on_error) if model.on_error else None,
        )
        if _RARE_KEYS.isdisjoint(self.locations.nodes[i][1]):
            return task
        return replace(
            task,
            matrix=self._matrix(i, model.matrix) if model.matrix else None,
            for_each=tuple(model.for_each) if isinstance(model.for_each, list) else model.for_each,
            max_parallel=model.max_parallel,
            services=self._services(i, model.services or ()),
            artifacts=tuple(model.artifacts or ()),
        )

    def _unique(self, i: int, needs: Iterable[Dependency], trigger: Trigger) -> tuple[Dependency, ...]:
        """Each dependency once. Two entries for one that ask for different ends cannot both be meant."""
        every = tuple(needs)
        if len({need.task for need in every}) == len(every):
            return every
        first: dict[str, Dependency] = {}
        for need in every:
            known = first.setdefault(need.task, need)
            if (known.trigger or trigger) is not (need.trigger or trigger):
                path = self.locations.edges(i, need.task)[-1]
                message = f"'{need.task}' stands here twice, and is to end in different ways"
                self.error(path, message, "contradiction", suggestion="keep one of the entries")
        return tuple(first.values())

    def retry(self, model: shared_models.SharedModel) -> Retry:
        """How often and when a failed attempt is tried again."""
        return (
            task_parts.retry(model.retries, model.retry) if model.retry else self._retries(model.retries or 0)
        )

    def env(self, env: Mapping[str, Any], where: Callable[[str], Path]) -> dict[str, str]:
        """Environment values as the text that was written: `3.10` stays `3.10`, nothing stays empty (CONTRACT 2.4)."""
        return {
            name: value if isinstance(value, str) else fields.written(self.source, where(name))
            for name, value in env.items()
        }

    def _services(
        self, i: int, model: Sequence[str] | Mapping[str, shared_models.ServiceModel]
    ) -> tuple[ServiceContainer, ...]:
        services: dict[str, ServiceContainer] = {}
        for j, each in enumerate(model):
            path = self.locations.service(i, j)
            if isinstance(model, Mapping):
                services[each] = self._service(each, model[each], path)
                continue
            name, hint = task_parts.base_name(each), "write `services` as a mapping of names"
            if name is None:
                self.error(
                    path,
                    f"'{each}' does not say what the service is called",
                    "invalid-value",
                    suggestion=hint,
                )
            elif name in services:
                self.error(path, f"two services would be called '{name}'", "name-collision", suggestion=hint)
            else:
                services[name] = ServiceContainer(name=name, image=each)
        return tuple(services.values())

    def _service(self, name: str, model: shared_models.ServiceModel, path: Path) -> ServiceContainer:
        return ServiceContainer(
            name=name,
            image=model.image,
            env=self.env(model.env, lambda variable: (*path, "env", variable)),
            ports=tuple(map(str, model.ports)),
            health_check=task_parts.health_check(model.health_check),
        )

    def _matrix(self, i: int, model: shared_models.MatrixModel) -> Matrix:
        path, node = self.locations.nodes[i]

        def where(word: str) -> Path:
            if not word:
                return (*path, "matrix")
            return (*path, "matrix", word) if word in node["matrix"] else (*path, word)

        matrix = matrices.read(
            model.__pydantic_extra__,
            model.exclude or node.get("exclude", ()),
            model.include or node.get("include", ()),
            self.source,
            where,
        )
        self._combinations += math.prod(map(len, matrix.axes.values()))
        if self._combinations > matrices.MOST_IN_DOCUMENT and not matrices.too_large(matrix):
            message = f"with this matrix the document has more than {matrices.MOST_IN_DOCUMENT:,} variants"
            self.error((*path, "matrix"), message, "too-many-variants", key=True)
            return matrix
        problems = list(matrices.problems(matrix, self.source, where))
        self.findings += problems
        if not problems:
            self.soft_errors += matrices.in_vain(matrix, self.source, where)
        return matrix


def _intended_keys(word: str, known: Collection[str], level: Mapping[str, str]) -> set[str]:
    """The words that one which nobody knows was told to be."""
    advice = synonyms.advice(word, known, level)
    return {each for each in known if synonyms.names(advice, {each})}


@cache
def _list_of(model_type: type[AnyModel]) -> TypeAdapter[list[AnyModel]]:
    return TypeAdapter(list[model_type])  # type: ignore[valid-type]
