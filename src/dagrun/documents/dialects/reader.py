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
from dagrun.documents.dialects.dialect import Path, Written
from dagrun.documents.dialects.locations import Node, NodePlaces, Spelling
from dagrun.documents.yaml import Finding, Source

AnyWire = TypeVar("AnyWire", bound=fields.Wire)
AnyBody = TypeVar("AnyBody", bound=shared_models.Body)

NOTHING: Mapping[str, Any] = {}
SCRIPTS = frozenset({"run", "commands"})
#: Words for one thing, to call a registered function.
_CALLS = frozenset({"workflow_ref", "toolRef", "agentRef"})
_LATER_ACTIONS = frozenset({"dag", "approval", "wait", "orchestrationRef"})
#: Words that most tasks do without.
_RARE = frozenset(
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
_APART = frozenset(
    {
        "description", "kind", "trigger", "on_complete", "if", "unless", "only_if_changed", "retries", "retry",
        "retryBackoffSeconds", "timeout", "timeoutSeconds", "continue_on_failure", "continueOnFailure", "on_error",
        "working_dir", "shell", "mount", "pull", "artifacts", "max_parallel", "skip_on_exit_codes",
    }
)  # fmt: skip
_STUB = kinds.read_action({})


class Reader:
    """One document on its way to a Dag; collects every finding."""

    def __init__(
        self, source: Source, spelling: Spelling, body: type[shared_models.Body], root: Path = ()
    ) -> None:
        self.source = source
        self.spelling = spelling
        self._choice = spelling.actions
        #: What a task may say, and what a document may say beside its tasks.
        self._words = frozenset(fields.words(body))
        self._beside: frozenset[str] = frozenset()
        #: Words that could not be read: what they declare is not known.
        self.unread: set[str] = set()
        self.misspelt: dict[int, frozenset[str]] = {}
        self.places = NodePlaces(spelling, (), root)
        self.findings: list[Finding] = []
        #: Errors that leave the task they are about as it is: it is checked on.
        self.asides: list[Finding] = []
        self.broken: set[int] = set()
        self._combinations = 0  # of all matrices so far, before `exclude` and `include`
        # Thousands of tasks say the same; what is equal is one value.
        self._retries = cache(lambda retries: Retry(retries=retries))

    def tell(self, path: Path, message: str, code: str, *, suggestion: str = "", key: bool = False) -> None:
        """Note an error."""
        self.findings.append(Finding(self.source.place(path, key=key), message, code, suggestion))

    def two_spellings(self, path: Path, one: str, other: str) -> None:
        """Note that two words say one thing."""
        message = f"'{one}' and '{other}' say the same thing; keep one"
        self.tell(path, message, "two-spellings", key=True)

    # --- the document --------------------------------------------------------------------------------------

    def document(
        self,
        model: type[AnyWire],
        data: Mapping[str, Any],
        path: Path = (),
        level: Mapping[str, str] = NOTHING,
    ) -> AnyWire:
        """A node whose keys may all be left out. Those that are wrong are told, and left out.

        `level` says where words stand that are not for this node.
        """
        good = dict(data)
        if issubclass(model, shared_models.Document):
            self._beside = frozenset(fields.words(model))
        each = self._words - {"kind"}  # that of a document is another thing
        level = {**dict.fromkeys(each, f"each {self.spelling.noun} says it for itself"), **level}
        while True:
            try:
                return model.model_validate(good)
            except ValidationError as error:
                self.findings += fields.findings(error, self.source, path, model, LATER_DAG_KEYS, level)
                known = fields.words(model)
                for word in {str(detail["loc"][0]) for detail in error.errors()}:
                    self.unread |= {word, *(() if word in known else _meant(word, known, level))}
                    good.pop(word, None)

    def name(self, own: str | None, given: str | None, hint: str = "name: my_dag") -> str:
        """The DAG's name: its own, or the one that comes with the file."""
        if own is None and not (given and is_name(given)):
            why = (
                f"'{given}' cannot be one: {NAME_RULE}"
                if given
                else "text without a file has none of its own"
            )
            self.tell((), f"the DAG needs a name: {why}", "missing-name", suggestion=f"add `{hint}`")
        return own or given or "unnamed"

    def nodes(self, data: Mapping[str, Any], word: str, kind: type[list[Any]] | type[dict[str, Any]]) -> Any:
        """What stands under `word`, if it is a list, or mapping, that holds something; else an empty one."""
        path, nodes = self.places.document(word), data.get(word)
        if word not in data and any(synonyms.names(each.suggestion, path) for each in self.findings):
            return kind()  # a misspelt key was told of already
        if nodes is None or nodes in ([], {}):
            hint = f"write the {self.spelling.noun}s under '{word}:'" if word not in data else ""
            message = "ValidationError: DAG must have at least one task"
            self.tell(path, message, "no-tasks", suggestion=hint, key=True)
        elif isinstance(nodes, kind):
            return nodes
        else:
            shape, begin = ("list", f"- {self.spelling.id}:") if kind is list else ("mapping", "my-job:")
            message = f"'{word}' must be a {shape} of {self.spelling.noun}s"
            self.tell(path, message, "invalid-value", suggestion=f"begin each with `{begin}`")
        return kind()

    def written(self, document: shared_models.Document, tasks: Iterable[Task], **own: Any) -> Written:
        """The Dag with everything that could be read."""
        dag = Dag(
            description=document.description,
            tenant=document.tenant_id,
            params=tuple(self._param(name, value) for name, value in document.params.items()),
            env=self.env(document.env, lambda name: (*self.places.document("env"), name)),
            max_parallel=document.max_parallel,
            dotenv=tuple(document.dotenv),
            secrets=tuple(dict.fromkeys(document.secrets)),
            outputs=document.outputs,
            tasks=tuple(tasks),
            **own,
        )
        return Written(
            dag,
            (*self.findings, *self.asides),
            self.source,
            self.places,
            frozenset(self.broken),
            frozenset(self.unread),
            self.misspelt,
        )

    def _param(self, name: str, value: Any) -> Param:
        if not isinstance(value, dict) or value.keys().isdisjoint(shared_models.DECLARING):
            return Param(name=name, default=value)
        self.places.declared.add(name)
        try:
            declared = shared_models.Declaration.model_validate(value)
        except ValidationError as error:
            path = (*self.places.document("params"), name)
            self.findings += fields.findings(error, self.source, path, shared_models.Declaration, {})
            return Param(name=name)
        return Param(
            name=name, type=declared.type, default=declared.default, enum=tuple(declared.enum),
            required=declared.required, description=declared.description,
        )  # fmt: skip

    # --- its tasks -----------------------------------------------------------------------------------------

    def tasks(
        self,
        model: type[AnyBody],
        nodes: Sequence[Node],
        build: Callable[[int, AnyBody], Task],
        whole: Sequence[Any] | None = None,
    ) -> list[Task]:
        """Every node as a task. `whole` are the nodes with what the document says for all of them."""
        self.places.nodes = nodes
        tasks: list[Task] = []
        for i, wired in enumerate(self._wired(model, nodes, whole or [node for _, node in nodes])):
            if wired is None:
                self.broken.add(i)
                tasks.append(self._stub(i))
                continue
            self._check(i, wired)
            before = len(self.findings)
            task = build(i, wired)
            if len(self.findings) > before:
                self.broken.add(i)
                task = self._stub(i)
            tasks.append(task)
        return tasks

    def _wired(
        self, model: type[AnyBody], nodes: Sequence[Node], whole: Sequence[Any]
    ) -> Sequence[AnyBody | None]:
        try:
            return _list_of(model).validate_python(whole)
        except ValidationError:  # Each by itself now, so that one that is wrong hides no other.
            for i, (_, node) in enumerate(nodes):
                if isinstance(node, dict) and (meant := self.meant(node)):
                    spelling = self.spelling
                    same = {**dict.fromkeys(spelling.needs, "needs"), spelling.params: "params"}
                    self.misspelt[i] = frozenset(same.get(word, word) for word in meant)
            return [self._one(model, path, node) for (path, _), node in zip(nodes, whole, strict=True)]

    def _one(self, model: type[AnyBody], path: Path, node: Any) -> AnyBody | None:
        if not isinstance(node, dict):
            named = f" with {'an' if self.spelling.id == 'id' else 'a'} '{self.spelling.id}'"
            message = f"a {self.spelling.noun} must be a mapping{named if self.spelling.id else ''}"
            says = self.spelling.id is None and isinstance(node, str) and "\n" not in node
            hint = f"say what it does: `run: {node}`" if says else ""
            self.tell(path, message, "invalid-value", suggestion=hint)
            return None
        try:
            return model.model_validate(node)
        except ValidationError as error:
            self.findings += fields.findings(
                error, self.source, path, model, self.spelling.later, self._level()
            )
            wrong = {str(detail["loc"][0]) for detail in error.errors(include_url=False)}
            if wrong & self._words <= _APART and wrong.isdisjoint(self.spelling.later):
                # One wrong word hides no other mistake of the task.
                return self._one(model, path, {key: node[key] for key in node if key not in wrong})
            self._actions(node, path)
            return None

    def _level(self) -> Mapping[str, str]:
        """Where the words stand that a task has not."""
        spelling = self.spelling
        key = (
            {}
            if spelling.id
            else dict.fromkeys(("id", "name"), f"the key above is the {spelling.noun}'s name")
        )
        outputs = {"outputs": "what a script writes to $DAGRUN_OUTPUT are its outputs"}
        return (
            dict.fromkeys(self._beside - {f"{spelling.noun}s"}, f"it is said once, beside '{spelling.noun}s'")
            | key
            | outputs
        )

    def _stub(self, i: int) -> Task:
        """What is known of a task that could not be read: enough for others to depend on it."""
        path, node = self.places.nodes[i]
        raw = node if isinstance(node, dict) else {}
        meant = (raw[word] for word in raw if self.spelling.id in self.meant({word: None}))
        own = raw.get(self.spelling.id or "", next(meant, None))
        task_id = own if self.spelling.id else path[-1]
        lists = [raw.get(word) for word in self.spelling.needs]
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
        return self.source.written((*path, self.spelling.id or ""))

    # --- what the words of one task ask of one another -----------------------------------------------------

    def _check(self, i: int, wired: shared_models.Body) -> None:
        path, node = self.places.nodes[i]
        actions = self._actions(node, path)
        if "retry" in node:
            self.one_retry(node, path)
        if not _RARE.isdisjoint(node):
            self._misplaced(node, path, actions)
            self._artifacts(wired.artifacts or (), path)

    def _actions(self, node: Mapping[str, Any], path: Path) -> list[str]:
        """The keys that say what the task does: one, if all is right. An image with a script is one thing."""
        noun, choice = self.spelling.noun, self._choice
        actions = [word for word in choice if word in node]
        if "image" in actions and not SCRIPTS.isdisjoint(actions):
            actions.remove("image")
        if not actions and not self.spelling.idle and _LATER_ACTIONS.isdisjoint(node):
            strange = bool(node) and self._words.isdisjoint(node)
            if not strange and self.meant(node).isdisjoint(choice) and self.unread.isdisjoint(choice):
                hint = f"give it one of {', '.join(map(repr, choice))}"
                self.tell(path, f"the {noun} does nothing", "no-action", suggestion=hint)
        elif len(actions) > 1 and _CALLS.issuperset(actions):
            one, other = [word for word in node if word in actions][:2]
            self.two_spellings((*path, other), one, other)
        elif len(actions) > 1:
            both = " and ".join(f"'{word}'" for word in actions)
            message = f"a {noun} does one thing, but this one has {both}"
            self.tell((*path, actions[1]), message, "two-actions", key=True)
        return actions

    def loosen(self, i: int) -> None:
        """Note that a task may wait for more than is known."""
        self.misspelt[i] = self.misspelt.get(i, frozenset()) | {"needs"}

    def meant(self, node: Mapping[str, Any]) -> set[str]:
        """The words of a task that stand in it under another name, as it was told of them."""
        unknown = [word for word in node if word not in self._words]
        return {each for word in unknown for each in _meant(word, self._words, self._level())}

    def one_retry(self, node: Mapping[str, Any], path: Path) -> None:
        """Tell when `retries` stands beside `retry.max_attempts`."""
        retry = node.get("retry")
        if "retries" in node and isinstance(retry, dict) and "max_attempts" in retry:
            self.two_spellings((*path, "retries"), "retries", "retry.max_attempts")

    def _misplaced(self, node: Mapping[str, Any], path: Path, actions: Sequence[str]) -> None:
        noun = self.spelling.noun
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
            if word in node and not fits and (actions or self.spelling.idle):
                self.tell((*path, word), f"'{word}' is for {noun}s with {others}", "misplaced-key", key=True)
        if "matrix" in node and "for_each" in node:
            second = [word for word in node if word in ("matrix", "for_each")][1]
            message = f"a {noun} has 'matrix' or 'for_each', not both"
            self.tell((*path, second), message, "two-spellings", key=True)

    def _artifacts(self, artifacts: Sequence[str], path: Path) -> None:
        kept: dict[str, str] = {}
        for j, artifact in enumerate(artifacts):
            name, at = task_parts.artifact_name(artifact), (*path, "artifacts", j)
            if name is None:
                self.tell(at, f"'{artifact}' names nothing in the working directory", "invalid-value")
            elif name in kept:
                message = f"'{kept[name]}' and '{artifact}' would both be kept as '{name}'"
                self.tell(at, message, "name-collision")
            else:
                kept[name] = artifact

    # --- what all dialects build alike ---------------------------------------------------------------------

    def task(
        self,
        i: int,
        wired: shared_models.Body,
        action: Action | None = None,
        *,
        id: str,
        needs: Iterable[Dependency],
        trigger: Trigger,
        params: Mapping[str, Any] | None,
        retry: Retry | None = None,
        timeout: float | None,
        continue_on_failure: bool | shared_models.Tolerated,
    ) -> Task:
        """A task, given what its dialect spells in a way of its own."""
        task = Task(
            id=id,
            action=action or kinds.read_action(vars(wired)),
            description=wired.description,
            needs=self._once(i, needs, trigger),
            trigger=trigger,
            condition=wired.if_,
            unless=wired.unless,
            only_if_changed=wired.only_if_changed,
            params=params or NOTHING,
            env=self.env(wired.env, lambda name: self.places.variable(i, name)) if wired.env else NOTHING,
            dotenv=tuple(wired.dotenv) if wired.dotenv else (),
            retry=retry or self.retry(wired),
            timeout=timeout,
            working_dir=wired.working_dir,
            continue_on_failure=continue_on_failure is True,
            tolerated_exit_codes=task_parts.tolerated(continue_on_failure),
            skip_on_exit_codes=tuple(dict.fromkeys(wired.skip_on_exit_codes or ())),
            on_error=OnError(wired.on_error) if wired.on_error else None,
        )
        if _RARE.isdisjoint(self.places.nodes[i][1]):
            return task
        return replace(
            task,
            matrix=self._matrix(i, wired.matrix) if wired.matrix else None,
            for_each=tuple(wired.for_each) if isinstance(wired.for_each, list) else wired.for_each,
            max_parallel=wired.max_parallel,
            services=self._services(i, wired.services or ()),
            artifacts=tuple(wired.artifacts or ()),
        )

    def _once(self, i: int, needs: Iterable[Dependency], trigger: Trigger) -> tuple[Dependency, ...]:
        """Each dependency once. Two entries for one that ask for different ends cannot both be meant."""
        every = tuple(needs)
        if len({need.task for need in every}) == len(every):
            return every
        first: dict[str, Dependency] = {}
        for need in every:
            known = first.setdefault(need.task, need)
            if (known.trigger or trigger) is not (need.trigger or trigger):
                path = self.places.edges(i, need.task)[-1]
                message = f"'{need.task}' stands here twice, and is to end in different ways"
                self.tell(path, message, "contradiction", suggestion="keep one of the entries")
        return tuple(first.values())

    def retry(self, wired: shared_models.Shared) -> Retry:
        """How often and when a failed attempt is tried again."""
        return (
            task_parts.retry(wired.retries, wired.retry) if wired.retry else self._retries(wired.retries or 0)
        )

    def env(self, env: Mapping[str, Any], where: Callable[[str], Path]) -> dict[str, str]:
        """Environment values as the text that was written: `3.10` stays `3.10`, nothing stays empty (CONTRACT 2.4)."""
        return {
            name: value if isinstance(value, str) else fields.written(self.source, where(name))
            for name, value in env.items()
        }

    def _services(
        self, i: int, wired: Sequence[str] | Mapping[str, shared_models.Service]
    ) -> tuple[ServiceContainer, ...]:
        services: dict[str, ServiceContainer] = {}
        for j, each in enumerate(wired):
            path = self.places.service(i, j)
            if isinstance(wired, Mapping):
                services[each] = self._service(each, wired[each], path)
                continue
            name, hint = task_parts.base_name(each), "write `services` as a mapping of names"
            if name is None:
                self.tell(
                    path,
                    f"'{each}' does not say what the service is called",
                    "invalid-value",
                    suggestion=hint,
                )
            elif name in services:
                self.tell(path, f"two services would be called '{name}'", "name-collision", suggestion=hint)
            else:
                services[name] = ServiceContainer(name=name, image=each)
        return tuple(services.values())

    def _service(self, name: str, wired: shared_models.Service, path: Path) -> ServiceContainer:
        return ServiceContainer(
            name=name,
            image=wired.image,
            env=self.env(wired.env, lambda variable: (*path, "env", variable)),
            ports=tuple(map(str, wired.ports)),
            health_check=task_parts.health_check(wired.health_check),
        )

    def _matrix(self, i: int, wired: shared_models.Matrix) -> Matrix:
        path, node = self.places.nodes[i]

        def where(word: str) -> Path:
            if not word:
                return (*path, "matrix")
            return (*path, "matrix", word) if word in node["matrix"] else (*path, word)

        matrix = matrices.read(
            wired.__pydantic_extra__,
            wired.exclude or node.get("exclude", ()),
            wired.include or node.get("include", ()),
            self.source,
            where,
        )
        self._combinations += math.prod(map(len, matrix.axes.values()))
        if self._combinations > matrices.MOST_IN_DOCUMENT and not matrices.too_large(matrix):
            message = f"with this matrix the document has more than {matrices.MOST_IN_DOCUMENT:,} variants"
            self.tell((*path, "matrix"), message, "too-many-variants", key=True)
            return matrix
        problems = list(matrices.problems(matrix, self.source, where))
        self.findings += problems
        if not problems:
            self.asides += matrices.in_vain(matrix, self.source, where)
        return matrix


def _meant(word: str, known: Collection[str], level: Mapping[str, str]) -> set[str]:
    """The words that one which nobody knows was told to be."""
    advice = synonyms.advice(word, known, level)
    return {each for each in known if synonyms.names(advice, {each})}


@cache
def _list_of(model: type[AnyWire]) -> TypeAdapter[list[AnyWire]]:
    return TypeAdapter(list[model])  # type: ignore[valid-type]
