"""The values that a TAB offers, without reading YAML or journals."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagrun.cli import completion_candidates
from dagrun.cli.completion_candidates import complete_dag, complete_event, complete_run
from dagrun.documents import lookup
from dagrun.storage.files import FileRuns
from tests.unit.cli.conftest import Command


def test_only_the_newest_runs_are_offered(ended: FileRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion_candidates, "NEWEST", 1)
    assert complete_run("") == ["latest", next(ended.ids())]
    assert complete_run("ba") == ["bad"]


def test_dags_are_offered_by_name_and_by_path(command: Command, tmp_path: Path) -> None:
    (tmp_path / "configs" / "dags").mkdir(parents=True)
    (tmp_path / "configs" / "dags" / "file.yaml").write_text("name: nightly\n")
    (tmp_path / "near.yaml").write_text("name: near\n")
    assert complete_dag("n") == ["nightly", "near.yaml"]


def test_events_are_offered_by_name(command: Command) -> None:
    assert complete_event("dag_d") == ["dag_done"]


def test_nothing_is_offered_when_the_settings_are_wrong(command: Command, tmp_path: Path) -> None:
    (tmp_path / "dagrun.toml").write_text("x = [")
    assert complete_run("") == []
    assert complete_dag("") == []


def test_task_ids_are_found_without_parsing_yaml(tmp_path: Path) -> None:
    path = tmp_path / "dag.yaml"
    path.write_text(
        "tasks:\n  - id: a\n    run: x\n  - {run: x, id: 'b'}\n  -   name: c\n      id: not-seen\n  - {id: a}\n# id: d\n"
    )
    assert lookup.task_ids(path) == ["a", "b"]
    assert lookup.task_ids(tmp_path / "missing.yaml") == []
