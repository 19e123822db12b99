"""Drawings, word for word; whatever a document says, they stay well-formed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.core.graph import Graph
from dagrun.core.model import Dag, Dependency, Matrix, Trigger
from dagrun.testing import dag
from dagrun.value import replace
from dagrun.views import drawing
from tests.unit.harness import shown, task

RELEASE = Graph.compile(
    dag(
        """
        name: release
        tasks:
          - {id: end, run: "true"}
          - {id: 1.lint-it, run: "true", depends_on: [end], only_if_changed: true}
          - {id: deploy, run: "true", depends_on: [1.lint-it, {task: end, trigger: always}], if: "params.stage == 'x'"}
          - {id: rollback, run: "true", depends_on: [deploy], trigger: failure}
        params: {stage: x}
        """
    )
)


def test_mermaid() -> None:
    assert drawing.mermaid(RELEASE) == shown(
        """
        ---
        title: "release"
        ---
        flowchart TD
            n0["end"]
            n1["1.lint-it<br/>only if changed"]
            n2["deploy<br/>if: params.stage == #39;x#39;"]
            n3["rollback"]
            n0 --> n1
            n1 --> n2
            n0 -->|"always"| n2
            n2 -->|"failure"| n3
        """
    )


def test_dot() -> None:
    assert drawing.dot(RELEASE) == shown(
        """
        digraph "release" {
            node [shape=box];
            "end";
            "1.lint-it" [label="1.lint-it\\nonly if changed"];
            "deploy" [label="deploy\\nif: params.stage == 'x'"];
            "rollback";
            "end" -> "1.lint-it";
            "1.lint-it" -> "deploy";
            "end" -> "deploy" [label="always"];
            "deploy" -> "rollback" [label="failure"];
        }
        """
    )


def test_json() -> None:
    assert json.loads(drawing.as_json(RELEASE)) == {
        "dag": "release",
        "nodes": [
            {"id": "end", "kind": "shell", "trigger": "success"},
            {"id": "1.lint-it", "kind": "shell", "trigger": "success"},
            {"id": "deploy", "kind": "shell", "trigger": "success", "if": "params.stage == 'x'"},
            {"id": "rollback", "kind": "shell", "trigger": "failure"},
        ],
        "edges": [
            {"from": "end", "to": "1.lint-it", "trigger": "success"},
            {"from": "1.lint-it", "to": "deploy", "trigger": "success"},
            {"from": "end", "to": "deploy", "trigger": "always"},
            {"from": "deploy", "to": "rollback", "trigger": "failure"},
        ],
    }


QUOTED = r'"((?:[^"\\]|\\.)*)"'
DOT_LINE = re.compile(rf" {{4}}{QUOTED}(?: -> {QUOTED})?(?: \[label={QUOTED}\])?;")
MERMAID_TEXT = r'"((?:[A-Za-z0-9 _.,:=-]|#\d+;|<br/>)*)"'
MERMAID_LINE = re.compile(rf" {{4}}(?:n\d+\[{MERMAID_TEXT}\]|n\d+ -->(?:\|{MERMAID_TEXT}\|)? n\d+)")


def hostile(name: str, text: str) -> Graph:
    """A task of any name at all, on an edge with a trigger, and one with any text in its condition."""
    condition = "'" + text.replace("'", "''") + "' == 'x'"
    deploy = replace(task("deploy", condition=condition), needs=(Dependency(name, Trigger.ALWAYS),))
    return Graph.compile(Dag(name="hostile", tasks=(task(name), deploy)))


any_name = st.one_of(
    st.sampled_from(
        ["test[os=ubuntu,python=3.9]", "t[0]", "end", "graph", "1", "a-->b", 'a"]', "a\\", "<b>", "é"]
    ),
    st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=30),
).filter(lambda name: name != "deploy")
any_text = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=30)


@given(any_name, any_text.filter(lambda text: "${{" not in text))
def test_whatever_tasks_are_called_mermaid_stays_well_formed(name: str, text: str) -> None:
    *_, first, second, edge = drawing.mermaid(hostile(name, text)).split("\n")
    found = MERMAID_LINE.fullmatch(first)
    assert found is not None
    assert re.sub(r"#(\d+);", lambda code: chr(int(code[1])), found[1]) == name
    assert MERMAID_LINE.fullmatch(second)
    assert edge == '    n0 -->|"always"| n1'


@given(any_name, any_text.filter(lambda text: "${{" not in text))
def test_whatever_tasks_are_called_dot_stays_well_formed(name: str, text: str) -> None:
    *_, first, second, edge, end = drawing.dot(hostile(name, text)).split("\n")
    node, arrow = DOT_LINE.fullmatch(first), DOT_LINE.fullmatch(edge)
    assert node is not None
    assert arrow is not None
    assert re.sub(r"\\(.)", r"\1", node[1]) == re.sub(r"\\(.)", r"\1", arrow[1]) == name
    assert DOT_LINE.fullmatch(second)
    assert end == "}"


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_reads_it() -> None:
    text = drawing.dot(hostile('a"]\\', 'x"\\'))
    subprocess.run(["dot", "-Tcanon"], input=text, text=True, check=True, capture_output=True)


def test_a_long_condition_is_cut_and_a_second_line_is_left_out() -> None:
    graph = hostile("a", "y" * 200)
    assert "y" * 54 + " ..." in drawing.dot(graph)
    assert "y" * 60 not in drawing.dot(graph)


def test_a_group_is_drawn_as_one_task() -> None:
    matrix = Matrix(axes={"os": ("ubuntu", "alpine")})
    tasks = (
        task("test", matrix=matrix, condition="matrix.os"), task("each", "test", for_each="${{ tasks.test.outputs.x }}"),
        task("one", "test[os=ubuntu]"), task("three", for_each=(1, 2, 3)),
    )  # fmt: skip
    found = Graph.compile(Dag(name="d", tasks=tasks))
    assert drawing.mermaid(found).splitlines()[4:] == [
        '    n0["test<br/>2 variants<br/>if: matrix.os"]',
        '    n1["each<br/>for each of a list"]',
        '    n2["one"]',
        '    n3["three<br/>for each of 3 items"]',
        "    n0 --> n1",
        '    n0 -->|"#91;os=ubuntu#93;"| n2',
    ]
    assert '"test" -> "one" [label="[os=ubuntu]"];' in drawing.dot(found)
    shape = json.loads(drawing.as_json(found))
    assert shape["nodes"][0]["variants"] == 2
    assert [(edge["from"], edge["to"]) for edge in shape["edges"]] == [("test", "each"), ("test", "one")]
