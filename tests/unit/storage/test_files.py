"""Runs as files: taken over when the last process of the former owner has ended, and readable for later versions."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dagrun.core.record import replay
from dagrun.errors import RefusedError
from dagrun.storage.files import FileRuns
from dagrun.storage.recorded_dag import from_json, to_json
from tests.unit.harness import chain
from tests.unit.storage.test_lock import Other


@pytest.fixture
def runs(tmp_path: Path) -> FileRuns:
    """A store with one run, `it`, that nobody drives."""
    runs = FileRuns(tmp_path / "runs", tmp_path / "events.jsonl")
    runs.create(chain("a"), 0.0, "it").close()
    return runs


def bodies(runs: FileRuns) -> Path:
    """What a keeper locks for as long as a body may live."""
    return runs.directory / "it" / "bodies.lock"


def test_a_run_is_not_taken_over_while_a_body_of_it_lives(
    runs: FileRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dagrun.storage.files.PATIENCE", 0.05)
    other = Other("say(lock.take(path))", bodies(runs))
    with pytest.raises(
        RefusedError, match="processes that its former owner started are still running"
    ) as error:
        runs.take_over("it")
    assert error.value.hint == "end them, or wait until they end"
    other.kill()
    runs.take_over("it").close()


def test_it_is_taken_over_as_soon_as_they_have_ended(runs: FileRuns) -> None:
    other = Other("say(lock.take(path))\ntime.sleep(0.3)\nos._exit(0)", bodies(runs))
    writer = runs.take_over("it")
    assert runs.is_live("it")
    writer.close()
    other.kill()


def test_a_run_that_an_earlier_version_recorded_is_read_completely(tmp_path: Path) -> None:
    shutil.copytree(Path(__file__).parent / "recorded_by_0_1_0", tmp_path / "runs" / "before")
    record = FileRuns(tmp_path / "runs", tmp_path / "events.jsonl").read("before")
    assert record.corrupt == 0
    assert len(record.events) == len(record_lines(tmp_path))
    state = replay(record)
    assert {state.nodes[i].task.id: str(state.tasks[i].status) for i in state.in_file_order()} == {
        "one": "success", "large": "success", "two": "failed", "three": "skipped", "matrix[extra=1,os=a]": "success",
        "matrix": "success", "each[0]": "success", "each[1]": "success", "each": "success", "image": "failed",
        "flow": "success", "last": "success",
    }  # fmt: skip
    assert record.dag == from_json(to_json(record.dag))
    image = next(task for task in record.dag.tasks if task.id == "image")
    check = image.services[0].health_check
    assert check is not None
    assert (image.kind, check.interval, image.continue_on_failure) == ("container", 1.0, True)


def record_lines(tmp_path: Path) -> list[bytes]:
    return (tmp_path / "runs" / "before" / "events.jsonl").read_bytes().splitlines()
