"""What the expressions of a run can read: parameters, environment, tasks, the run itself, variants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dagrun.clock import to_rfc3339
from dagrun.core.graph import Node, Variant
from dagrun.core.hooks import is_hook
from dagrun.core.model import Dag
from dagrun.core.outcomes import FAILED, Outcome, Status
from dagrun.core.payloads import by_output
from dagrun.core.state import RunState
from dagrun.core.work import Blob, Json
from dagrun.language import expressions
from dagrun.language.expressions import TASK_ROOTS, Expression, Scope
from dagrun.runtime.prepared_run import PreparedRun

#: What a hook reads of a task that the run does not include.
_LEFT_OUT: Mapping[str, Json] = dict.fromkeys(
    ("status", "outputs", "changed", "error", "artifacts", "log_tail")
)


class ExpressionScope:
    """Evaluates the expressions of one run. Reads its state, never changes it.

    `outside` is the environment of dagrun itself. `read_outputs` reads outputs from a file; `artifacts` gives the
    directory of a task's artifacts, `log_tail` the last lines of the log of an attempt, None where there is none. All methods raise EvaluationError for an expression that fails.
    """

    def __init__(
        self,
        prepared: PreparedRun,
        state: RunState,
        run_id: str,
        outside: Mapping[str, str],
        read_outputs: Callable[[Blob], Mapping[str, Json]],
        artifacts: Callable[[str], Path | None],
        log_tail: Callable[[str, int], str | None] = lambda _, __: None,
    ) -> None:
        self._prepared = prepared
        self._state = state
        self._run_id = run_id
        self._outside = outside
        self._read_outputs = read_outputs
        self._find_artifacts = artifacts
        self._read_log_tail = log_tail
        # Of groups, computed once each: they may have many variants, and many tasks that depend on them.
        self._items: dict[int, Sequence[Json]] = {}
        self._gathered: dict[int, Mapping[str, Json]] = {}
        self._artifacts: dict[int, Json] = {}

    def evaluate(self, expression: Expression, node: Node | None, env: Mapping[str, str]) -> Json:
        """The value of one expression, with `env` as the variables of the task."""
        return expression.evaluate(self._scope([expression], node, env))

    def is_true(self, condition: str, node: Node, env: Mapping[str, str]) -> bool:
        """Whether a condition is true. Only a condition can read what changes while the run goes on, as `run.status` does."""
        expression = expressions.condition(condition)
        return expressions.holds(expression.evaluate(self._scope([expression], node, env, with_status=True)))

    def render(self, value: Any, node: Node | None, env: Mapping[str, str], *, secrets: bool = False) -> Any:
        """The value with every expression in its texts evaluated; with `secrets` they can read those."""

        def render(text: str) -> Json:
            template = expressions.template(text)
            read = [placeholder.expression for placeholder in template.placeholders]
            return template.render(self._scope(read, node, env, secrets=secrets))

        return expressions.render_all(value, render)

    def render_text(
        self, text: str, node: Node | None, env: Mapping[str, str], *, secrets: bool = False
    ) -> str:
        """The same for one text, as text."""
        return expressions.as_text(self.render(text, node, env, secrets=secrets)) if "${{" in text else text

    def gathered(self, node: Node) -> Mapping[str, Json]:
        """The outputs of a group that has ended: of each output a map from variant to value, for the variants that succeeded."""
        if node.index not in self._gathered:
            variants = ((self._state.nodes[i].variant, i) for i in node.members or ())
            self._gathered[node.index] = by_output(
                (variant.key, self._outputs(i))
                for variant, i in variants
                if variant is not None and self._state.tasks[i].status is Status.SUCCESS
            )
        return self._gathered[node.index]

    def _outputs(self, i: int) -> Mapping[str, Json]:
        outputs = self._state.tasks[i].outputs
        return self._read_outputs(outputs) if isinstance(outputs, Blob) else outputs

    def _scope(
        self,
        read: Iterable[Expression],
        node: Node | None,
        env: Mapping[str, str],
        *,
        secrets: bool = False,
        with_status: bool = False,
    ) -> Scope:
        """The values for these expressions: of the tasks only those that they name."""
        references = [reference for expression in read for reference in expression.references]
        paths = [each.path for each in references if each.root in TASK_ROOTS and each.path]
        known = {str(path[0]) for path in paths} & self._state.index.keys()
        # Artifacts cost a look at the disk.
        artifacts = any(path[1:2] in ((), ("artifacts",)) for path in paths)
        tasks = {task_id: self._task(task_id, artifacts=artifacts) for task_id in known}
        if node is not None and is_hook(
            node.task.id
        ):  # a selection keeps the hooks, which may name other tasks
            tasks |= {str(path[0]): _LEFT_OUT for path in paths if path[0] not in known}
        if any(path[1:2] in ((), ("log_tail",)) for path in paths):
            tasks |= {task_id: {**tasks[task_id], "log_tail": self._log_tail(task_id)} for task_id in known}
        roots: dict[str, Json] = {
            "params": dict(self._prepared.params),
            "env": {**self._outside, **env},
            "github": github_values(self._outside),
            **dict.fromkeys(TASK_ROOTS, tasks),
        }
        if any(each.root == "run" for each in references):
            roots["run"] = self._run(with_status=with_status or bool(self._state.hooks))
        roots |= self._prepared.roots
        if secrets:
            roots["secrets"] = dict(self._prepared.secrets)
        if node is not None and node.variant is not None:
            if node.variant.group in self._state.items:
                roots["item"] = self._item(node.variant)
            else:
                roots["matrix"] = dict(node.variant.values)
        return Scope(roots=roots, functions=self._functions(node))

    def _item(self, variant: Variant) -> Json:
        items = self._items.get(variant.group)
        if items is None:
            found = self._state.items[variant.group]
            items = self._read_outputs(found)["items"] if isinstance(found, Blob) else found
            self._items[variant.group] = items
        return items[int(variant.key)]

    def _task(self, task_id: str, *, artifacts: bool) -> Json:
        i = self._state.index[task_id]
        node, task = self._state.nodes[i], self._state.tasks[i]
        outputs: Json = None  # every output of a task is null until it, or a variant of it, has succeeded
        if node.members is not None:
            if any(self._state.tasks[member].status is Status.SUCCESS for member in node.members):
                outputs = dict(self.gathered(node))
        elif task.status is Status.SUCCESS:
            outputs = dict(self._outputs(i))
        elif task.status in FAILED:
            outputs = _OutputsOfFailed(self._outputs(i)) or None
        return {
            "status": str(task.status),
            "outputs": outputs,
            "changed": bool(task.changed),
            "error": task.error,
            "artifacts": self._artifacts_of(node) if artifacts else None,
        }

    def _log_tail(self, task_id: str) -> Json:
        """The last lines of the log of a task's last attempt, null where there is none."""
        attempt = self._state.tasks[self._state.index[task_id]].attempt
        return self._read_log_tail(task_id, attempt) if attempt else None

    def _artifacts_of(self, node: Node) -> Json:
        """The directory of a task's artifacts, null where there are none; of a group a map from variant to directory."""
        if node.members is None:
            has_run = self._state.tasks[node.index].status in (Status.SUCCESS, *FAILED)
            directory = self._find_artifacts(node.task.id) if has_run else None
            return None if directory is None else str(directory)
        if node.index not in self._artifacts:
            found = {}
            for i in node.members:
                member = self._state.nodes[i]
                if member.variant is not None and (artifacts := self._artifacts_of(member)) is not None:
                    found[member.variant.key] = artifacts
            self._artifacts[node.index] = found or None
        return self._artifacts[node.index]

    def _run(self, *, with_status: bool) -> Json:
        state, prepared = self._state, self._prepared
        run = run_values(prepared.graph.dag, self._run_id, state.started_at or 0, prepared.scheduled_at)
        if not with_status:
            return run
        end = state.hooks.outcome
        status, reason = (state.status, state.reason) if end is None else (end.status, end.reason)
        return {**run, "status": str(status), "reason": str(reason), "failed": list(state.failures())}

    def _functions(self, node: Node | None) -> Mapping[str, Callable[..., Json]]:
        state, index = self._state, self._state.index
        needs = node.needs if node is not None else ()
        return {
            "success": lambda: all(state.outcome(i) is Outcome.GOOD for i in needs),
            "failure": lambda: node is not None and state.failed_above(node.index),
            "always": lambda: True,
            "cancelled": lambda: any(state.tasks[i].status is Status.CANCELLED for i in needs),
            "changed": lambda task_id: bool(state.tasks[index[task_id]].changed),
        }


class _OutputsOfFailed(dict[str, Json]):
    """The outputs that a task wrote before it failed; any other output of it is null."""

    def __missing__(self, key: str) -> None:
        return None


def run_values(dag: Dag, run_id: str, started_at: float, scheduled_at: str | None) -> dict[str, Json]:
    """The fields of `run` that never change. `scheduled_at` is the minute of the fire, else the start."""
    started = to_rfc3339(started_at)
    return {
        "id": run_id,
        "dag_name": dag.name,
        "tenant": dag.tenant,
        "started_at": started,
        "scheduled_at": scheduled_at or started,
    }


def github_values(environment: Mapping[str, str]) -> dict[str, str]:
    """The fields of `github`: `github.ref` is the variable `GITHUB_REF`, and so on."""
    prefix = "GITHUB_"
    return {
        name[len(prefix) :].lower(): text for name, text in environment.items() if name.startswith(prefix)
    }
