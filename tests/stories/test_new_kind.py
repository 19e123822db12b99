"""A kind of task from outside dagrun, in all that dagrun does with a document: nothing but a row in the table is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from dagrun.documents.dialects.schema import schema
from dagrun.kinds import KINDS
from tests.stories import file_kind
from tests.unit.harness import load

DAG = """
name: intake
params: {folder: .}
tasks:
  - {id: which, run: 'echo "name=data.csv" >> "$DAGRUN_OUTPUT"'}
  - id: input
    depends_on: [which]
    needs_file: {path: "${{ params.folder }}/${{ tasks.which.outputs.name }}"}
  - {id: report, depends_on: [input], run: "echo ${{ tasks.input.outputs.size }} bytes"}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a document that uses the kind."""
    (tmp_path / "dagrun.toml").write_text("")
    (tmp_path / "dag.yaml").write_text(DAG)
    return tmp_path


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind in the table of this process, until the test ends."""
    monkeypatch.setitem(KINDS, file_kind.KIND.name, file_kind.KIND)


def dagrun(project: Path, *words: str) -> tuple[int, str]:
    """The exit code of a command line for a dagrun with the kind, and all that it printed."""
    done = subprocess.run(
        [sys.executable, file_kind.__file__, *words], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def test_a_new_kind_is_validated_planned_run_explained_and_resumed(project: Path) -> None:
    assert dagrun(project, "validate", "dag.yaml")[0] == 0
    label = "input (file: ${{ params.folder }}/${{ tasks.which.outputs.name }}, depends_on: which)"
    assert label in dagrun(project, "plan", "dag.yaml")[1]
    assert label in dagrun(project, "run", "dag.yaml", "--dry-run")[1]

    assert dagrun(project, "run", "dag.yaml")[0] == 1
    code, why = dagrun(project, "why", "latest", "input")
    assert (code, "input failed" in why, "exit code 1" in why) == (0, True, True), why

    (project / "data.csv").write_text("12345")
    code, shown = dagrun(project, "resume", "latest")
    assert code == 0, shown
    assert "5 bytes" in dagrun(project, "logs", "latest", "report")[1]
    assert '"kind": "file"' in dagrun(project, "status", "latest", "-o", "json")[1]


def test_what_its_texts_read_belongs_to_a_choice_of_tasks(project: Path) -> None:
    code, shown = dagrun(project, "run", "dag.yaml", "--only", "input")
    assert code == 2, shown
    assert "task 'input' reads tasks.which, which is not part of this run" in shown


@pytest.mark.parametrize(
    ("task", "reported"),
    [
        ('needs_file: {path: "a ${{ params.x }}"}', "dag.yaml:3:46: error: undeclared parameter 'x'"),
        ("needs_file: {}", "dag.yaml:3:25: error: missing key 'path'"),
        ("needs_file: {path: x, mode: r}", "unknown key 'mode'"),
        ("needs_file: 5", "'needs_file' must be a mapping"),
        ("needs_file: {path: x}, run: ls", "a task has one action, but this one has 'run' and 'needs_file'"),
    ],
)
@pytest.mark.usefixtures("registered")
def test_what_is_wrong_with_one_is_reported_where_it_is_written(task: str, reported: str) -> None:
    _, shown = load(f"name: d\ntasks:\n  - {{id: a, {task}}}\n")
    assert reported in shown


@pytest.mark.usefixtures("registered")
def test_the_schema_of_each_dialect_has_its_key() -> None:
    native = Draft7Validator(schema("native"))
    assert native.is_valid({"tasks": [{"id": "a", "needs_file": {"path": "x"}}]})
    assert not native.is_valid({"tasks": [{"id": "a", "needs_file": {"path": "x"}, "run": "ls"}]})
    assert Draft7Validator(schema("jobs")).is_valid({"jobs": {"a": {"needs_file": {"path": "x"}}}})
    assert Draft7Validator(schema("steps")).is_valid({"steps": [{"name": "a", "needs_file": {"path": "x"}}]})


def test_no_dialect_knows_it_when_it_is_not_registered() -> None:
    assert not Draft7Validator(schema("native")).is_valid(
        {"tasks": [{"id": "a", "needs_file": {"path": "x"}}]}
    )
