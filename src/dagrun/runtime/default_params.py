"""Defaults of parameters that are expressions, evaluated when a run is created."""

from __future__ import annotations

from collections.abc import Mapping

from dagrun.core.work import Json
from dagrun.documents import parameters
from dagrun.errors import UsageError
from dagrun.language import expressions
from dagrun.language.expressions import EvaluationError, Scope
from dagrun.process import encoding
from dagrun.runtime.expression_scope import github_values, run_values
from dagrun.runtime.prepared_run import PreparedRun
from dagrun.value import replace


def with_defaults(
    prepared: PreparedRun, run_id: str, started_at: float, environment: Mapping[str, str] | None = None
) -> PreparedRun:
    """The run with the values of its deferred parameters. Raises UsageError.

    These expressions see no parameters, and of the document's `env` only what needs none. `environment` is that of
    dagrun; None: the one of this process.
    """
    if not prepared.deferred:
        return prepared
    dag, secrets = prepared.graph.dag, prepared.secrets
    outside = encoding.environment() if environment is None else environment
    env = {name: text for name, text in outside.items() if name not in secrets}
    run = run_values(dag, run_id, started_at, prepared.scheduled_at)
    roots: dict[str, Json] = {"env": env, "run": run, "github": github_values(env)}
    files = {name: text for path in dag.dotenv for name, text in prepared.dotenv[path].items()}
    env.update((name, text) for name, text in files.items() if name not in secrets)
    closed = parameters.env_beyond_defaults(dag)
    for name, text in dag.env.items():
        if name not in closed:
            try:
                value = expressions.template(text).render(Scope(roots)) if "${{" in text else text
            except EvaluationError as error:
                raise UsageError(f"env: {name}: {error.message}") from None
            env[name] = expressions.as_text(value)
    params = parameters.evaluated(dag, prepared.params, prepared.deferred, Scope(roots))
    return replace(prepared, params=params, deferred=frozenset())
