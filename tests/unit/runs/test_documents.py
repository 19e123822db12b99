"""The DAG of a run as a document."""

from __future__ import annotations

import pytest

from dagrun.model import Dag, OnError, Param, Retry, ShellAction, WorkflowAction
from dagrun.runs.documents import from_json, to_json
from tests.unit.harness import task


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
