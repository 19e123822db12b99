"""Every DAG of the cookbook, README.md and the first page, run as a reader would run it, ends as it says."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.acceptance.harness import Project
from tests.stories.pages import COOKBOOK, Block, blocks

EXIT_CODES = {"success": 0, "partial": 1, "failed": 1}
PROMISE = re.compile(r"^# \$ (?P<command>.+)\n# expect: (?P<status>\w+); (?P<tasks>.+)$", re.MULTILINE)
FIRST_PAGES = [
    block for block in blocks("yaml") if block.page.name in ("README.md", "getting-started.md") and "tasks:" in block.text
]  # fmt: skip


def told(task: dict[str, str]) -> str:
    """`deploy=skipped:ConditionFalse`"""
    return f"{task['id']}={task['status']}" + (f":{task['reason']}" if task["status"] == "skipped" else "")


@pytest.mark.parametrize("path", sorted(COOKBOOK.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_recipe_ends_as_it_says(project: Project, path: Path) -> None:
    shutil.copytree(COOKBOOK, project.root, dirs_exist_ok=True)
    promises = list(PROMISE.finditer(path.read_text()))
    assert promises, "say how it is run and what is expected of it"
    for promise in promises:
        words = shlex.split(promise["command"])
        start = words.index("dagrun")
        assert words[start : start + 3] == ["dagrun", "run", path.name]
        given = dict(word.split("=", 1) for word in words[:start])
        run = project.dagrun(*words[start + 1 :], "-o", "json", env=given)
        assert run.json["status"] == promise["status"]
        assert ", ".join(map(told, run.json["tasks"])) == promise["tasks"]
        assert run.code == EXIT_CODES[promise["status"]]


@pytest.mark.parametrize("block", FIRST_PAGES, ids=str)
def test_what_a_newcomer_reads_first_runs(project: Project, block: Block) -> None:
    project.write("dag.yaml", block.text)
    assert project.dagrun("run", "dag.yaml", "-o", "json").json["status"] == "success"


def test_what_the_cookbook_promises_beyond_states(project: Project) -> None:
    shutil.copytree(COOKBOOK, project.root, dirs_exist_ok=True)
    outputs = project.dagrun("run", "15-outputs-of-a-run.yaml", "-o", "json").json["outputs"]
    assert outputs == {"version": "2.0.1", "label": "2.0.1-stable", "files": ["a.tar.gz", "a.whl"]}
    project.dagrun("run", "14-secrets.yaml", env={"DEMO_TOKEN": "correct-horse-battery"})
    assert project.log("call") == "Authorization: Bearer ***\n"
    refused = project.dagrun("run", "07-deploy-by-param.yaml", "--param", "target=moon")
    assert refused.code == 2
    assert "must be one of staging, production" in refused.err
