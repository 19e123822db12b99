"""Places that make it hard to run anything: few descriptors, no directory."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from typing import Any

import pytest

from tests.acceptance.harness import LONGEST, OWN_FRAMES, Outcome, Project

WORKFLOWS = """
    @workflow("naps")
    def naps(): time.sleep(0.05)
"""


def with_files(project: Project, most: int, *words: str) -> Outcome:
    """What a command does that may open so many files."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    return project.finish(project.start(*words, preexec_fn=limit))


@pytest.mark.parametrize(
    "body", [{"workflow_ref": "naps"}, {"run": "sleep 0.05"}], ids=["workflows", "commands"]
)
@pytest.mark.parametrize("most", [20, 40])
def test_tasks_wait_for_each_other_where_few_files_may_be_open(
    project: Project, body: dict[str, Any], most: int
) -> None:
    project.workflows(WORKFLOWS)
    tasks = [{"id": f"t{number}", **body} for number in range(40)]
    project.write("dag.yaml", json.dumps({"name": "dag", "max_parallel": 40, "tasks": tasks}))
    outcome = with_files(project, most, "run", "dag.yaml", "-q")
    assert (outcome.code, outcome.err) == (0, "")


@pytest.mark.parametrize("most", [6, 8, 10, 12, 16, 19])
@pytest.mark.parametrize("words", ["run dag.yaml", "validate dag.yaml", "plan dag.yaml"])
def test_too_low_a_limit_of_open_files_is_reported(project: Project, most: int, words: str) -> None:
    project.workflows(WORKFLOWS)
    project.write("dag.yaml", "name: dag\ntasks: [{id: t, workflow_ref: naps}]\n")
    outcome = with_files(project, most, *words.split())
    assert outcome.code == 1
    assert "open" in outcome.err
    assert "ulimit -n" in outcome.err


@pytest.mark.parametrize("words", ["run dag.yaml", "status", "runs", "validate dag.yaml", "schedules"])
def test_a_directory_that_was_removed_is_a_wrong_place(project: Project, words: str) -> None:
    script = f'mkdir gone; cd gone; rmdir ../gone; exec "{sys.executable}" -m dagrun {words}'
    done = subprocess.run(
        ["sh", "-c", script], cwd=project.root, env=project.environment(), capture_output=True, text=True, check=False,
        timeout=LONGEST,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "the current directory does not exist any more" in done.stderr
    assert not OWN_FRAMES.search(done.stderr)
