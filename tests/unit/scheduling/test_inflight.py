"""Which schedulers live, as others see it at any moment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dagrun.scheduling.inflight import Life, OpenRun, OpenRuns
from dagrun.storage import lock

BUSY = """
import sys
from pathlib import Path
from dagrun.scheduling.inflight import Life
for _ in range(150):
    life = Life(Path(sys.argv[1]), 0.0)
    for name in life.dead():
        with life.inheriting(name):
            pass
    assert life.path(life.name).exists(), "it lives and nobody sees it"
    life.end()
"""


def test_a_scheduler_that_is_buried_while_it_is_born_takes_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = lock.take
    tried: list[Path] = []

    def in_other_hands(path: Path) -> bool:
        tried.append(path)
        return len(tried) > 1 and take(path)

    monkeypatch.setattr(lock, "take", in_other_hands)
    life = Life(tmp_path, 0.0)
    assert tried[-1] == life.path(life.name) != tried[0]
    life.end()


def test_nobody_is_buried_alive(tmp_path: Path) -> None:
    """Three at a time come, bury the dead and go: each is seen by the others for as long as it lives."""
    program = [sys.executable, "-c", BUSY, str(tmp_path)]
    started = [subprocess.Popen(program, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate(timeout=240)[1] for process in started] == [""] * 3
    assert list(tmp_path.iterdir()) == []


def test_the_runs_of_one_schedule_are_found_among_all_in_hand(tmp_path: Path) -> None:
    runs = OpenRuns(tmp_path)
    for run_id, schedule_id in (("1", "a"), ("2", "b"), ("3", "a")):
        runs.put(
            OpenRun(schedule_id=schedule_id, minute="2026-11-20 12:00", run_id=run_id, dag="x", after=("0",))
        )
    assert [run.run_id for run in runs.of("a")] == ["1", "3"]
    runs.drop("1")
    assert [(run.run_id, run.after) for run in runs.of("a")] == [("3", ("0",))]


def test_a_run_that_another_version_wrote_is_read_as_far_as_it_is_known(tmp_path: Path) -> None:
    text = '{"schedule_id":"a","minute":"2026-11-20 12:00","run_id":"1","dag":"x","after":"0","colour":"red"}'
    (tmp_path / "1.json").write_text(text)
    run = OpenRuns(tmp_path).get("1")
    assert run is not None
    assert (run.after, run.scheduled_at) == (("0",), "2026-11-20T12:00:00.000Z")
