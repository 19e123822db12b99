"""Every example, and every DAG of README.md and the first page, run as a reader would run it, ends as it says."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.acceptance.harness import Project
from tests.stories.pages import COOKBOOK, EXAMPLES, ROOT, Block, blocks

EXIT_CODES = {"success": 0, "waiting": 0, "partial": 1, "failed": 1}
PROMISE = re.compile(r"^# \$ (?P<command>.+)\n# expect: (?P<status>\w+); (?P<tasks>.+)$", re.MULTILINE)
#: In need of a container engine, which no test has.
CONTAINED = EXAMPLES / "jobs" / "ci-pipeline.yaml"
FOLDERS = [COOKBOOK, *(EXAMPLES / name for name in ("steps", "jobs", "matrix"))]
RECIPES = [path for folder in FOLDERS for path in sorted(folder.glob("*.yaml")) if path != CONTAINED]
SEEN = [block for block in blocks("console") if EXAMPLES in block.page.parents]
FIRST_PAGES = [
    block
    for block in blocks("yaml")
    if block.page in (ROOT / "README.md", ROOT / "docs" / "getting-started.md") and "tasks:" in block.text
]


def reported(task: dict[str, str]) -> str:
    """`deploy=skipped:ConditionFalse`"""
    return f"{task['id']}={task['status']}" + (f":{task['reason']}" if task["status"] == "skipped" else "")


def spoken(line: str) -> tuple[list[str], dict[str, str]]:
    """The words of a line of a shell that calls dagrun, and the variables that it sets."""
    words = shlex.split(line)
    start = words.index("dagrun")
    return words[start + 1 :], dict(word.split("=", 1) for word in words[:start])


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_recipe_ends_as_it_says(project: Project, path: Path) -> None:
    shutil.copytree(path.parent, project.root, dirs_exist_ok=True)
    promises = list(PROMISE.finditer(path.read_text()))
    assert promises, "say how it is run and what is expected of it"
    for promise in promises:
        words, given = spoken(promise["command"])
        assert words[:2] == ["run", path.name]
        run = project.answer(*words, "-o", "json", env=given)
        assert run.json["status"] == promise["status"]
        assert ", ".join(map(reported, run.json["tasks"])) == promise["tasks"]
        assert run.code == EXIT_CODES[promise["status"]]


@pytest.mark.parametrize("block", SEEN, ids=str)
def test_a_command_of_a_readme_prints_what_the_readme_shows(project: Project, block: Block) -> None:
    shutil.copytree(block.page.parent, project.root, dirs_exist_ok=True)
    command, *shown = block.text.splitlines()
    words, given = spoken(command.removeprefix("$ "))
    done = project.answer(*words, env=given)
    assert [line for line in shown if line not in (done.out + done.err).splitlines()] == []


def test_the_pipeline_in_containers(project: Project) -> None:
    """Without an engine each job that would start fails alone."""
    shutil.copy(CONTAINED, project.root)
    assert project.answer("validate", CONTAINED.name).code == 0
    assert project.answer("plan", CONTAINED.name, "-o", "json").json["waves"] == [
        ["build"], ["test-unit", "test-integration"], ["deploy-staging"], ["notify"],
    ]  # fmt: skip
    run = project.answer(
        "run", CONTAINED.name, "-o", "json", env={"DOCKER_HOST": f"unix://{project.root}/none.sock"}
    )
    assert (run.code, run.json["status"]) == (1, "failed")
    assert ", ".join(map(reported, run.json["tasks"])) == (
        "build=failed, test-unit=skipped:DependencyFailed, test-integration=skipped:DependencyFailed, "
        "deploy-staging=skipped:DependencySkipped, notify=failed"
    )
    failures = [event for event in project.events() if event["event"] == "task_fail"]
    assert [(event["task_id"], event["error_type"]) for event in failures] == [
        ("build", "NoContainerEngine"), ("notify", "NoContainerEngine"),
    ]  # fmt: skip


@pytest.mark.parametrize("block", FIRST_PAGES, ids=str)
def test_the_dags_of_the_first_pages_run(project: Project, block: Block) -> None:
    project.write("dag.yaml", block.text)
    assert project.answer("run", "dag.yaml", "-o", "json").json["status"] == "success"


def test_what_the_cookbook_promises_beyond_states(project: Project) -> None:
    shutil.copytree(COOKBOOK, project.root, dirs_exist_ok=True)
    outputs = project.answer("run", "15-outputs-of-a-run.yaml", "-o", "json").json["outputs"]
    assert outputs == {"version": "2.0.1", "label": "2.0.1-stable", "files": ["a.tar.gz", "a.whl"]}
    project.answer("run", "14-secrets.yaml", env={"DEMO_TOKEN": "correct-horse-battery"})
    assert project.log("call") == "Authorization: Bearer ***\n"
    refused = project.answer("run", "07-deploy-by-param.yaml", "--param", "target=moon")
    assert refused.code == 2
    assert "must be one of staging, production" in refused.err
    project.answer("run", "23-approval.yaml")
    approved = project.answer("approve", "latest", "gate", "--set", "ticket=OPS-7", "-o", "json")
    assert (approved.json["status"], project.log("deploy")) == ("success", "deploying for OPS-7\n")
    project.answer("run", "23-approval.yaml")
    assert project.answer("reject", "latest", "gate").code == 1
    assert project.log("undo") == "cleaning up\n"
    project.answer("run", "25-signal.yaml")
    assert project.answer("signal", "latest", "deployed", "--set", "url=https://staging.example").code == 0
