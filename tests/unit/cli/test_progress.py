"""What `run` and `status` show of groups and their variants: short, however many there are."""

from __future__ import annotations

import time
from typing import Any

import pytest

from dagrun.cli.history import status_lines
from dagrun.cli.progress import PlainProgress
from dagrun.core.graph import Graph
from dagrun.core.model import Dag, OnError
from dagrun.core.state import RunState
from dagrun.core.work import AttemptResult
from dagrun.testing import ScenarioResult, fails, scenario
from tests.unit.harness import played, task


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.localtime", time.gmtime)


class Shown(PlainProgress):
    """Progress whose lines are kept, without their times."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.lines: list[str] = []

    def write(self, text: str) -> None:
        self.lines.append(text.partition(" ")[2])


def shown(outcome: ScenarioResult) -> list[str]:
    graph = Graph.compile(outcome.record.dag)
    progress, state = Shown(graph), RunState(graph)
    for event in outcome.events():
        state.apply(event)
        progress.event(event, state)
    return progress.lines


def each(count: int, **bodies: Any) -> ScenarioResult:
    """A run of a list of so many items."""
    tasks = (task("list"), task("each", "list", for_each="${{ tasks.list.outputs.x }}"))
    lists = {"list": lambda _: {"x": list(range(count))}}
    return played(*tasks, bodies={**lists, **bodies}, on_error=OnError.CONTINUE)


def test_a_few_variants_have_a_line_each_and_then_their_group() -> None:
    assert shown(each(2, **{"each[1]": fails(9)}))[3:] == [
        "each has 2 variants",
        "each[0] started",
        "each[1] started",
        "each[0] ok in 0.00s",
        "each[1] failed: RuntimeError: boom",
        "each failed: each[1] failed (1/2 passed)",
    ]


def test_of_many_variants_only_those_in_trouble_have_a_line() -> None:
    lines = shown(each(1_000, **{"each[7]": fails(9)}))
    assert lines[3:] == [
        "each has 1000 variants",
        "each[7] failed: RuntimeError: boom",
        "each failed: each[7] failed (999/1000 passed)",
    ]
    assert len(shown(each(200, each=fails(10_000)))) < 30


def test_a_status_lists_a_few_variants_and_of_many_those_in_trouble() -> None:
    few = status_lines(each(2).view)
    assert [line.split()[0] for line in few[-4:]] == ["list", "each[0]", "each[1]", "each"]
    assert few[-1].endswith("2/2 passed")
    many = status_lines(each(1_000, **{"each[7]": fails(9)}).view)
    assert [line.split()[0] for line in many[-4:]] == ["list", "each[7]", "each", "..."]
    assert many[-2].endswith("999/1000 passed: each[7] failed")
    assert many[-1] == "... and 999 variants more; -o json lists all"
    assert len(status_lines(each(200, each=fails(10_000)).view)) < 40


def test_a_failure_that_is_tolerated_is_marked_at_once_and_in_the_status() -> None:
    outcome = played(task("lint", continue_on_failure=True), task("build"), bodies={"lint": fails(9)})
    assert "lint failed: RuntimeError: boom; this is tolerated" in shown(outcome)
    lint, build = status_lines(outcome.view)[-2:]
    assert lint.endswith("RuntimeError: boom (tolerated)")
    assert "tolerated" not in build


def test_an_attempt_that_skips_its_task_is_over() -> None:
    skips = AttemptResult(duration=1.0, error="exit code 99", error_type="CommandFailed", exit_code=99)
    outcome = played(task("sync", skip_on_exit_codes=(99,)), bodies={"sync": lambda _: skips})
    assert "sync skipped: ExitCode exit code 99" in shown(outcome)


def test_the_output_of_a_lists_variants_is_aligned_with_that_of_other_tasks() -> None:
    tasks = (task("a"), task("each", for_each="${{ params.x }}"))
    assert PlainProgress(Graph.compile(Dag(name="d", tasks=tasks))).width == len("each[0]")


def test_status_shows_the_outputs_of_the_run() -> None:
    outcome = scenario(
        "{name: d, outputs: {where: '${{ tasks.a.outputs.path }}'}, tasks: [{id: a, workflow_ref: a}]}",
        bodies={"a": lambda _: {"path": "reports/a.md"}},
    )
    assert status_lines(outcome.view)[-2:] == ["Outputs:", "  where: reports/a.md"]


def test_what_waits_and_who_decides_has_a_line() -> None:
    outcome = scenario(
        """
        on_error: continue
        tasks:
          - {id: gate, approval: {prompt: Deploy?}}
          - {id: undo, approval: {}}
          - {id: go, wait: {signal: go}}
          - {id: past, wait: {until: 2020-01-01}}
          - {id: noon, wait: {until: 2025-10-03T12:00:00Z}}
          - {id: never, approval: {}}
        """,
        answers={"gate": {}, "undo": "no", "go": {}},
    )
    assert shown(outcome)[1:] == [
        "gate waits for an approval: Deploy?",
        "undo waits for an approval: May the run go on?",
        "go waits for the signal 'go'",
        "past does not wait: 2020-01-01 00:00:00 UTC has passed",
        "past ok in 0.00s, unchanged",
        "noon waits until 2025-10-03 12:00:00 UTC",
        "never waits for an approval: May the run go on?",
        "gate approved by somebody",
        "undo rejected by somebody",
        "signal 'go' from somebody",
        "gate ok in 0.00s, unchanged",
        "undo failed: rejected by somebody: no",
        "go ok in 0.00s, unchanged",
        "noon ok in 7200.00s, unchanged",
        "run  pauses: it waits for never",
    ]
