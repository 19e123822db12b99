"""The work of a run's attempts, with all expressions evaluated; and the conditions, lists and outputs of the run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import assert_never

from dagrun.core.graph import Node
from dagrun.core.hooks import is_hook
from dagrun.core.outcomes import Status
from dagrun.core.state import RunState
from dagrun.core.variants import MAX_VARIANTS, variant_id
from dagrun.core.work import Attempt, Blob, Json, Outputs, ServiceBody, Work
from dagrun.kinds import kind_of
from dagrun.kinds.kind import ChildRun, PreparedBody, StartContext, Wait, located
from dagrun.language import expressions
from dagrun.language.expressions import EvaluationError
from dagrun.process import encoding
from dagrun.runtime.child_runs import ChildWork
from dagrun.runtime.environment_layers import EnvironmentLayers
from dagrun.runtime.expression_scope import ExpressionScope
from dagrun.runtime.prepared_run import PreparedRun
from dagrun.runtime.run_summary import outcome_variables, run_summary
from dagrun.settings import Settings
from dagrun.value import replace


class WorkBuilder:
    """Builds the work of one run's attempts, and evaluates what the run decides by. Reads the state, never changes it.

    `read_outputs`, `artifacts`, `log_tail`: as for `ExpressionScope`; `environment` is that of dagrun, None: the one of this process.
    All methods raise EvaluationError for an expression that fails, and DamagedError for a file of outputs that is damaged.
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
        log_tail: Callable[[str, int], str | None] = lambda _, __: None,
    ) -> None:
        self.prepared = prepared
        self.settings = settings
        self.state = state
        outside = encoding.environment() if environment is None else environment
        hidden = {**prepared.foreign_secrets, **prepared.secrets}
        outside = {name: text for name, text in outside.items() if name not in hidden}
        self._run_id, self._log_tail = run_id, log_tail
        self._scope = ExpressionScope(prepared, state, run_id, outside, read_outputs, artifacts, log_tail)
        self._environment = EnvironmentLayers(prepared, self._scope)
        self._unset, self._masks = tuple(hidden), prepared.masked_texts
        self._masker = prepared.masker
        self._directories: dict[str, Path] = {}

    def condition(self, node: Node) -> bool:
        """Whether the task's `if` and `unless` let it run."""
        env = self._environment.all(node)
        holds = True
        if node.task.condition is not None:
            with located("if"):
                holds = self._scope.is_true(node.task.condition, node, env)
        if holds and node.task.unless is not None:
            with located("unless"):
                holds = not self._scope.is_true(node.task.unless, node, env)
        return holds

    def items(self, node: Node) -> Sequence[Json]:
        """The list of a for_each, with secrets masked: it is recorded."""
        env = self._environment.all(node)
        with located("for_each"):
            items = self._scope.render(node.task.for_each, node, env)
            if not isinstance(items, list | tuple):
                hint = "; fromJSON(..) reads one from JSON" if isinstance(items, str) else ""
                raise EvaluationError(f"the value is no list: {self._excerpt(items)}{hint}", 0)
            if len(items) > MAX_VARIANTS:
                raise EvaluationError(
                    f"the list has {len(items):,} items; at most {MAX_VARIANTS:,} can run", 0
                )
            for number in node.task.only_items or ():
                if number >= len(items):
                    count = f"{len(items)} {'item' if len(items) == 1 else 'items'}"
                    name = variant_id(node.task.id, str(number))
                    raise EvaluationError(f"there is no {name}: the list has {count}", 0)
            try:
                expressions.as_text(items)
            except ValueError as error:
                raise EvaluationError(str(error), 0) from None
        masked: Sequence[Json] = self._masker.value(items)
        return masked

    def start(self, node: Node, attempt: Attempt, now: float) -> Work | ChildWork | Wait:
        """All that an attempt needs, or what the task waits for."""
        of_run, of_task = self._environment.of_run(), self._environment.of_task(node)
        env = {**of_run, **of_task}
        context = StartContext(
            self.prepared.registry,
            lambda expression: self._scope.evaluate(expression, node, env),
            lambda text: self._scope.render_text(text, node, env),
            lambda text: self._scope.render_text(text, node, env, secrets=True),
            lambda: self.prepared.summary or run_summary(self.state, self._run_id, now, self._log_tail),
            now,
            lambda text: self._directory(node, env) / Path(text).expanduser(),
            self.settings.approval_expires_h * 3600,
        )
        started = kind_of(node.task).start(node.task.action, context)
        match started:
            case PreparedBody():
                return self._work(node, attempt, started, of_run, of_task)
            case Wait():
                return self._wait(node, started)
            case ChildRun(dag):
                return ChildWork(attempt, dag, self._params(node, env), self._upstream(node))
            case _:
                assert_never(started)

    def _wait(self, node: Node, wait: Wait) -> Wait:
        """A wait that can be recorded, with the timeout of its task."""
        for what, text in (("file", str(wait.file or "")), ("signal", wait.signal or "")):
            if self._masker.text(text) != text:
                raise EvaluationError(
                    f"wait.{what}: a secret cannot be part of it, because it is recorded", 0
                )
        return wait if wait.timeout is not None else replace(wait, timeout=node.task.timeout)

    def _work(
        self, node: Node, attempt: Attempt, started: PreparedBody, of_run: Mapping[str, str],
        of_task: Mapping[str, str],
    ) -> Work:  # fmt: skip
        task, env = node.task, {**of_run, **of_task}
        if is_hook(task.id):
            of_task = {**outcome_variables(self.state, task.id), **of_task}
        return Work(
            attempt=attempt,
            body=started.body,
            services=self._services(node, env) if task.services else (),
            params=started.params or self._params(node, env),
            upstream=self._upstream(node),
            env=of_run,
            own_env={**of_task, **started.variables} if started.variables else of_task,
            unset=self._unset,
            masks=self._masks,
            artifacts=self._artifacts(node, env) if task.artifacts else (),
            cwd=self._directory(node, env),
            max_output_bytes=self.settings.max_output_bytes,
        )

    def outputs(self) -> dict[str, Json]:
        """The outputs of the run."""
        env, declared = self._environment.of_run(), self.prepared.graph.dag.outputs
        return {name: self._scope.render(value, None, env) for name, value in declared.items()}

    # --- the parts of an attempt's work --------------------------------------------------------------------

    def _params(self, node: Node, env: Mapping[str, str]) -> Mapping[str, Json]:
        params = node.task.params
        if params:
            with located("params"):
                params = self._scope.render(params, node, env)
        return params

    def _upstream(self, node: Node) -> dict[str, Outputs]:
        """The outputs of the dependencies that succeeded, by id; those of a group are of its variants that did."""
        upstream: dict[str, Outputs] = {}
        for i in node.needs:
            above = self.state.nodes[i]
            if above.members is not None:
                upstream[above.task.id] = self._scope.gathered(above)
            elif self.state.tasks[i].status is Status.SUCCESS:
                upstream[above.task.id] = self.state.tasks[i].outputs
        return upstream

    def _services(self, node: Node, env: Mapping[str, str]) -> tuple[ServiceBody, ...]:
        """The containers that run beside the body. Their `env` can read the same layers as the task's own."""
        below = self._environment.below_env(node)
        found = []
        for service in node.task.services:
            with located(f"services.{service.name}"):
                image = self._scope.render_text(service.image, node, env)
                own = self._environment.layer(service.env, node, below)
                found.append(ServiceBody(service.name, image, own))
        return tuple(found)

    def _artifacts(self, node: Node, env: Mapping[str, str]) -> tuple[str, ...]:
        with located("artifacts"):
            return tuple(
                self._inside(self._scope.render_text(text, node, env)) if "${{" in text else text
                for text in node.task.artifacts
            )

    def _inside(self, path: str) -> str:
        """A path that was evaluated, if it stays in the working directory. Links are checked when artifacts are copied."""
        parts = Path(os.path.normpath(path)).parts
        if parts[:1] in (("/",), ("//",), ("..",)):
            raise EvaluationError(f"{self._excerpt(path)!r} lies outside the working directory", 0)
        return path

    def _directory(self, node: Node, env: Mapping[str, str]) -> Path:
        written = node.task.working_dir or "."
        if "${{" in written:
            with located("working_dir"):
                written = self._scope.render_text(written, node, env)
                if not written.strip() or "\0" in written:
                    raise EvaluationError(f"{written!r} names no directory", 0)
        if written not in self._directories:
            self._directories[written] = self.settings.path(written)
        return self._directories[written]

    def _excerpt(self, value: Json) -> str:
        """The first characters of a value, for a message. It is masked before it is cut: half a secret cannot be masked."""
        text = self._masker.text(expressions.as_text(value) if value is not None else "null")
        return text if len(text) <= 80 else f"{text[:77]}..."
