"""Hooks in `dagrun.toml`: where their mistakes are, and what they add to a DAG."""

from __future__ import annotations

import tomllib
from pathlib import Path

from dagrun.core.model import Dag
from dagrun.documents.project_hooks import ProjectHooks, read
from tests.unit.harness import task


def hooks(tmp_path: Path, text: str) -> ProjectHooks:
    path = tmp_path / "dagrun.toml"
    path.write_text(text)
    return read(tomllib.loads(text)["hooks"], path, "dagrun.toml", None)


def problems(tmp_path: Path, text: str) -> list[str]:
    return [f"{each.place}: {each.message}" for each in hooks(tmp_path, text).findings]


def test_every_mistake_has_the_line_of_its_key(tmp_path: Path) -> None:
    assert problems(
        tmp_path,
        """runs_dir = "hooks"
[hooks]
secrets = "X"
on_exit = {run = "echo ${{ nope.x }}", timeout = "soon"}

[[hooks.on_failure]]
run = "x"

[[hooks.on_failure]]
run = "x"
retries = 1
""",
    ) == [
        "dagrun.toml:3:1: 'secrets' must be a list of names",
        "dagrun.toml:4:40: 'timeout': not a duration; write a number of seconds, or text such as '90s', '10m' or '1h30m'",
        "dagrun.toml:11:1: unknown key 'retries'",
    ]


def test_expressions_are_checked_against_what_every_run_has(tmp_path: Path) -> None:
    text = '[hooks]\non_exit = {run = "%s"}\non_schedule_error = {run = "echo ${{ schedule.id }}"}\n'
    assert problems(tmp_path, text % "echo ${{ run.failed }} ${{ tasks.any.error }} ${{ params.any }}") == []
    assert problems(tmp_path, text % "echo ${{ schedule.id }}") == [
        "dagrun.toml:2:12: unknown name 'schedule'"
    ]


def test_they_come_after_the_hooks_of_a_document_and_bring_their_secrets(tmp_path: Path) -> None:
    found = hooks(
        tmp_path, '[hooks]\nsecrets = ["A", "B"]\non_exit = {run = "x"}\non_interrupted = {run = "x"}\n'
    )
    dag = found.added_to(Dag(name="d", tasks=(task("a"),), secrets=("B", "C")))
    assert [hook.task.id for hook in dag.hooks] == ["hook:project.on_exit"]
    assert dag.secrets == ("B", "C", "A")
