"""Which schedulers live, as others see it at any moment."""

from __future__ import annotations

from pathlib import Path

from dagrun.scheduling.open_runs import OpenRun, OpenRuns


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
