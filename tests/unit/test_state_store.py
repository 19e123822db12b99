"""The state store: lines for people and tools, the newest first, whatever is before them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dagrun.state_store import StateStore, index_by, last_runs, record_event
from dagrun.storage.jsonl import Rotation
from dagrun.storage.tail import BLOCK, Follower


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "state.jsonl"
    monkeypatch.setenv("STATE_STORE_PATH", str(path))
    monkeypatch.chdir(tmp_path)
    return path


def test_what_is_recorded_is_read_newest_first(path: Path) -> None:
    record_event({"event": "run_started", "run_id": "a"})
    record_event({"event": "run_finished", "run_id": "a", "status": "success"})
    assert [line["event"] for line in last_runs()] == ["run_finished", "run_started"]
    assert last_runs(limit=1)[0]["status"] == "success"


def test_a_line_begins_with_its_time_and_its_event(path: Path) -> None:
    event = {"status": "success", "event": "run_finished"}
    record_event(event)
    assert list(json.loads(path.read_text())) == ["timestamp", "event", "status"]
    assert "timestamp" not in event


def test_a_time_that_was_given_is_kept(path: Path) -> None:
    record_event({"event": "x", "timestamp": "2025-10-03T10:00:00Z"})
    assert last_runs()[0]["timestamp"] == "2025-10-03T10:00:00Z"


def test_events_by_a_field_newest_first(path: Path) -> None:
    for number, name in enumerate(["a", "b", "a", None]):
        record_event({"event": "x", "n": number, **({"schedule_id": name} if name else {})})
    by_schedule = index_by("schedule_id")
    assert {name: [line["n"] for line in found] for name, found in by_schedule.items()} == {
        "a": [2, 0],
        "b": [1],
    }
    assert list(index_by("schedule_id", limit=2)) == ["a"]


def test_a_file_that_is_not_there_is_empty(path: Path) -> None:
    assert last_runs() == []
    assert index_by("schedule_id") == {}


def test_corrupt_lines_are_left_out_and_counted(path: Path) -> None:
    record_event({"event": "a"})
    with path.open("ab") as file:
        file.write(b'rubbish\n\n[1]\n\xff\xfe\n{"timestamp":"torn')
    record_event({"event": "b"})
    found = last_runs()
    assert [line["event"] for line in found] == ["b", "a"]
    assert found.corrupt == 4


def test_a_last_line_without_its_end_counts(path: Path) -> None:
    path.write_text('{"event":"a"}\n{"event":"b"}')
    assert [line["event"] for line in last_runs()] == ["b", "a"]


def test_what_is_no_json_is_refused_and_writes_nothing(path: Path) -> None:
    with pytest.raises(ValueError, match="must be JSON"):
        record_event({"event": "x", "what": object()})
    assert not path.exists()


def test_the_last_of_a_gigabyte_cost_one_block(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1024**3)  # a hole: no disk is used
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + b"".join(b'{"event":"x","n":%d}\n' % n for n in range(100)))
    source = Follower(path)
    newest = source.backwards()
    assert [json.loads(next(newest))["n"] for _ in range(20)] == list(range(99, 79, -1))
    assert source.bytes_read <= BLOCK
    source.close()
    assert [line["n"] for line in last_runs()] == list(range(99, 79, -1))


def test_what_was_rotated_is_read_on(tmp_path: Path) -> None:
    store = StateStore(tmp_path / "state.jsonl", Rotation(size=300, keep=3))
    for number in range(18):
        store.record({"event": "x", "n": number})
    assert len(list(tmp_path.iterdir())) > 2
    assert [line["n"] for line in store.newest(100)] == list(range(17, -1, -1))
