"""A task of a running run as Work: expressions evaluated, environment layered, secrets handed to those who may have them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dagrun import encoding
from dagrun.clock import to_rfc3339
from dagrun.core.graph import Node, Variant
from dagrun.core.model import Dag, MatrixValue
from dagrun.core.outcomes import FAILED, Outcome, Status
from dagrun.core.payloads import by_output
from dagrun.core.state import RunState
from dagrun.core.variants import MOST_VARIANTS, as_text, variable, variant_id
from dagrun.core.work import Attempt, Blob, Json, Outputs, ServiceBody, Work
from dagrun.documents import parameters
from dagrun.errors import UsageError
from dagrun.kinds import kind_of
from dagrun.kinds.kind import PreparedBody, StartContext, located
from dagrun.language import expressions
from dagrun.language.expressions import EvaluationError, Expression, Scope
from dagrun.runtime.prepared_run import PreparedRun
from dagrun.settings import Settings

TASKS = ("tasks", "jobs", "steps")
_NOTHING: Mapping[str, str] = {}


class WorkBuilder:
    """Makes the Work of one run's attempts, and answers its conditions. Reads the state, never changes it.

    `read_outputs` reads outputs that lie in a file; `artifacts` is where a task has kept something, if it has. All methods raise EvaluationError for an expression that fails.
    """

    def __init__(
        self,
        prepared: PreparedRun,
        settings: Settings,
        state: RunState,
        run_id: str,
        read_outputs: Callable[[Blob], Mapping[str, Json]],
        artifacts: Callable[[str], Path | None] = lambda _: None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.prepared = prepared
        self.settings = settings
        self.state = state
        self.run_id = run_id
        self.dag = prepared.graph.dag
        self._read_outputs = read_outputs
        self._artifacts = artifacts
        outside = encoding.environment() if environment is None else environment
        self._outside = {name: text for name, text in outside.items() if name not in prepared.secrets}
        self._unset, self._masks = tuple(prepared.secrets), tuple(prepared.secrets.values())
        self._masker = prepared.masker
        self._dag_env: Mapping[str, str] | None = None
        self._directories: dict[str, Path] = {}
        self._items: dict[int, Sequence[Json]] = {}
        self._gathered: dict[int, Mapping[str, Json]] = {}
        self._kept: dict[int, Json] = {}

    def condition(self, node: Node) -> bool:
        """Whether the task's `if` and `unless` let it run."""
        env = self._env(node)
        holds = True
        if node.task.condition is not None:
            with located("if"):
                holds = self._holds(node.task.condition, node, env)
        if holds and node.task.unless is not None:
            with located("unless"):
                holds = not self._holds(node.task.unless, node, env)
        return holds

    def items(self, node: Node) -> Sequence[Json]:
        """The list of a for_each. It is recorded, so it holds no secrets."""
        env = self._env(node)
        with located("for_each"):
            items = self._rendered(node.task.for_each, node, env)
            if not isinstance(items, list | tuple):
                hint = "; fromJSON(..) reads one from JSON" if isinstance(items, str) else ""
                raise EvaluationError(f"the value is no list: {self._start(items)}{hint}", 0)
            if len(items) > MOST_VARIANTS:
                raise EvaluationError(
                    f"the list has {len(items):,} items; at most {MOST_VARIANTS:,} can run", 0
                )
            for number in node.task.only_items or ():
                if number >= len(items):
                    message = f"there is no {variant_id(node.task.id, str(number))}: the list has {len(items)} {'item' if len(items) == 1 else 'items'}"
                    raise EvaluationError(message, 0)
            try:
                expressions.as_text(items)
            except ValueError as error:
                raise EvaluationError(str(error), 0) from None
        found: Sequence[Json] = self._masker.value(items)
        return found

    def _inside(self, path: str) -> str:
        """A path that was evaluated and stays in the working directory; whoever keeps it looks at links."""
        parts = Path(os.path.normpath(path)).parts
        if parts[:1] in (("/",), ("//",), ("..",)):
            raise EvaluationError(f"{self._start(path)!r} lies outside the working directory", 0)
        return path

    def _start(self, value: Json) -> str:
        """A value's first characters, for a sentence about it. What is cut in the middle of a secret could not be masked."""
        text = self._masker.text(expressions.as_text(value) if value is not None else "null")
        return text if len(text) <= 80 else f"{text[:77]}..."

    def gathered(self, node: Node) -> Mapping[str, Json]:
        """What a group hands on: of each output a map from variant to value, over the variants that succeeded.

        It is made once: there may be many variants, and many that depend on them. The group must have ended.
        """
        if node.index in self._gathered:
            return self._gathered[node.index]
        variants = ((self.state.nodes[i].variant, i) for i in node.members or ())
        self._gathered[node.index] = by_output(
            (variant.key, self._outputs(i))
            for variant, i in variants
            if variant is not None and self.state.tasks[i].status is Status.SUCCESS
        )
        return self._gathered[node.index]

    def _outputs(self, i: int) -> Mapping[str, Json]:
        outputs = self.state.tasks[i].outputs
        return self._read_outputs(outputs) if isinstance(outputs, Blob) else outputs

    def work(self, node: Node, attempt: Attempt, upstream: Mapping[str, Outputs]) -> Work:
        """All that an attempt needs."""
        task = node.task
        common, own = self._common(), self._own(node)
        started = self._body(node, common, own)
        params = task.params
        if params:
            with located("params"):
                params = self._rendered(params, node, {**common, **own})
        return Work(
            attempt=attempt,
            body=started.body,
            services=self._services(node) if task.services else (),
            params=params,
            upstream=upstream,
            env=common,
            own_env={**own, **started.variables} if started.variables else own,
            unset=self._unset,
            masks=self._masks,
            artifacts=self._named(node, {**common, **own}) if task.artifacts else (),
            cwd=self._directory(node, {**common, **own}),
            max_output_bytes=self.settings.max_output_bytes,
        )

    def outputs(self) -> dict[str, Json]:
        """The outputs of the run."""
        return {name: self._rendered(value, None, self._common()) for name, value in self.dag.outputs.items()}

    # --- what an attempt runs ------------------------------------------------------------------------------

    def _body(self, node: Node, common: Mapping[str, str], own: Mapping[str, str]) -> PreparedBody:
        """What is run, and the variables that it reads."""

        def evaluate(expression: Expression) -> Json:
            return expression.evaluate(self._scope([expression], node, {**common, **own}))

        def render(text: str) -> str:
            return _text(self._rendered(text, node, {**common, **own}))

        return kind_of(node.task).start(
            node.task.action, StartContext(self.prepared.registry, evaluate, render)
        )

    def _services(self, node: Node) -> tuple[ServiceBody, ...]:
        """What is to run beside the body. An `env` of theirs sees what the task's own does."""
        env, below = self._env(node), {**self._common(), **self._below(node)}
        found = []
        for service in node.task.services:
            with located(f"services.{service.name}"):
                image = _text(self._rendered(service.image, node, env))
                found.append(ServiceBody(service.name, image, self._layer(service.env, node, below)))
        return tuple(found)

    def _named(self, node: Node, env: Mapping[str, str]) -> tuple[str, ...]:
        """The artifacts that the task is to keep."""
        with located("artifacts"):
            return tuple(
                self._inside(_text(self._rendered(text, node, env))) if "${{" in text else text
                for text in node.task.artifacts
            )

    def _directory(self, node: Node, env: Mapping[str, str]) -> Path:
        """Where the task runs."""
        written = node.task.working_dir or "."
        if "${{" in written:
            with located("working_dir"):
                written = _text(self._rendered(written, node, env))
                if not written.strip() or "\0" in written:
                    raise EvaluationError(f"{written!r} names no directory", 0)
        if written not in self._directories:
            self._directories[written] = self.settings.path(written)
        return self._directories[written]

    # --- environment ---------------------------------------------------------------------------------------

    def _common(self) -> Mapping[str, str]:
        """The DAG's own layer: one object for all tasks of the run."""
        if self._dag_env is None:
            with located("env"):
                files = {**self._fired(), **self._files(self.dag.dotenv)}
                self._dag_env = {**files, **self._layer(self.dag.env, None, files)}
        return self._dag_env

    def _fired(self) -> Mapping[str, str]:
        """The schedule that fired the run, and the minute."""
        facts = {
            "DAGRUN_SCHEDULE_ID": self.prepared.schedule_id,
            "DAGRUN_SCHEDULED_AT": self.prepared.scheduled_at,
        }
        return {name: value for name, value in facts.items() if value is not None}

    def _own(self, node: Node) -> Mapping[str, str]:
        """What the task adds: what the matrix and its files say, then its own layer, whose expressions see all below."""
        below = self._below(node)
        if not node.task.env:
            return below
        with located("env"):
            return {**below, **self._layer(node.task.env, node, {**self._common(), **below})}

    def _below(self, node: Node) -> Mapping[str, str]:
        values = node.variant.values if node.variant is not None else None
        if not values and not node.task.dotenv:
            return _NOTHING
        return {**_matrix_env(values or {}), **self._files(node.task.dotenv)}

    def _files(self, paths: Iterable[str]) -> Mapping[str, str]:
        """What files of variables say, the last one winning. A declared secret reaches a task by `env` alone."""
        found = {name: text for path in paths for name, text in self.prepared.dotenv[path].items()}
        return {name: text for name, text in found.items() if name not in self.prepared.secrets}

    def _env(self, node: Node) -> Mapping[str, str]:
        """All layers."""
        return {**self._common(), **self._own(node)}

    def _layer(self, layer: Mapping[str, str], node: Node | None, below: Mapping[str, str]) -> dict[str, str]:
        """A mapping of variables. A value sees the names before it and the layers below; its own name is the one below."""
        values: dict[str, str] = {}
        for name, text in layer.items():
            values[name] = (
                _text(self._rendered(text, node, {**below, **values}, secrets=True))
                if "${{" in text
                else text
            )
        return values

    # --- expressions ---------------------------------------------------------------------------------------

    def _rendered(
        self, value: Any, node: Node | None, env: Mapping[str, str], *, secrets: bool = False
    ) -> Any:
        """The value with every expression in it evaluated."""

        def render(text: str) -> Json:
            template = expressions.template(text)
            asking = [hole.expression for hole in template.placeholders]
            return template.render(self._scope(asking, node, env, secrets=secrets))

        return expressions.render_all(value, render)

    def _holds(self, text: str, node: Node, env: Mapping[str, str]) -> bool:
        expression = expressions.condition(text)
        return expressions.holds(expression.evaluate(self._scope([expression], node, env, outcome=True)))

    def _scope(
        self,
        asking: Iterable[Expression],
        node: Node | None,
        env: Mapping[str, str],
        *,
        secrets: bool = False,
        outcome: bool = False,
    ) -> Scope:
        """What the expressions may see: of the tasks only those they name."""
        references = [reference for expression in asking for reference in expression.references]
        read = [each.path for each in references if each.root in TASKS and each.path]
        known = {str(path[0]) for path in read} & self.state.index.keys()
        kept = any(path[1:2] in ((), ("artifacts",)) for path in read)  # else nobody looks at the disk
        tasks = {task_id: self._task(task_id, kept=kept) for task_id in known}
        roots: dict[str, Json] = {
            "params": dict(self.prepared.params),
            "env": {**self._outside, **env},
            "github": github(self._outside),
            **dict.fromkeys(TASKS, tasks),
        }
        if any(each.root == "run" for each in references):
            roots["run"] = self._run(outcome=outcome)
        if secrets:
            roots["secrets"] = dict(self.prepared.secrets)
        if node is not None and node.variant is not None:
            if node.variant.group in self.state.items:
                roots["item"] = self._item(node.variant)
            else:
                roots["matrix"] = dict(node.variant.values)
        return Scope(roots=roots, functions=self._functions(node))

    def _item(self, variant: Variant) -> Json:
        items = self._items.get(variant.group)
        if items is None:
            found = self.state.items[variant.group]
            items = self._read_outputs(found)["items"] if isinstance(found, Blob) else found
            self._items[variant.group] = items
        return items[int(variant.key)]

    def _task(self, task_id: str, *, kept: bool) -> Json:
        i = self.state.index[task_id]
        node, task = self.state.nodes[i], self.state.tasks[i]
        outputs: Json = None  # of a task that has not succeeded, nor any variant of it, every output is null
        if node.members is not None:
            if any(self.state.tasks[member].status is Status.SUCCESS for member in node.members):
                outputs = dict(self.gathered(node))
        elif task.status is Status.SUCCESS:
            outputs = dict(self._outputs(i))
        elif task.status in FAILED:
            outputs = _Unfinished(self._outputs(i)) or None
        return {
            "status": str(task.status),
            "outputs": outputs,
            "changed": bool(task.changed),
            "error": task.error,
            "artifacts": self._kept_by(node) if kept else None,
        }

    def _kept_by(self, node: Node) -> Json:
        """Where a task that has run has kept something; of a group a map from variant to that; null where nothing is."""
        if node.members is None:
            has_run = self.state.tasks[node.index].status in (Status.SUCCESS, *FAILED)
            directory = self._artifacts(node.task.id) if has_run else None
            return None if directory is None else str(directory)
        if node.index not in self._kept:
            found = {}
            for i in node.members:
                member = self.state.nodes[i]
                if member.variant is not None and (kept := self._kept_by(member)) is not None:
                    found[member.variant.key] = kept
            self._kept[node.index] = found or None
        return self._kept[node.index]

    def _run(self, *, outcome: bool) -> Json:
        """What is known of the run; only with `outcome` what may be another thing a moment later."""
        state = self.state
        run = run_facts(self.dag, self.run_id, state.started_at or 0, self.prepared.scheduled_at)
        if not outcome:
            return run
        return {**run, "status": str(state.status), "reason": state.reason, "failed": list(state.failures())}

    def _functions(self, node: Node | None) -> Mapping[str, Callable[..., Json]]:
        state, index = self.state, self.state.index
        needs = node.needs if node is not None else ()
        return {
            "success": lambda: all(state.end(i) is Outcome.GOOD for i in needs),
            "failure": lambda: node is not None and state.failed_above(node.index),
            "always": lambda: True,
            "cancelled": lambda: any(state.tasks[i].status is Status.CANCELLED for i in needs),
            "changed": lambda task_id: bool(state.tasks[index[task_id]].changed),
        }


