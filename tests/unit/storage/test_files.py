"""A run that is taken over: not before the last body of its former owner is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagrun.errors import RefusedError
from dagrun.storage.files import FileRuns
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
    with pytest.raises(RefusedError, match="bodies that its former owner started are still running") as error:
        runs.take_over("it")
    assert error.value.hint == "end them, or wait until they end"
    other.kill()
    runs.take_over("it").close()


def test_it_is_taken_over_as_soon_as_they_are_gone(runs: FileRuns) -> None:
    other = Other("say(lock.take(path))\ntime.sleep(0.3)\nos._exit(0)", bodies(runs))
    runs.take_over("it").close()
    other.kill()
