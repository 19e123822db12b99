"""One DAG in three dialects, through all of dagrun: the same plan, the same events, the same end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.harness import Project
from tests.contract.shapes import SHAPES, written

SCRIPT = """'case "$DAGRUN_TASK_ID" in bad*) exit 3;; esac'"""
VARYING = {"run_id", "timestamp", "duration_seconds", "dag_path", "dag_hash"}


def reported(project: Project, dialect: str, shape: str) -> tuple[Any, ...]:
    """What a user sees of it: the picture, the exit code, the events, and how each task ended."""
    name = f"{dialect}.yaml"
    project.write(name, written(dialect, SHAPES[shape], SCRIPT))
    graph = project.answer("plan", name, "--graph", "json").json
    outcome = project.answer("run", name, "--max-parallel", "1", "-o", "json")
    events = [{key: event[key] for key in event.keys() - VARYING} for event in project.events()]
    ends = [(task["id"], task["status"], task["reason"]) for task in outcome.json["tasks"]]
    return graph, outcome.code, events, ends


@pytest.mark.parametrize("shape", ["failure", "matrix", "list"])
def test_whichever_way_it_is_written_it_runs_alike(project: Project, shape: str) -> None:
    native = reported(project, "tasks", shape)
    assert native[1] == (shape == "failure")
    assert reported(project, "steps", shape) == native
    assert reported(project, "jobs", shape) == native
