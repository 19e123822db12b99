"""Defaults of parameters that are expressions: what they can read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from dagrun.core.graph import Graph
from dagrun.core.model import Dag, Param
from dagrun.core.work import Json
from dagrun.errors import UsageError
from dagrun.registry import Registry
from dagrun.runtime.default_params import with_defaults
from dagrun.runtime.prepared_run import PreparedRun

FILES = {"a.env": {"F": "a", "G": "a"}}


def defaults(dag: Dag, environment: Mapping[str, str], **more: Any) -> Mapping[str, Json]:
    params = {param.name: param.default for param in dag.params}
    ready = PreparedRun(
        Graph.compile(dag), "", params, Registry(), dotenv=FILES, deferred=frozenset(params), **more
    )  # fmt: skip
    done = with_defaults(ready, "r1", 0.0, environment)
    assert done.deferred == frozenset()
    return done.params


def test_a_default_sees_the_run_the_environment_and_github() -> None:
    params = (
        Param(name="id", default="${{ run.id }} of ${{ run.dag_name }}"),
        Param(name="day", default="${{ date(run.scheduled_at, '%Y-%m-%d', 'Europe/Berlin') }}"),
        Param(name="env", default="${{ env.E }}, ${{ env.OUT }}, ${{ env.NONE }}"),
        Param(name="ref", default="${{ github.ref }}"),
    )
    dag = Dag(
        name="d",
        tasks=(),
        params=params,
        dotenv=("a.env",),
        env={"E": "${{ env.F }}!", "P": "${{ params.id }}"},
    )
    environment = {"OUT": "out", "GITHUB_REF": "main"}
    assert defaults(dag, environment, scheduled_at="2026-01-31T23:30:00.000Z") == {
        "id": "r1 of d",
        "day": "2026-02-01",
        "env": "a!, out, ",
        "ref": "main",
    }


def test_a_default_sees_no_declared_secret() -> None:
    dag = Dag(name="d", tasks=(), params=(Param(name="x", default="[${{ env.S }}]"),), secrets=("S",))
    assert defaults(dag, {"S": "geheim"}, secrets={"S": "geheim"}) == {"x": "[]"}


def test_a_default_that_cannot_be_evaluated_is_a_usage_error() -> None:
    dag = Dag(name="d", tasks=(), params=(Param(name="x", default="${{ shift(env.S, '1d') }}"),))
    with pytest.raises(UsageError, match="the default of parameter 'x': shift"):
        defaults(dag, {})
