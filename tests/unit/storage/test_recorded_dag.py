"""`dag.json`: written, read back, and refused if it was changed."""

from __future__ import annotations

import json

import pytest

from dagrun.core.model import Dag, OnError, Param, Retry
from dagrun.kinds.shell import ShellAction
from dagrun.kinds.workflow import WorkflowAction
from dagrun.storage.recorded_dag import from_json, to_json
from tests.unit.harness import chain, task


def test_a_dag_survives_its_document() -> None:
    dag = Dag(
        name="d", tenant="t", description="ä", on_error=OnError.CONTINUE, max_parallel=3, timeout=1.5, env={"A": "1"},
        params=(Param(name="p", type="integer", default=3, enum=(1, 3)),),
        tasks=(
            task("a", action=WorkflowAction("w"), params={"n": [1, {"k": None}], "f": 1.0}, retry=Retry(retries=2)),
            task("b", "a", action=ShellAction(("true", "false"), "bash"), timeout=2.0, on_error=OnError.STOP_ALL),
        ),
    )  # fmt: skip
    assert from_json(to_json(dag)) == dag


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"name": "d", "tasks": [{}]}', b"\xff"])
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        from_json(data)


def changed(**keys: object) -> bytes:
    return json.dumps({**json.loads(to_json(chain("a; b<-a"))), **keys}).encode()


def entry(number: int, **keys: object) -> dict[str, object]:
    return {**json.loads(to_json(chain("a; b<-a")))["tasks"][number], **keys}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "truncated"),
        (b"[]", "Expected `object`"),
        (changed(name=5), "Expected `str`, got `int` - at `$.name`"),
        (changed(tasks=[]), "it has no tasks"),
        (changed(tasks=[entry(0, action={"kind": "sum"})]), "a task is of the kind 'sum', which does not exist"),
        (changed(tasks=[entry(0, action={"kind": "shell"})]), "missing required field `commands`"),
        (changed(tasks=[entry(1)]), "'b' needs 'a', which does not exist"),
        (changed(tasks=[entry(0, parallel_with=["z"]), entry(1)]), "'a' needs 'z', which does not exist"),
        (changed(tasks=[entry(0), entry(0)]), "two tasks have the same id"),
        (changed(tasks=[entry(0, needs=[{"task": "b"}]), entry(1)]), "its tasks depend on each other in a cycle"),
        (changed(tasks=[entry(0), entry(1, needs=[{"task": "a[os=x]"}])]), "a task needs 'a[os=x]', which does not exist"),
        (changed(tasks=[entry(0, matrix={"axes": {c: [str(i) for i in range(100)] for c in "abcd"}})]), "100,000,000 combinations"),
        (changed(tasks=[entry(0, condition="((")]), "it is no longer a valid DAG: "),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_no_dag(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match="it is no longer a valid DAG") as error:
        from_json(data)
    assert why in str(error.value)
