"""`plan` with and without a history, `why` after a run that failed."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from tests.acceptance.harness import Project

RELEASE = """
    name: release
    on_error: continue
    max_parallel: 2
    tasks:
      - {id: build, run: "sleep 0.2"}
      - {id: lint, run: "true", depends_on: [build]}
      - id: test
        run: |
          echo testing
          test ! -e broken || exit 2
        depends_on: [build]
        retries: 1
      - {id: deploy, run: "echo deployed", depends_on: [lint, test]}
"""


def plain(text: str) -> str:
    """Without what differs from run to run: times and ids."""
    text = re.sub(r"(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d", "HH:MM:SS", text)  # with the date around midnight
    text = re.sub(r"\b\d+\.\d\ds\b", "T", text)
    return re.sub(r"\d{8}-\d{6}-[0-9a-f]{6}", "RUN", text)


def test_plan_uses_the_durations_of_runs_and_why_explains_the_failed_one(project: Project) -> None:
    project.write("configs/dags/release.yaml", RELEASE)
    before = project.files()

    first = project.answer("plan", "release")
    assert first.code == 0, first.err
    assert first.out.endswith(
        "Critical path: build -> lint -> deploy (3 tasks)\nExpected duration: no history yet\n"
    )
    assert project.answer("plan", "release", "-o", "json").json["expected_seconds"] is None
    assert project.files() == before  # looking writes nothing

    assert project.answer("run", "release", "-q").code == 0
    second = project.answer("plan", "--dag", "release")
    assert plain(second.out).splitlines()[-3:] == [
        "Expected duration: T",
        "Expected finish: HH:MM:SS, if it started now",
        "Known from 1 earlier run: the median of each task's newest successes",
    ]
    for arguments in (["plan", "release"], ["run", "release", "--dry-run"]):
        shape = project.answer(*arguments, "-o", "json").json
        assert shape["order"] == ["build", "lint", "test", "deploy"]
        assert shape["waves"] == [["build"], ["lint", "test"], ["deploy"]]
        assert shape["critical_path"][0] == "build"
        assert 0.2 <= shape["expected_seconds"] < 60

    project.write("broken", "")
    assert project.answer("run", "release", "-q").code == 1
    why = project.answer("why", "latest", "deploy")
    assert why.code == 0, why.err
    assert plain(why.out) == (
        "deploy skipped: DependencyFailed <- test failed: exit code 2 (attempt 2 of 2, test.2.log:1)\n"
        "\n"
        "  HH:MM:SS  deploy skipped: DependencyFailed <- test\n"
        "  HH:MM:SS  test failed: exit code 2 (attempt 2 of 2, test.2.log:1)\n"
        "  HH:MM:SS  test attempt 1 failed: exit code 2, retried after T\n"
        "  HH:MM:SS  test started because build succeeded (its only dependency)\n"
        "\n"
        "`dagrun logs RUN test` shows what test printed.\n"
    )
    reported = project.answer("why", "latest", "deploy", "-o", "json").json
    assert reported["status"] == "skipped"
    assert [link["event"] for link in reported["chain"]] == [
        "task_skip",
        "task_fail",
        "task_retry",
        "task_start",
    ]
    assert reported["summary"] == why.out.splitlines()[0]


def test_a_wrong_name_gets_the_right_one_as_advice(project: Project) -> None:
    project.write("release.yaml", RELEASE)
    project.write(
        "ring.yaml", "tasks: [{id: a, run: x, depends_on: [b]}, {id: b, run: x, depends_on: [a]}]\n"
    )
    assert project.answer("why", "latest", "deploy").code == 2
    assert project.answer("run", "release.yaml", "-q").code == 0
    unknown = project.answer("why", "latest", "depoly")
    assert (unknown.code, unknown.err) == (
        2,
        "Error: task 'depoly' not found\n  did you mean 'deploy'?\n",
    )
    invalid, run = project.answer("plan", "ring.yaml"), project.answer("run", "ring.yaml")
    assert invalid.code == run.code == 2
    assert invalid.err == run.err
    assert "Cycle detected in DAG 'ring': a -> b -> a" in invalid.err
    assert project.answer("plan").code == 2
    assert project.answer("plan", "release.yaml", "--graph", "dot", "-o", "json").code == 2


def test_graphs_are_printed_alone(project: Project) -> None:
    project.write("release.yaml", RELEASE)
    assert project.answer("plan", "release.yaml", "--graph", "mermaid").out.startswith("---\ntitle:")
    assert project.answer("plan", "release.yaml", "--graph", "dot").out.startswith('digraph "release" {\n')
    shape = project.answer("plan", "release.yaml", "--graph", "json", "-o", "json").json
    assert len(shape["edges"]) == 4


@pytest.mark.parametrize("command", [["plan", "release.yaml"], ["why", "latest", "deploy"]])
def test_plan_and_why_load_no_event_loop_no_rich_and_no_executor(
    project: Project, command: list[str]
) -> None:
    project.write("release.yaml", RELEASE)
    assert project.answer("run", "release.yaml", "-q").code == 0
    ask = "import json, sys; from dagrun.cli.app import run; run(sys.argv[1:]); print(json.dumps(list(sys.modules)), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", ask, *command],
        cwd=project.root, env=project.environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(json.loads(done.stderr))
    assert (
        loaded & {"asyncio", "rich", "dagrun.executors.local.keeper", "dagrun.executors.local.executor"}
        == set()
    )
