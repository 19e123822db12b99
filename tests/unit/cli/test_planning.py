"""The command `plan`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Command

DAG = "name: etl\ntasks: [{id: a, run: x}, {id: b, run: y, depends_on: [a]}]\n"


@pytest.fixture(autouse=True)
def document(command: Command, tmp_path: Path) -> None:
    (tmp_path / "etl.yaml").write_text(DAG)


def test_a_plan_has_waves(command: Command) -> None:
    code, out, err = command("plan", "etl.yaml")
    assert (code, err) == (0, "")
    assert out.index("a") < out.index("b")


def test_a_plan_as_json_is_one_object(command: Command) -> None:
    code, out, _ = command("plan", "etl.yaml", "-o", "json", "--max-parallel", "2")
    assert (code, json.loads(out)["dag"]) == (0, "etl")


@pytest.mark.parametrize(("drawing", "mark"), [("mermaid", "flowchart"), ("dot", "digraph"), ("json", "{")])
def test_a_graph_is_printed_in_each_format(command: Command, drawing: str, mark: str) -> None:
    code, out, _ = command("plan", "etl.yaml", "--graph", drawing)
    assert (code, mark in out) == (0, True)


@pytest.mark.parametrize("words", [["--graph", "dot", "-o", "json"], ["--graph", "svg"], ["--tenant", "a b"]])
def test_a_wrong_request_ends_with_2(command: Command, words: list[str]) -> None:
    assert command("plan", "etl.yaml", *words)[0] == 2