class _Unfinished(dict[str, Json]):
    """What a task wrote before it failed; any other output of it is null."""

    def __missing__(self, key: str) -> None:
        return None


def with_defaults(
    prepared: PreparedRun, run_id: str, started_at: float, environment: Mapping[str, str] | None = None
) -> PreparedRun:
    """The same with the values of defaults that are expressions, for a run that is created now. Raises UsageError.

    They see no parameters, and of the document's `env` what needs none.
    """
    if not prepared.deferred:
        return prepared
    dag, secrets = prepared.graph.dag, prepared.secrets
    outside = encoding.environment() if environment is None else environment
    env = {name: text for name, text in outside.items() if name not in secrets}
    run = run_facts(dag, run_id, started_at, prepared.scheduled_at)
    roots: dict[str, Json] = {"env": env, "run": run, "github": github(env)}
    files = {name: text for path in dag.dotenv for name, text in prepared.dotenv[path].items()}
    env.update((name, text) for name, text in files.items() if name not in secrets)
    closed = parameters.env_beyond_defaults(dag)
    for name, text in dag.env.items():
        if name not in closed:
            try:
                value = expressions.template(text).render(Scope(roots)) if "${{" in text else text
            except EvaluationError as error:
                raise UsageError(f"env: {name}: {error.message}") from None
            env[name] = _text(value)
    params = parameters.evaluated(dag, prepared.params, prepared.deferred, Scope(roots))
    return replace(prepared, params=params, deferred=frozenset())


def run_facts(dag: Dag, run_id: str, started_at: float, scheduled_at: str | None) -> dict[str, Json]:
    """What every expression may read of its run. `scheduled_at` is the minute of the fire, else the start."""
    started = to_rfc3339(started_at)
    return {
        "id": run_id,
        "dag_name": dag.name,
        "tenant": dag.tenant,
        "started_at": started,
        "scheduled_at": scheduled_at or started,
    }


def _matrix_env(values: Mapping[str, MatrixValue]) -> dict[str, str]:
    """`python: 3.9` of a matrix is `MATRIX_PYTHON=3.9` in the environment."""
    return {variable(name): as_text(value) for name, value in values.items()}


def _text(value: Json) -> str:
    return value if isinstance(value, str) else expressions.as_text(value)


def github(environment: Mapping[str, str]) -> dict[str, str]:
    """`github.ref` is `GITHUB_REF`, and so on."""
    prefix = "GITHUB_"
    return {
        name[len(prefix) :].lower(): text for name, text in environment.items() if name.startswith(prefix)
    }
