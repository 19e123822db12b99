"""What every dialect promises: the same DAG, written in each, is the same Dag."""

from __future__ import annotations

import pytest

from dagrun.core.graph import Graph
from dagrun.core.model import Dag, OnError
from dagrun.testing import dag, scenario
from dagrun.value import replace
from dagrun.views import drawing
from tests.contract.shapes import SHAPES, written
from tests.unit.harness import load, read, reported

SAME = {
    "tasks": """
        name: same
        on_error: continue
        params: {region: eu}
        outputs: {rows: "${{ tasks.load.outputs.rows }}"}
        tasks:
          - {id: fetch, run: "fetch ${{ params.region }}", retries: 2, timeout: 300, env: {V: 3.10}}
          - {id: load, workflow_ref: loader, params: {n: 1}, depends_on: [fetch], continue_on_failure: true, timeout: 300}
          - {id: test, image: "py:${{ matrix.v }}", commands: [pytest], depends_on: [fetch], matrix: {v: [3.9, 3.10]}, timeout: 300}
          - {id: clean, run: rm, depends_on: [fetch, load, test], trigger: always, if: "always()", timeout: 300}
    """,
    "steps": """
        metadata: {name: same}
        spec:
          params: {region: eu}
          outputs: {rows: "${{ tasks.load.outputs.rows }}"}
          steps:
            - {name: fetch, dependsOn: [], run: "fetch ${{ params.region }}", retries: 2, timeoutSeconds: 300, env: {V: 3.10}}
            - {name: load, toolRef: {name: loader}, with: {n: 1}, dependsOn: [fetch], continueOnFailure: true, timeoutSeconds: 300}
            - {name: test, image: "py:${{ matrix.v }}", commands: [pytest], dependsOn: [fetch], matrix: {v: [3.9, 3.10]}, timeoutSeconds: 300}
            - {name: clean, run: rm, dependsOn: [fetch, load, test], trigger: always, if: "always()", timeoutSeconds: 300}
    """,
    "jobs": """
        name: same
        params: {region: eu}
        outputs: {rows: "${{ tasks.load.outputs.rows }}"}
        jobs:
          fetch: {run: "fetch ${{ params.region }}", retries: 2, env: {V: 3.10}}
          load: {workflow_ref: loader, params: {n: 1}, requires: [fetch], continue_on_failure: true}
          test: {image: "py:${{ matrix.v }}", commands: [pytest], requires: [fetch], matrix: {v: [3.9, 3.10]}}
          clean: {run: rm, on_complete: always, if: "always()"}
    """,
}
ONE = {"tasks": "tasks: [{{id: a, {}}}]", "steps": "steps: [{{name: a, {}}}]", "jobs": "jobs: {{a: {{{}}}}}"}
dialects = pytest.mark.parametrize("dialect", ONE)


@dialects
def test_the_same_document_is_the_same_dag(dialect: str) -> None:
    same: Dag = read(SAME[dialect], name="file")
    assert same.on_error is OnError.CONTINUE
    assert replace(same, timeout=None) == read(SAME["tasks"])


@dialects
@pytest.mark.parametrize(
    "words",
    [
        "run: x, matrix: {os: [a, b], exclude: [{os: a}]}, max_parallel: 1",
        "run: x, for_each: [1, 2], artifacts: [out/*.txt], services: [redis:7]",
        "image: x, mount: ['.:/w'], pull: always, working_dir: sub",
        "commands: [x, y], shell: bash, only_if_changed: false, on_error: stop_all, description: D",
        "run: x, retry: {max_attempts: 3, on_errors: [Timeout]}, unless: cancelled(), env: {A: on}",
    ],
)
def test_words_that_are_spelt_alike_mean_the_same(dialect: str, words: str) -> None:
    task = read(ONE[dialect].format(words)).tasks[0]
    assert replace(task, timeout=None) == read(ONE["tasks"].format(words)).tasks[0]


@dialects
@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("run: x, colour: blue", "unknown-key"),
        ("run: 5", "invalid-value"),
        ("run: ", "invalid-value"),
        ("run: x, commands: [y]", "two-actions"),
        ("run: x, retries: 1, retry: {max_attempts: 2}", "two-spellings"),
        ("run: x, pull: always", "misplaced-key"),
        ("run: x, matrix: {}", "empty-matrix"),
        ("run: 'echo ${{ params.x }}'", "invalid-expression"),
        ("run: x, env: {A: '${{ secrets.X }}'}", "invalid-expression"),
        ("run: x, target: _any", "not-supported-yet"),
        ("dag: other, env: {A: b}", "misplaced-key"),
        ("approval: {required_role: Boss}", "invalid-value"),
        ("wait: {seconds: 1, signal: go}", "two-actions"),
    ],
)
def test_what_is_wrong_is_wrong_in_each(dialect: str, words: str, code: str) -> None:
    assert [
        line.split()[-1] for line in reported(ONE[dialect].format(words)).splitlines() if ": error: " in line
    ] == [f"[{code}]"]


@dialects
def test_what_is_wrong_with_the_whole_is_wrong_in_each(dialect: str) -> None:
    text = {
        "tasks": "{}\ntasks: [{{id: a, run: x}}]",
        "steps": "{}\nsteps: [{{name: a}}]",
        "jobs": "{}\njobs: {{a: {{run: x}}}}",
    }
    for line in (
        "colour: blue",
        "max_parallel: 0",
        "secrets: A",
        "outputs: {a: '${{ tasks.b.status }}'}",
        "params: {a: {type: x}}",
    ):
        _, findings = load(text[dialect].format(line), name="d")
        assert findings.count(": error: ") == 1, line
        assert findings.startswith("dag.yaml:1:"), line


# --- the same run, whichever way it was written ---


def broken(_: object) -> None:
    raise RuntimeError("boom")


@dialects
@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_document_runs_alike(dialect: str, shape: str) -> None:
    """The same events at the same moments, and the same picture."""
    one, other = (
        scenario(written(each, SHAPES[shape]), {"bad": broken}, max_parallel=3) for each in (dialect, "tasks")
    )
    graphs = [Graph.compile(dag(written(each, SHAPES[shape]))) for each in (dialect, "tasks")]
    assert drawing.as_json(graphs[0]) == drawing.as_json(graphs[1])
    assert [event for event in one.events() if event.name != "dag_start"] == [
        event for event in other.events() if event.name != "dag_start"
    ]
    assert one.started == other.started
    assert (one.reasons, one.params) == (other.reasons, other.params)
