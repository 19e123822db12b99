"""The common part of all dialects: from a document to a Dag. Only the keys differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Final, TypeVar

from pydantic import FailFast, TypeAdapter, ValidationError

from dagrun import kinds
from dagrun.core.model import (
    DECLARING,
    LATER_DAG_KEYS,
    NAME_RULE,
    Action,
    Dag,
    Dependency,
    Hook,
    Matrix,
    OnError,
    Param,
    Retry,
    ServiceContainer,
    Task,
    Trigger,
    is_name,
)
from dagrun.documents.dialects import fields, matrices, shared_models, synonyms, task_parts, wait_models
from dagrun.documents.dialects.declarations import DeclarationModel
from dagrun.documents.dialects.dialect import Locations, ParsedDocument, Path, TooManyFindings
from dagrun.documents.dialects.locations import DialectKeys, Node, NodeLocations
from dagrun.documents.yaml import Finding, Source
from dagrun.documents.yaml.values import brief
from dagrun.value import replace

AnyModel = TypeVar("AnyModel", bound=fields.StrictModel)
AnyBody = TypeVar("AnyBody", bound=shared_models.BodyModel)

NOTHING: Mapping[str, Any] = {}
SCRIPTS = frozenset({"run", "commands"})
_TIMEOUTS = frozenset({"timeout", "timeoutSeconds"})
#: Keys that most tasks do not have.
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
#: Keys that can be removed from a task without making other keys wrong.
_REMOVABLE = frozenset(
    {
        "description", "kind", "trigger", "on_complete", "if", "unless", "only_if_changed", "retries", "retry",
        "retryBackoffSeconds", "timeout", "timeoutSeconds", "continue_on_failure", "continueOnFailure", "on_error",
        "working_dir", "shell", "mount", "pull", "artifacts", "max_parallel", "skip_on_exit_codes",
    }
)  # fmt: skip
_STUB = kinds.read_action({})


#: Nobody reads more.
MAX_FINDINGS: Final = 1_000


class DocumentReader:
    """Reads one document into a Dag and collects all findings."""

    def __init__(
        self, source: Source, keys: DialectKeys, body: type[fields.StrictModel], root: Path = ()
    ) -> None:
        self.source = source
        self.keys = keys
        self._choice = keys.actions
        #: The keys of a task, and those of a document.
        self._task_keys = frozenset(fields.keys_of(body))
        self._document_keys: frozenset[str] = frozenset()
        #: Keys that could not be read: their declarations are not known.
        self.unread: set[str] = set()
        self.misspelt: dict[int, frozenset[str]] = {}
        self.locations = NodeLocations(keys, (), root)
        self.findings: list[Finding] = []
        #: Errors after which their task can still be checked.
        self.soft_errors: list[Finding] = []
        self.broken: set[int] = set()
        self._combinations = 0  # of all matrices so far, before `exclude` and `include`
        # Thousands of tasks have equal values, which are shared.
        self._retries = cache(lambda retries: Retry(retries=retries))

    def error(self, path: Path, message: str, code: str, *, suggestion: str = "", key: bool = False) -> None:
        """Report an error."""
        self.report([Finding(self.source.place(path, key=key), message, code, suggestion)])

    def report(self, findings: Iterable[Finding]) -> None:
        """Add findings. Raises TooManyFindings: each costs more memory than the text that causes it."""
        for finding in findings:
            self.findings.append(finding)
            if len(self.findings) >= MAX_FINDINGS:
                raise TooManyFindings(self.findings)

    def synonymous_keys(self, path: Path, one: str, other: str) -> None:
        """Report that two keys have the same meaning."""
        message = f"'{one}' and '{other}' mean the same; keep one"
        self.error(path, message, "two-spellings", key=True)

    # --- the document --------------------------------------------------------------------------------------

    def document(
        self,
        model_type: type[AnyModel],
        data: Mapping[str, Any],
        path: Path = (),
        level: Mapping[str, str] = NOTHING,
    ) -> AnyModel:
        """Parse a node whose keys are all optional. Wrong keys are reported and ignored.

        `level` gives advice for keys that belong to another level of the document.
        """
        good = dict(data)
        if issubclass(model_type, shared_models.DocumentModel):
            self._document_keys = frozenset(fields.keys_of(model_type))
        each = self._task_keys - {"kind"}  # a document has a key of this name too
        level = {**dict.fromkeys(each, f"it belongs to each {self.keys.noun}"), **level}
        while True:
            try:
                return model_type.model_validate(good)
            except ValidationError as error:
                self.report(fields.findings(error, self.source, path, model_type, LATER_DAG_KEYS, level))
                known = fields.keys_of(model_type)
                for word in {str(detail["loc"][0]) for detail in error.errors()}:
                    self.unread |= {word, *(() if word in known else _intended_keys(word, known, level))}
                    good.pop(word, None)

    def name(self, own: str | None, given: str | None, hint: str = "name: my_dag") -> str:
        """The name of the DAG: its own, otherwise the one of the file."""
        if own is None and not (given and is_name(given)):
            why = (
                f"'{given}' is not a valid name: {NAME_RULE}"
                if given
                else "text without a file has no default name"
            )
            self.error((), f"the DAG needs a name: {why}", "missing-name", suggestion=f"add `{hint}`")
        return own or given or "unnamed"

    def nodes(self, data: Mapping[str, Any], word: str, kind: type[list[Any]] | type[dict[str, Any]]) -> Any:
        """The value of the key `word` if it is a non-empty list or mapping, otherwise an empty one."""
        path, nodes = self.locations.document(word), data.get(word)
        if word not in data and any(synonyms.mentions(each.suggestion, path) for each in self.findings):
            return kind()  # a misspelt key is already reported
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

    def result(
        self, document: shared_models.DocumentModel, tasks: Iterable[Task], **own: Any
    ) -> ParsedDocument:
        """The Dag with everything that could be read."""
        hooks, hook_locations = self._hooks(document)
        dag = Dag(
            description=document.description,
            tenant=document.tenant_id,
            params=tuple(self._param(name, value) for name, value in document.params.items()),
            env=self.env(document.env, lambda name: (*self.locations.document("env"), name)),
            max_parallel=document.max_parallel,
            dotenv=tuple(document.dotenv),
            secrets=tuple(dict.fromkeys(document.secrets)),
            outputs=document.outputs,
            hooks=hooks,
            sla=task_parts.sla(document.sla),
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
            hook_locations,
        )

    def _hooks(self, document: shared_models.DocumentModel) -> tuple[tuple[Hook, ...], Locations | None]:
        if "hooks" not in document.model_fields_set:
            return (), None
        from dagrun.documents.dialects.hooks import HookReader  # most documents have none

        reader = HookReader(self.source, self.locations.document("hooks"))
        found = reader.read(document.hooks)
        self.report(reader.findings)
        return found, reader.locations

    def _param(self, name: str, value: Any) -> Param:
        if not isinstance(value, dict) or value.keys().isdisjoint(DECLARING):
            return Param(name=name, default=value)
        self.locations.declared.add(name)
        try:
            declared = DeclarationModel.model_validate(value)
        except ValidationError as error:
            path = (*self.locations.document("params"), name)
            self.report(fields.findings(error, self.source, path, DeclarationModel, {}))
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
        """All nodes as tasks. `whole` are the nodes with the defaults of the document merged in."""
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
        except ValidationError:  # one by one now, so that all errors are found
            for i, (_, node) in enumerate(nodes):
                if isinstance(node, dict) and (intended := self.intended_keys(node)):
                    keys = self.keys
                    same = {**dict.fromkeys(keys.needs, "needs"), keys.params: "params"}
                    self.misspelt[i] = frozenset(same.get(word, word) for word in intended)
            return [self._parse(model_type, path, node) for (path, _), node in zip(nodes, whole, strict=True)]

    def _parse(self, model_type: type[AnyBody], path: Path, node: Any) -> AnyBody | None:
        if not isinstance(node, dict):
            named = f" with {'an' if self.keys.id == 'id' else 'a'} '{self.keys.id}'"
            message = f"a {self.keys.noun} must be a mapping{named if self.keys.id else ''}"
            says = self.keys.id is None and isinstance(node, str) and "\n" not in node
            hint = f"write `run: {brief(node)}`" if says else ""
            self.error(path, message, "invalid-value", suggestion=hint)
            return None
        try:
            return model_type.model_validate(node)
        except ValidationError as error:
            self.report(fields.findings(error, self.source, path, model_type, self.keys.later, self._level()))
            wrong = {str(detail["loc"][0]) for detail in error.errors(include_url=False)}
            if wrong & self._task_keys <= _REMOVABLE and wrong.isdisjoint(self.keys.later):
                # One wrong key must not hide other errors of the task.
                return self._parse(model_type, path, {key: node[key] for key in node if key not in wrong})
            self._actions(node, path)
            return None

    def _level(self) -> Mapping[str, str]:
        """Advice for keys that belong to another level than a task."""
        keys = self.keys
        key = (
            {} if keys.id else dict.fromkeys(("id", "name"), f"the key above is the name of the {keys.noun}")
        )
        outputs = {"outputs": "the outputs of a script are the lines that it writes to $DAGRUN_OUTPUT"}
        return (
            dict.fromkeys(
                self._document_keys - {f"{keys.noun}s"}, f"it belongs to the document, next to '{keys.noun}s'"
            )
            | key
            | outputs
        )

    def _stub(self, i: int) -> Task:
        """The known parts of a task that could not be read: enough for others to depend on it."""
        path, node = self.locations.nodes[i]
        raw = node if isinstance(node, dict) else {}
        intended = (raw[word] for word in raw if self.keys.id in self.intended_keys({word: None}))
        own = raw.get(self.keys.id or "", next(intended, None))
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
        """The id of the task at `path` as written, if YAML reads it as a number."""
        return self.source.written((*path, self.keys.id or ""))

    # --- which keys of a task can be combined ---------------------------------------------------------------

    def _check(self, i: int, model: shared_models.BodyModel) -> None:
        path, node = self.locations.nodes[i]
        actions = self._actions(node, path)
        if len(actions) == 1:
            self._meaningless(node, path, actions[0])
        if "retry" in node:
            self.check_retry_keys(node, path)
        if model.approval is not None:
            self.report(wait_models.approval_problems(node, path, self.source))
        if model.wait is not None:
            self.report(wait_models.wait_problems(model.wait, node, path, self.source))
        if not _RARE_KEYS.isdisjoint(node):
            self._misplaced(node, path, actions)
            self._artifacts(model.artifacts or (), path)

    def _actions(self, node: Mapping[str, Any], path: Path) -> list[str]:
        """The action keys of a task: exactly one if the task is correct. An image with a script counts as one."""
        noun, choice = self.keys.noun, self._choice
        actions = [word for word in choice if word in node]
        if "image" in actions and not SCRIPTS.isdisjoint(actions):
            actions.remove("image")
        if not actions and not self.keys.idle:
            strange = bool(node) and self._task_keys.isdisjoint(node)
            if not strange and self.intended_keys(node).isdisjoint(choice) and self.unread.isdisjoint(choice):
                hint = f"give it one of {', '.join(map(repr, choice))}"
                self.error(path, f"the {noun} has no action", "no-action", suggestion=hint)
        elif len(actions) > 1 and len({*map(shared_models.action_key, actions)}) == 1:
            one, other = [word for word in node if word in actions][:2]
            self.synonymous_keys((*path, other), one, other)
        elif len(actions) > 1:
            both = " and ".join(f"'{word}'" for word in actions)
            message = f"a {noun} has one action, but this one has {both}"
            self.error((*path, actions[1]), message, "two-actions", key=True)
        return actions

    def add_unknown_dependency(self, i: int) -> None:
        """Note that a task may have dependencies that are not known."""
        self.misspelt[i] = self.misspelt.get(i, frozenset()) | {"needs"}

    def intended_keys(self, node: Mapping[str, Any]) -> set[str]:
        """The keys that the unknown keys of a task were meant to be, according to the advice for them."""
        unknown = [word for word in node if word not in self._task_keys]
        return {each for word in unknown for each in _intended_keys(word, self._task_keys, self._level())}

    def check_retry_keys(self, node: Mapping[str, Any], path: Path) -> None:
        """Report `retries` together with `retry.max_attempts`."""
        retry = node.get("retry")
        if "retries" in node and isinstance(retry, dict) and "max_attempts" in retry:
            self.synonymous_keys((*path, "retries"), "retries", "retry.max_attempts")

    def _meaningless(self, node: Mapping[str, Any], path: Path, action: str) -> None:
        for word in shared_models.meaningless_with(action):
            if word in node:
                hint = f"a child run has its own document; pass values with '{self.keys.params}'"
                message = f"'{word}' has no effect with '{action}'"
                self.error((*path, word), message, "misplaced-key", suggestion=hint, key=True)

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
                self.error((*path, word), f"'{word}' needs {others}", "misplaced-key", key=True)
        if "matrix" in node and "for_each" in node:
            second = [word for word in node if word in ("matrix", "for_each")][1]
            message = f"a {noun} has 'matrix' or 'for_each', not both"
            self.error((*path, second), message, "two-spellings", key=True)

    def _artifacts(self, artifacts: Sequence[str], path: Path) -> None:
        kept: dict[str, str] = {}
        for j, artifact in enumerate(artifacts):
            name, at = task_parts.artifact_name(artifact), (*path, "artifacts", j)
            if name is None:
                self.error(at, f"'{artifact}' is not in the working directory", "invalid-value")
            elif name in kept:
                message = f"'{kept[name]}' and '{artifact}' would both be stored as '{name}'"
                self.error(at, message, "name-collision")
            else:
                kept[name] = artifact

    # --- building tasks -----------------------------------------------------------------------------------

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
        """A task. The arguments are the values whose keys differ between dialects."""
        action = action or kinds.read_action(vars(model))
        if not action.holds_slot and _TIMEOUTS.isdisjoint(self.locations.nodes[i][1]):
            timeout = None  # a default is meant for bodies
        task = Task(
            id=id,
            action=action,
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
        """The dependencies without duplicates. Two entries for one task with different triggers are an error."""
        every = tuple(needs)
        if len({need.task for need in every}) == len(every):
            return every
        first: dict[str, Dependency] = {}
        for need in every:
            known = first.setdefault(need.task, need)
            if (known.trigger or trigger) is not (need.trigger or trigger):
                path = self.locations.edges(i, need.task)[-1]
                message = f"'{need.task}' is listed twice, with different triggers"
                self.error(path, message, "contradiction", suggestion="keep one of the entries")
        return tuple(first.values())

    def retry(self, model: shared_models.SharedModel) -> Retry:
        """How often and when a failed attempt is tried again."""
        return (
            task_parts.retry(model.retries, model.retry) if model.retry else self._retries(model.retries or 0)
        )

    def env(self, env: Mapping[str, Any], where: Callable[[str], Path]) -> dict[str, str]:
        """Values of an environment as the text in the document: `3.10` stays `3.10`, and no value becomes the empty text."""
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
                    f"'{brief(each)}' gives the service no name",
                    "invalid-value",
                    suggestion=hint,
                )
            elif name in services:
                self.error(
                    path, f"two services would have the name '{name}'", "name-collision", suggestion=hint
                )
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
        if self._combinations > matrices.MAX_IN_DOCUMENT and not matrices.too_large(matrix):
            message = f"with this matrix the document has more than {matrices.MAX_IN_DOCUMENT:,} variants"
            self.error((*path, "matrix"), message, "too-many-variants", key=True)
            return matrix
        problems = list(matrices.problems(matrix, self.source, where))
        self.report(problems)
        if not problems:
            self.soft_errors += matrices.in_vain(matrix, self.source, where)
        return matrix


def _intended_keys(word: str, known: Collection[str], level: Mapping[str, str]) -> set[str]:
    """The keys that an unknown one was meant to be, according to the advice for it."""
    advice = synonyms.advice(word, known, level)
    return {each for each in known if synonyms.mentions(advice, {each})}


@cache
def _list_of(model_type: type[AnyModel]) -> TypeAdapter[list[AnyModel]]:
    return TypeAdapter(Annotated[list[model_type], FailFast()])  # type: ignore[valid-type, arg-type]
