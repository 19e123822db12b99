"""The dry run and the plan, word for word."""

from __future__ import annotations

from dagrun.core.graph import Graph
from dagrun.core.model import Dag, Matrix
from dagrun.core.work import AttemptResult
from dagrun.testing import dag, scenario
from dagrun.views import plan
from dagrun.views.estimate import Estimate, History, estimate
from tests.unit.harness import played, shown, task
from tests.unit.views.harness import planned, took

NOW = 1_759_485_600.0  # 2025-10-03 10:00:00 UTC

RELEASE = """
    name: release
    tenant_id: acme
    tasks:
      - {id: build, run: "make\\nmake check"}
      - {id: lint, workflow_ref: lint, depends_on: [build]}
      - {id: test, run: "pytest", depends_on: [build]}
      - {id: deploy, run: "./deploy", depends_on: [lint, {task: test, trigger: none_failed}]}
      - {id: rollback, run: "./back", depends_on: [deploy], trigger: failure}
"""


def test_the_plan_without_history() -> None:
    assert plan.as_text(planned(RELEASE), NOW) == shown(
        """
        PLAN: DAG 'release'
        Tenant: acme
        Tasks: 5 in 4 waves, at most 8 at once

        Wave 1:
          build (shell: make, depends_on: none)

        Wave 2 (2 in parallel):
          lint (workflow: lint, depends_on: build)
          test (shell: pytest, depends_on: build)

        Wave 3:
          deploy (shell: ./deploy, depends_on: lint, test [none_failed])

        Wave 4:
          rollback (shell: ./back, depends_on: deploy [failure]): skipped when nothing fails (NoFailure)

        Critical path: build -> lint -> deploy (3 tasks)
        Expected duration: no history yet
        """
    )


def test_the_plan_with_history() -> None:
    text = plan.as_text(planned(RELEASE, {"build": 61.0, "lint": 2.5, "test": 4.0, "deploy": 1.0}), NOW)
    assert "  build (shell: make, depends_on: none): 1m 01s\n" in text
    assert text.splitlines()[-4:] == [
        "Critical path: build -> test -> deploy (1m 06s)",
        "Expected duration: 1m 06s",
        "Expected finish: 10:01:06, if it started now",
        "Known from 1 earlier run: the median of each task's newest successes",
    ]


def test_what_is_not_known_is_said() -> None:
    before = """
        name: release
        tasks: [{id: build, run: "make"}]
    """
    graph = Graph.compile(dag(RELEASE))
    history = History(graph)
    history.add(scenario(before, {"build": took(86400.0)}).events())
    assert plan.as_text(estimate(graph, history, 2), NOW).splitlines()[-5:] == [
        "Critical path: build -> lint -> deploy (at least 24h 00m)",
        "Expected duration: at least 24h 00m",
        "Expected finish: 2025-10-04 10:00:00 or later, if it started now",
        "Known from 1 earlier run: the median of each task's newest successes",
        "Nothing is known of, and counted as no time: lint, test, deploy",
    ]


def test_of_a_long_critical_path_the_middle_is_left_out() -> None:
    tasks = "".join(
        f"  - {{id: t{i}, run: 'true'{f', depends_on: [t{i - 1}]' if i else ''}}}\n" for i in range(100)
    )
    text = plan.as_text(planned(f"name: long\ntasks:\n{tasks}"), NOW)
    path = "t0 -> t1 -> t2 -> t3 -> t4 -> t5 -> t6 -> t7 -> t8 -> t9 -> ... 80 more ... -> t90"
    assert f"Critical path: {path}" in text


def test_text_of_the_document_cannot_move_the_cursor() -> None:
    text = plan.as_text(planned('name: x\ntasks: [{id: a, run: "echo \\e[2J"}]\n'), NOW)
    assert "a (shell: echo \\x1b[2J, depends_on: none)" in text


def test_the_plan_for_scripts() -> None:
    shape = plan.as_json(planned(RELEASE, {"build": 2.0, "lint": 1.0, "test": 1.5, "deploy": 1.0}))
    assert shape["tasks"][4] == {
        "id": "rollback", "kind": "shell", "depends_on": ["deploy"], "trigger": "failure",
        "expected_seconds": None, "expected_skip": "NoFailure",
    }  # fmt: skip
    assert {key: value for key, value in shape.items() if key != "tasks"} == {
        "dag": "release",
        "tenant": "acme",
        "order": ["build", "lint", "test", "deploy", "rollback"],
        "waves": [["build"], ["lint", "test"], ["deploy"], ["rollback"]],
        "critical_path": ["build", "test", "deploy"],
        "expected_seconds": 4.5,
        "max_parallel": 8,
        "history": {"runs": 1, "unknown": []},
    }


