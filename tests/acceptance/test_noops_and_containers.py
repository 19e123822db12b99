"""Tasks that start no process: those that do nothing, and those that need a container."""

from __future__ import annotations

from tests.acceptance.harness import Project
from tests.unit.documents.dialects.test_seeds import S0, S3_PIPELINE


def test_steps_without_an_action_end_well_at_once(project: Project) -> None:
    project.write("two.yaml", S0)
    assert "1. build (noop, depends_on: none)" in project.answer("run", "two.yaml", "--dry-run").out
    outcome = project.answer("run", "two.yaml", "-o", "json")
    assert outcome.code == 0, outcome.err
    assert [(task["kind"], task["status"], task["changed"]) for task in outcome.json["tasks"]] == [
        ("noop", "success", False), ("noop", "success", False),
    ]  # fmt: skip
    assert list((project.run_dir() / "logs").iterdir()) == []


def test_a_noop_joins_and_has_changed_nothing(project: Project) -> None:
    project.write(
        "join.yaml",
        """
        steps:
          - {name: a, run: "true"}
          - {name: b, run: "true"}
          - {name: both, dependsOn: [a, b]}
          - {name: after, dependsOn: [both], run: "true"}
          - {name: idle, dependsOn: [both], run: "true", only_if_changed: true}
        """,
    )
    outcome = project.answer("run", "join.yaml", "-o", "json")
    assert {task["id"]: task["status"] for task in outcome.json["tasks"]} == {
        "a": "success", "b": "success", "both": "success", "after": "success", "idle": "skipped",
    }  # fmt: skip


def test_a_task_that_needs_a_container_fails_alone_and_at_once(project: Project) -> None:
    project.write(
        "mixed.yaml",
        """
        name: mixed
        on_error: continue
        params: {v: 3.12}
        tasks:
          - {id: image, image: "python:${{ params.v }}", run: "echo ${{ params.v }}", retries: 3, artifacts: [x]}
          - {id: beside, run: "true", services: {db: {image: "postgres:15", env: {V: "${{ params.v }}"}}}}
          - {id: after, depends_on: [image], run: "true"}
          - {id: alone, run: "true"}
        """,
    )
    dry = project.answer("run", "mixed.yaml", "--dry-run").out
    assert "1. image (container: python:${{ params.v }}, depends_on: none)" in dry
    outcome = project.answer("run", "mixed.yaml", "-o", "json")
    assert outcome.code == 1
    assert outcome.json["status"] == "partial"
    assert {task["id"]: (task["status"], task["attempt"]) for task in outcome.json["tasks"]} == {
        "image": ("failed", 1), "beside": ("failed", 1), "after": ("skipped", 0), "alone": ("success", 1),
    }  # fmt: skip
    reported = {event["task_id"]: event for event in project.events() if event["event"] == "task_fail"}
    assert {event["error_type"] for event in reported.values()} == {"NoContainerEngine"}
    assert reported["image"]["error"] == (
        "no container of 'python:3.12': this version of dagrun runs no containers yet; "
        "without 'image' and 'services' a task runs on this machine"
    )
    assert "'postgres:15'" in reported["beside"]["error"]
    assert [path.name for path in (project.run_dir() / "logs").iterdir()] == ["alone.1.log"]
    assert not (project.run_dir() / "scratch").exists()


def test_expressions_around_a_container_are_evaluated_all_the_same(project: Project) -> None:
    project.write(
        "bad.yaml",
        """
        name: bad
        on_error: continue
        tasks:
          - {id: first, run: "true"}
          - {id: image, depends_on: [first], image: "x:${{ tasks.first.outputs.v }}"}
          - {id: script, depends_on: [first], image: x, run: "echo ${{ tasks.first.outputs.v }}"}
          - id: service
            depends_on: [first]
            run: "true"
            services: {db: {image: x, env: {V: "${{ tasks.first.outputs.v }}"}}}
        """,
    )
    project.answer("run", "bad.yaml")
    reported = {event["task_id"]: event for event in project.events() if event["event"] == "task_fail"}
    missing = "tasks.first.outputs has no 'v'; it is empty"
    assert {name: event["error"] for name, event in reported.items()} == {
        "image": f"image: {missing}", "script": f"script: {missing}", "service": f"services.db: {missing}",
    }  # fmt: skip
    assert {event["error_type"] for event in reported.values()} == {"ExpressionError"}


def test_a_pipeline_of_images_runs_by_its_rules_without_an_engine(project: Project) -> None:
    project.write("ci.yaml", S3_PIPELINE)
    outcome = project.answer("run", "ci.yaml", "-o", "json")
    assert outcome.code == 1
    assert {task["id"]: task["reason"] for task in outcome.json["tasks"]} == {
        "build": "TaskFailed", "test-unit": "DependencyFailed", "test-integration": "DependencyFailed",
        "deploy-staging": "DependencySkipped", "notify": "TaskFailed",
    }  # fmt: skip
