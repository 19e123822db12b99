"""A launched run, as far as its records show it. `tests/contract/test_service.py` launches real ones."""

from __future__ import annotations

from pathlib import Path

from dagrun.core.events import DagStart
from dagrun.runtime.launcher import has_started
from dagrun.storage.files import FileRuns
from tests.unit.harness import chain

NOW = 1_759_485_600.0


def test_a_run_has_started_when_its_first_event_is_recorded(tmp_path: Path) -> None:
    runs = FileRuns(tmp_path / "runs", tmp_path / "stream.jsonl")
    seen = [has_started(runs, "r")]
    writer = runs.create(chain("a"), NOW, "r")
    seen.append(has_started(runs, "r"))
    writer.append(DagStart(timestamp=NOW, task_count=1, dag_path="", dag_hash="ff"))
    writer.flush()
    seen.append(has_started(runs, "r"))
    writer.close()
    assert seen == [False, False, True]