def test_without_history_nothing_is_expected() -> None:
    shape = plan.as_json(planned(RELEASE))
    assert shape["expected_seconds"] is None
    assert shape["critical_path"] == ["build", "lint", "deploy"]


def test_the_dry_run() -> None:
    assert plan.dry_run(Graph.compile(dag(RELEASE))) == shown(
        """
        DRY RUN: DAG 'release'
        Tenant: acme
        Tasks: 5

        Execution Plan:
          1. build (shell: make, depends_on: none)
          2. lint (workflow: lint, depends_on: build)
          3. test (shell: pytest, depends_on: build)
          4. deploy (shell: ./deploy, depends_on: lint, test)
          5. rollback (shell: ./back, depends_on: deploy)
        """
    )


def test_the_dry_run_shows_what_defaults_come_to() -> None:
    found = plan.dry_run(Graph.compile(dag(RELEASE)), {"day": "2026-01-31", "n": 3})
    assert found.splitlines()[2:6] == ["Tasks: 5", 'Parameter day: "2026-01-31"', "Parameter n: 3", ""]


# --- variants ---

SEVERAL = Dag(
    name="several",
    tasks=(
        task("list"),
        task(
            "test",
            "list",
            matrix=Matrix(axes={"os": ("ubuntu", "alpine")}),
            condition="matrix.os != 'alpine'",
        ),
        task("each", "list", for_each="${{ tasks.list.outputs.x }}"),
        task("b", "test", "each"),
    ),
)


def expected(*runs: dict[str, float], what: Dag = SEVERAL) -> Estimate:
    graph = Graph.compile(what)
    history = History(graph)
    for durations in runs:
        bodies = {name: took(seconds) for name, seconds in durations.items()}
        bodies["list"] = lambda _: AttemptResult(duration=1.0, outputs={"x": [1, 2]})
        history.add(played(*what.tasks, bodies=bodies).events())
    return estimate(graph, history, 8)


def test_a_plan_shows_variants_and_a_list_as_one() -> None:
    assert plan.as_text(expected(), NOW) == shown(
        """
        PLAN: DAG 'several'
        Tenant: local-dev
        Tasks: 5 in 3 waves, at most 8 at once

        Wave 1:
          list (shell: true, depends_on: none)

        Wave 2 (3 in parallel):
          test[os=ubuntu] (shell: true, depends_on: list)
          test[os=alpine] (shell: true, depends_on: list): skipped when nothing fails (ConditionFalse)
          each (shell: true, for_each: ${{ tasks.list.outputs.x }}, depends_on: list)

        Wave 3:
          b (shell: true, depends_on: test, each)

        Critical path: list -> test[os=ubuntu] -> b (3 tasks)
        Expected duration: no history yet
        """
    )
    assert plan.dry_run(Graph.compile(SEVERAL)).splitlines()[2:] == [
        "Tasks: 5",
        "",
        "Execution Plan:",
        "  1. list (shell: true, depends_on: none)",
        "  2. test[os=ubuntu] (shell: true, depends_on: list)",
        "  3. test[os=alpine] (shell: true, depends_on: list)",
        "  4. each (shell: true, for_each: ${{ tasks.list.outputs.x }}, depends_on: list)",
        "  5. b (shell: true, depends_on: test, each)",
    ]


def test_groups_and_variants_for_scripts() -> None:
    shape = plan.as_json(expected())
    tasks = {task.pop("id"): task for task in shape["tasks"]}
    assert list(tasks) == ["list", "test[os=ubuntu]", "test[os=alpine]", "test", "each", "b"]
    assert tasks["test"]["variants"] == [{"os": "ubuntu"}, {"os": "alpine"}]
    assert tasks["test[os=ubuntu]"]["group"] == "test"
    assert (tasks["each"]["variants"], tasks["each"]["for_each"]) == (None, "${{ tasks.list.outputs.x }}")
    assert "group" not in tasks["b"]
    assert shape["waves"] == [["list"], ["test[os=ubuntu]", "test[os=alpine]", "each"], ["b"]]
    assert shape["order"] == [*shape["waves"][0], *shape["waves"][1], "b"]


def test_a_list_is_expected_to_take_as_long_as_it_did() -> None:
    known = expected({"test": 3.0, "each": 5.0, "b": 1.0})
    assert known.medians[known.graph.index["each"]] is not None
    assert known.unknown == []


def test_of_many_variants_the_middle_is_left_out() -> None:
    many = Dag(name="d", tasks=(task("t", matrix=Matrix(axes={"n": tuple(map(str, range(500)))})),))
    lines = plan.as_text(expected(what=many), NOW).splitlines()
    assert len(lines) < 40
    assert "... 480 more ..." in lines
    assert len(plan.dry_run(Graph.compile(many)).splitlines()) == 26
