"""What the tests of `runtime` share: the work for the only task of a document."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagrun.core.events import DagStart
from dagrun.core.graph import Graph
from dagrun.core.model import Dag
from dagrun.core.state import RunState
from dagrun.core.work import Attempt, Blob, Json, Work
from dagrun.registry import Registry
from dagrun.runtime.prepared_run import PreparedRun
from dagrun.runtime.work_builder import WorkBuilder
from dagrun.settings import Settings
from tests.unit.harness import task

FILES = {"a.env": {"F": "a", "G": "a"}, "b.env": {"G": "b"}}


def no_file(_: Blob) -> Mapping[str, Json]:
    raise AssertionError


def prepared(dag: Dag, **more: Any) -> PreparedRun:
    return PreparedRun(Graph.compile(dag), "", {}, Registry(), dotenv=FILES, **more)


def builder(dag: Dag, environment: Mapping[str, str], **more: Any) -> WorkBuilder:
    ready = prepared(dag, **more)
    state = RunState(ready.graph)
    state.apply(DagStart(timestamp=0, task_count=1, dag_path="", dag_hash="", max_parallel=1))
    return WorkBuilder(ready, Settings(root=Path("/project")), state, "r1", no_file, environment=environment)


def work(dag: Dag, environment: Mapping[str, str] | None = None, **more: Any) -> Work:
    made = builder(dag, environment or {}, **more)
    node = made.prepared.graph.nodes[0]
    attempt = Attempt(run_id="r1", task_id=node.task.id, number=1, timeout=None)
    made_of = made.start(node, attempt, 0.0)
    assert isinstance(made_of, Work)
    return made_of


def env(
    document: Mapping[str, str],
    own: Mapping[str, str],
    environment: Mapping[str, str] | None = None,
    **more: Any,
) -> dict[str, str]:
    """The variables of the only task of a document."""
    made = work(Dag(name="d", tasks=(task("t", env=own),), env=document), environment, **more)
    return {**made.env, **made.own_env}
