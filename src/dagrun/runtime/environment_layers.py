"""The environment of a task: layers of variables, each of which can read those below it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dagrun.core.graph import Node
from dagrun.core.model import MatrixValue
from dagrun.core.variants import as_text, variable
from dagrun.kinds.kind import located
from dagrun.runtime.expression_scope import ExpressionScope
from dagrun.runtime.prepared_run import PreparedRun

_NOTHING: Mapping[str, str] = {}


class EnvironmentLayers:
    """The variables of one run's tasks, from the lowest layer to the highest: the schedule's, the document's dotenv files and
    its `env`, the matrix values of a variant, the task's dotenv files and its `env`.

    All methods raise EvaluationError for an expression that fails.
    """

    def __init__(self, prepared: PreparedRun, scope: ExpressionScope) -> None:
        self._prepared = prepared
        self._scope = scope
        self._of_run: Mapping[str, str] | None = None

    def of_run(self) -> Mapping[str, str]:
        """The layers of the document, which all tasks share: one object."""
        if self._of_run is None:
            dag = self._prepared.graph.dag
            with located("env"):
                below = {**self._schedule(), **self._files(dag.dotenv)}
                self._of_run = {**below, **self.layer(dag.env, None, below)}
        return self._of_run

    def of_task(self, node: Node) -> Mapping[str, str]:
        """The layers that a task adds."""
        below = self._below_env(node)
        if not node.task.env:
            return below
        with located("env"):
            return {**below, **self.layer(node.task.env, node, {**self.of_run(), **below})}

    def below_env(self, node: Node) -> Mapping[str, str]:
        """All layers below the task's own `env`."""
        return {**self.of_run(), **self._below_env(node)}

    def all(self, node: Node) -> Mapping[str, str]:
        """All layers of a task."""
        return {**self.of_run(), **self.of_task(node)}

    def layer(self, layer: Mapping[str, str], node: Node | None, below: Mapping[str, str]) -> dict[str, str]:
        """One mapping of variables, evaluated. A value sees the names before it and the layers below, also for its own name."""
        values: dict[str, str] = {}
        for name, text in layer.items():
            values[name] = self._scope.render_text(text, node, {**below, **values}, secrets=True)
        return values

    def _below_env(self, node: Node) -> Mapping[str, str]:
        values = node.variant.values if node.variant is not None else None
        if not values and not node.task.dotenv:
            return _NOTHING
        return {**_of_matrix(values or {}), **self._files(node.task.dotenv)}

    def _schedule(self) -> Mapping[str, str]:
        """The schedule that fired the run, and the minute."""
        values = {
            "DAGRUN_SCHEDULE_ID": self._prepared.schedule_id,
            "DAGRUN_SCHEDULED_AT": self._prepared.scheduled_at,
        }
        return {name: value for name, value in values.items() if value is not None}

    def _files(self, paths: Iterable[str]) -> Mapping[str, str]:
        """The variables of dotenv files; the last file wins. A declared secret reaches a task by `env` alone."""
        found = {name: text for path in paths for name, text in self._prepared.dotenv[path].items()}
        return {name: text for name, text in found.items() if name not in self._prepared.secrets}


def _of_matrix(values: Mapping[str, MatrixValue]) -> dict[str, str]:
    """`python: 3.9` of a matrix is `MATRIX_PYTHON=3.9` in the environment."""
    return {variable(name): as_text(value) for name, value in values.items()}
