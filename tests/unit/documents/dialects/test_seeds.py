"""The documents that dagrun was designed for load unchanged, with the meaning that they describe."""

from __future__ import annotations

from dagrun.core.model import Dag, HealthCheck, ServiceContainer
from dagrun.core.variants import variants
from dagrun.kinds.container import ContainerAction
from dagrun.kinds.noop import NoAction
from dagrun.kinds.workflow import WorkflowAction
from tests.unit.harness import read

S0 = """
spec:
  steps:
    - name: build
      dependsOn: []
    - name: test
      dependsOn: ["build"]
"""

S2 = """
name: weekly_ops_chain
tenant_id: local-dev

tasks:
  - id: sweep
    workflow_ref: inbox_drive_sweep
    params:
      inbox_items: "Email list..."
    retries: 1
    depends_on: []

  - id: report
    workflow_ref: weekly_report_pack
    params:
      start_date: "2025-10-01"
      end_date: "2025-10-07"
    retries: 1
    depends_on:
      - sweep  # Waits for sweep to complete

  - id: brief
    workflow_ref: meeting_transcript_brief
    params:
      meeting_title: "Sprint Review"
    retries: 1
    depends_on:
      - report
"""

S3_PIPELINE = """
# Example: workflows/ci-pipeline.yaml
name: ci-pipeline
description: Build, test, and deploy application

env:
  APP_VERSION: "1.0.0"
  REGISTRY: "ghcr.io/myorg"

jobs:
  build:
    image: docker:24-dind
    commands:
      - docker build -t $REGISTRY/myapp:$APP_VERSION .
    artifacts:
      - /build/image-digest.txt
    timeout: 600

  test-unit:
    image: python:3.11-slim
    requires: [build]
    commands:
      - pip install -r requirements-test.txt
      - pytest tests/unit -v

  test-integration:
    image: python:3.11-slim
    requires: [build]
    parallel_with: [test-unit]  # Run alongside test-unit
    services:
      - postgres:15
      - redis:7
    commands:
      - pytest tests/integration -v

  deploy-staging:
    image: kubectl:latest
    requires: [test-unit, test-integration]
    if: "${{ github.ref == 'refs/heads/main' }}"
    commands:
      - kubectl apply -f k8s/staging/

  notify:
    image: alpine:latest
    on_complete: always  # Run regardless of success/failure
    commands:
      - ./scripts/notify-slack.sh
"""

S3_SERVICES = """
jobs:
  integration-tests:
    image: python:3.11
    services:
      postgres:
        image: postgres:15
        env:
          POSTGRES_PASSWORD: test
        health_check:
          test: ["CMD", "pg_isready"]
          interval: 5s
          timeout: 5s
          retries: 5
      redis:
        image: redis:7
"""

S3_MATRIX = """
jobs:
  test:
    image: python:${{ matrix.python }}
    matrix:
      python: ["3.9", "3.10", "3.11", "3.12"]
      os: ["ubuntu", "alpine"]
    exclude:
      - python: "3.9"
        os: "alpine"
    commands:
      - pytest tests/
"""


def needs(dag: Dag) -> dict[str, list[str]]:
    """What each task waits for."""
    return {task.id: [need.task for need in task.needs] for task in dag.tasks}


def test_s0_two_steps() -> None:
    dag = read(S0)
    assert needs(dag) == {"build": [], "test": ["build"]}
    assert {task.action for task in dag.tasks} == {NoAction()}


def test_s2_a_weekly_chain() -> None:
    dag = read(S2)
    assert needs(dag) == {"sweep": [], "report": ["sweep"], "brief": ["report"]}
    assert [task.action for task in dag.tasks] == [
        WorkflowAction("inbox_drive_sweep"), WorkflowAction("weekly_report_pack"), WorkflowAction("meeting_transcript_brief"),
    ]  # fmt: skip
    assert [task.retry.retries for task in dag.tasks] == [1, 1, 1]


def test_s3_a_pipeline() -> None:
    dag = read(S3_PIPELINE)
    jobs = {task.id: task for task in dag.tasks}
    assert needs(dag) == {
        "build": [], "test-unit": ["build"], "test-integration": ["build"],
        "deploy-staging": ["test-unit", "test-integration"],
        "notify": ["build", "test-unit", "test-integration", "deploy-staging"],
    }  # fmt: skip
    assert (jobs["build"].timeout, jobs["build"].artifacts) == (600, ("/build/image-digest.txt",))
    assert [service.name for service in jobs["test-integration"].services] == ["postgres", "redis"]
    assert jobs["test-integration"].parallel_with == ("test-unit",)
    assert jobs["deploy-staging"].condition == "${{ github.ref == 'refs/heads/main' }}"
    assert jobs["notify"].trigger == "always"


def test_s3_services() -> None:
    (job,) = read(S3_SERVICES).tasks
    check = HealthCheck(test=("CMD", "pg_isready"), interval=5, timeout=5, retries=5)
    assert job.action == ContainerAction("python:3.11")
    assert job.services == (
        ServiceContainer(
            name="postgres", image="postgres:15", env={"POSTGRES_PASSWORD": "test"}, health_check=check
        ),
        ServiceContainer(name="redis", image="redis:7"),
    )


def test_s3_a_matrix() -> None:
    (job,) = read(S3_MATRIX).tasks
    assert job.matrix is not None
    keys = list(variants(job.matrix))
    assert len(keys) == 7
    assert "os=ubuntu,python=3.10" in keys
    assert "os=alpine,python=3.9" not in keys
