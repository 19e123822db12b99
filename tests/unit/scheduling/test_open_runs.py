"""Open runs: one file each, found by id and by schedule."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from dagrun.errors import RecordError
from dagrun.scheduling.open_runs import OpenRun, OpenRuns


@pytest.fixture
def runs(tmp_path: Path) -> OpenRuns:
    return OpenRuns(tmp_path / ".open")


def a_run(run_id: str = "r", schedule_id: str = "job", **more: Any) -> OpenRun:
    return OpenRun(schedule_id=schedule_id, minute="2026-11-20 12:00", run_id=run_id, dag="ops.yaml", **more)


def test_a_run_is_read_as_it_was_written(runs: OpenRuns) -> None:
    run = a_run(params={"name": "\udcff ü"}, after=("a", "b"), start=1.5, replaces=True, by="scheduler")
    runs.put(run)
    assert runs.get("r") == run
    assert runs.all() == [run]


def test_a_run_that_is_not_open_is_none(runs: OpenRuns) -> None:
    assert runs.get("r") is None
    assert runs.get("") is None
    assert runs.ids() == []


def test_its_minute_is_shown_as_a_time(runs: OpenRuns) -> None:
    assert a_run().scheduled_at == "2026-11-20T12:00:00.000Z"


@pytest.mark.parametrize(("after", "read"), [("a", ("a",)), ("", ()), (["a", "b"], ("a", "b"))])
def test_a_file_of_an_older_version_is_read(runs: OpenRuns, after: object, read: tuple[str, ...]) -> None:
    runs.put(a_run())
    data = json.loads(runs.path("r").read_bytes())
    runs.path("r").write_text(json.dumps({**data, "after": after, "unknown": 1}))
    found = runs.get("r")
    assert found is not None
    assert found.after == read


@pytest.mark.parametrize("damage", ["", "{", "[]", "3", '{"run_id": "r"}'])
def test_a_damaged_file_is_no_run(runs: OpenRuns, damage: str) -> None:
    runs.put(a_run())
    runs.path("r").write_text(damage)
    assert runs.get("r") is None
    assert runs.all() == []


def test_the_runs_of_one_schedule_are_found_among_all_open_ones(runs: OpenRuns) -> None:
    for run_id, schedule_id in (("1", "a"), ("2", "b"), ("3", "a")):
        runs.put(a_run(run_id, schedule_id))
    assert runs.ids_of("a") == ["1", "3"]
    runs.drop("1")
    assert runs.ids_of("a") == ["3"]


def test_a_dropped_run_leaves_nothing(runs: OpenRuns) -> None:
    runs.put(a_run())
    runs.path("r").with_suffix(".err").write_text("the end of its error output")
    runs.drop("r")
    runs.drop("r")
    assert list(runs.directory.iterdir()) == []


def test_what_crashes_left_is_deleted_once_it_is_old(runs: OpenRuns) -> None:
    runs.put(a_run())
    for name in ("r.err", "crashed.err", "crashed.tmp", "new.tmp"):
        path = runs.directory / name
        path.write_text("")
        os.utime(path, (0, 1000 if name == "new.tmp" else 0))
    runs.tidy(before=500)
    assert sorted(path.name for path in runs.directory.iterdir()) == ["new.tmp", "r.err", "r.json"]


def test_a_directory_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / ".open").write_text("a file")
    with pytest.raises(RecordError, match=r"cannot write .*\.open"):
        OpenRuns(tmp_path / ".open").put(a_run())


def test_what_is_no_ordinary_file_holds_no_run(runs: OpenRuns, tmp_path: Path) -> None:
    (tmp_path / "endless").symlink_to("/dev/zero")  # reading it would never end
    assert OpenRun.read(tmp_path / "endless") is None
