"""Schedulers as a whole: what fires, what is skipped, and what a dead one leaves to the next."""

from __future__ import annotations

import errno
import gc
import os
import shutil
from pathlib import Path

import pytest

from dagrun.errors import RecordError
from dagrun.scheduling.enqueuer import MAX_BACKLOG
from dagrun.scheduling.schedule import DAY, Catchup, Overlap
from tests.unit.scheduling.world import START, BrokenDisk, Site, World, die, schedule


def test_a_served_schedule_fires_at_each_of_its_minutes(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(cron="*/10 * * * *"))
    site.serve(minutes=35)
    assert site.world.minutes() == ["12:00", "12:10", "12:20", "12:30"]


def test_a_fire_is_recorded_from_its_claim_to_its_end(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(tenant="acme"))
    site.once()
    (run_id,) = site.world.runs
    assert [line["event"] for line in site.lines] == ["schedule_enqueued", "run_started", "run_finished"]
    assert {line["run_id"] for line in site.lines} == {run_id}
    assert {line["tenant"] for line in site.lines} == {"acme"}
    assert site.recorded("schedule_enqueued", "minute") == ["2026-11-20 12:00"]
    assert site.recorded("run_finished", "status", "duration_seconds") == [("success", 30)]


def test_once_runs_what_is_due_and_ends_with_it(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule("due"), schedule("not_due", "5 * * * *"))
    assert site.once().all_succeeded
    assert site.world.minutes("due") == ["12:00"]
    assert site.world.minutes("not_due") == []
    assert list((tmp_path / ".open").glob("*")) == []
    assert list((tmp_path / ".alive").glob("*")) == []


def test_once_again_in_the_same_minute_has_nothing_to_do(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(dag="1"))
    site.once()
    site.once()
    assert site.world.minutes() == ["12:00"]


def test_a_named_minute_fires_once_and_leaves_the_account_alone(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(dag="1"))
    site.once("2026-11-20 09:30")
    site.once("2026-11-20 09:30")
    site.once("2026-11-20 09:31")  # it does not fire then
    site.once()
    assert site.world.minutes() == ["09:30", "12:00"]
    assert site.recorded("schedule_skipped", "reason") == []


def test_a_minute_that_was_fired_ahead_of_its_time_is_not_fired_again(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(dag="1"))
    site.serve(minutes=5)
    site.once("2026-11-20 12:20")
    site.serve(minutes=30)
    assert site.world.minutes() == ["12:00", "12:20", "12:10", "12:30"]


def test_at_most_so_many_run_at_once_and_the_rest_wait(tmp_path: Path) -> None:
    site = Site(tmp_path, *(schedule(f"job{n}") for n in range(10)))
    assert site.once(limit=3).all_succeeded
    assert len(site.world.runs) == 10
    assert site.world.most_at_once == 3


def test_a_fire_with_jitter_starts_later_than_its_minute(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(jitter=300.0))
    site.once()
    (run,) = site.world.runs.values()
    assert START < run.begun_at <= START + 310


def test_what_failed_is_seen_in_the_tally(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule("nothing", dag="no-such-dag"), schedule())
    scheduler = site.scheduler()
    assert scheduler.once(START).all_succeeded
    assert scheduler.enqueuer.failed == 1
    assert site.recorded("schedule_skipped", "schedule_id", "reason") == [("nothing", "MissingDag")]
    assert "cannot run" in site.reports[0]
    scheduler.close()


# --- while the last run still runs --------------------------------------------------------------------------


def test_overlap_skip_passes_over_what_comes_too_early(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(dag="900", overlap=Overlap.SKIP))
    site.serve(minutes=35)
    assert site.world.minutes() == ["12:00", "12:20"]
    assert site.recorded("schedule_skipped", "minute", "reason") == [
        ("2026-11-20 12:10", "Overlap"), ("2026-11-20 12:30", "Overlap"),
    ]  # fmt: skip


def test_overlap_queue_runs_one_after_the_other(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(dag="900", overlap=Overlap.QUEUE))
    site.serve(minutes=50)
    starts = [round(run.begun_at - START) // 60 for run in site.world.runs.values()]
    assert site.world.minutes() == ["12:00", "12:10", "12:20", "12:30"]
    assert starts == [0, 15, 30, 45]
    assert site.world.most_at_once == 1


def test_overlap_parallel_starts_at_once(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(dag="900", overlap=Overlap.PARALLEL))
    site.serve(minutes=15)
    assert site.world.most_at_once == 2


def test_overlap_replace_cancels_the_run_that_runs_then_starts(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(dag="900", overlap=Overlap.REPLACE))
    site.serve(minutes=15)
    first, second = site.world.runs.values()
    assert (first.status, second.minute[-5:]) == ("cancelled", "12:10")
    assert second.begun_at >= first.ends_at
    assert len(site.world.cancelled) == 1


def test_overlap_replace_lets_only_the_newest_wait(tmp_path: Path) -> None:
    blocker = schedule("blocker", cron="0 12 * * *", dag="2400")
    site = Site(tmp_path, blocker, schedule(overlap=Overlap.REPLACE))
    site.serve(minutes=45, limit=1)
    assert site.world.minutes() == ["12:40"]
    replaced = [(f"2026-11-20 {minute}", "Replaced") for minute in ("12:00", "12:10", "12:20", "12:30")]
    assert site.recorded("schedule_skipped", "minute", "reason") == replaced


# --- after a while in which nobody served ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("catchup", "minutes", "missed"),
    [
        (Catchup.NONE, ["12:00", "12:40"], [(3, "2026-11-20 12:10", "2026-11-20 12:30")]),
        (Catchup.LATEST, ["12:00", "12:30", "12:40"], [(2, "2026-11-20 12:10", "2026-11-20 12:20")]),
        (Catchup.ALL, ["12:00", "12:10", "12:20", "12:30", "12:40"], []),
    ],
)
def test_missed_fires_are_made_up_for_as_catchup_says(
    tmp_path: Path, catchup: Catchup, minutes: list[str], missed: list[tuple[int, str, str]]
) -> None:
    site = Site(tmp_path, schedule(catchup=catchup, overlap=Overlap.QUEUE))
    site.serve(minutes=5)
    site.world.now = START + 40 * 60
    site.serve(minutes=5)
    assert site.world.minutes() == minutes
    assert site.recorded("schedule_skipped", "count", "first", "last") == missed


def test_what_is_made_up_for_waits_for_its_turn_even_where_overlap_says_skip(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(catchup=Catchup.ALL, overlap=Overlap.SKIP))
    site.serve(minutes=5)
    site.world.now = START + 35 * 60
    site.serve(minutes=4)
    assert site.world.minutes() == ["12:00", "12:10", "12:20", "12:30"]
    assert site.world.most_at_once == 1


# --- the directory -----------------------------------------------------------------------------------------


def test_changed_files_are_picked_up_while_serving(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule("old"))
    site.signals.at[START + 60] = lambda: setattr(site.shelf, "schedules", (schedule("new"),))
    site.serve(minutes=15)
    assert site.world.minutes("old") == ["12:00"]
    assert site.world.minutes("new") == ["12:10"]


def test_a_directory_that_disappears_is_reported_once_and_its_schedules_stay_in_force(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule())
    there = site.shelf.schedules
    site.signals.at[START + 60] = lambda: setattr(site.shelf, "schedules", None)
    site.signals.at[START + 900] = lambda: setattr(site.shelf, "schedules", there)
    site.serve(minutes=25)
    assert site.world.minutes() == ["12:00", "12:10", "12:20"]
    assert site.reports == [
        "Error: there is no directory configs/schedules; its last known schedules stay in force",
        "The directory of schedules is there again",
    ]


# --- asked to stop -----------------------------------------------------------------------------------------


def test_runs_that_end_within_the_grace_end_well(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(dag="90"))
    site.serve(minutes=1, grace=60)
    assert site.recorded("run_finished", "status") == ["success"]


def test_past_the_grace_runs_are_left_interrupted_and_the_next_scheduler_goes_on_with_them(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path, schedule(dag="600", cron="0 12 * * *"))
    site.serve(minutes=1, grace=30)
    assert site.recorded("run_finished", "status") == ["interrupted"]
    site.serve(minutes=15)
    (run,) = site.world.runs.values()
    assert run.resumed == 1
    assert site.recorded("run_finished", "status") == ["interrupted", "success"]
    assert list((tmp_path / ".open").glob("*")) == []


def test_what_waits_when_a_scheduler_stops_is_run_by_the_next(tmp_path: Path) -> None:
    site = Site(tmp_path, *(schedule(f"job{n}", cron="0 12 * * *", dag="120") for n in range(3)))
    site.serve(minutes=1, limit=1, grace=300)
    assert len(site.world.runs) == 1
    site.once(limit=3)
    assert sorted(run.schedule_id for run in site.world.runs.values()) == ["job0", "job1", "job2"]
    assert site.recorded("schedule_enqueued", "schedule_id") == ["job0", "job1", "job2"]


# --- sudden death ------------------------------------------------------------------------------------------


def test_a_claim_whose_run_never_started_is_run_by_the_next_scheduler(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(overlap=Overlap.QUEUE))
    dead = site.scheduler()
    dead.enqueuer.take(site.shelf.load().schedules[0], START)
    die(dead)
    site.world.now += 3600
    site.once()
    assert site.world.minutes() == ["12:00", "13:00"]


def test_a_claim_of_a_live_scheduler_is_left_alone(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule())
    alive = site.scheduler()
    alive.enqueuer.take(site.shelf.load().schedules[0], START)
    site.once()
    assert site.world.minutes() == []
    alive.close()


def test_a_run_of_a_dead_scheduler_is_waited_for_and_counts_for_overlap(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(dag="900"))
    dead = site.scheduler()
    dead.turn()
    die(dead)
    site.serve(minutes=25)
    assert site.world.minutes() == ["12:00", "12:20"]
    assert site.recorded("run_finished", "status")[0] == "success"


def test_two_schedulers_fire_every_minute_once_and_one_takes_over_when_the_other_dies(tmp_path: Path) -> None:
    site = Site(tmp_path, *(schedule(f"job{n}", dag="5") for n in range(5)))
    first, second = site.scheduler(), site.scheduler()
    while site.world.now < START + 3600:
        for scheduler in (first, second) if site.world.now < START + 1810 else (second,):
            scheduler.turn()
        if site.world.now == START + 1800:
            die(first)
        site.world.now += 10
    for n in range(5):
        assert site.world.minutes(f"job{n}") == ["12:00", "12:10", "12:20", "12:30", "12:40", "12:50"]
    second.close()


# --- bad days ----------------------------------------------------------------------------------------------


def test_a_clock_that_is_put_back_fires_nothing_twice(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule())
    site.signals.at[START + 1500] = lambda: setattr(site.world, "now", START + 300)
    site.serve(minutes=45)
    assert site.world.minutes() == ["12:00", "12:10", "12:20", "12:30", "12:40"]


def test_a_clock_that_was_wrong_is_reported(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule())
    site.world.now += 90 * 86400
    site.serve(minutes=5)
    site.world.now = START
    site.serve(minutes=25)
    assert site.world.minutes() == ["12:00"]
    assert "settled until 2027-02-18 12:00 UTC" in site.reports[0]
    assert len(site.reports) == 1


def test_a_claim_that_cannot_be_written_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, schedule())
    scheduler, disk = site.scheduler(), {"full": True}
    put = scheduler.enqueuer.open_runs.put

    def fails(run: object) -> None:
        if disk["full"]:
            raise RecordError("cannot write: No space left on device")
        put(run)  # type: ignore[arg-type]

    monkeypatch.setattr(scheduler.enqueuer.open_runs, "put", fails)
    scheduler.turn()
    assert site.world.minutes() == []
    disk["full"] = False
    scheduler.turn()
    assert site.world.minutes() == ["12:00"]
    assert site.reports == ["Error: cannot write: No space left on device"]
    scheduler.close()


def test_a_state_store_that_cannot_be_written_does_not_stop_the_runs(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule())

    def fails(_: object) -> None:
        raise RecordError("cannot write logs/orchestrator_state.jsonl")

    site.record = fails  # type: ignore[assignment, method-assign]
    site.once()
    assert site.world.minutes() == ["12:00"]


@pytest.mark.slow
def test_memory_does_not_grow_with_ticks_or_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    site = Site(tmp_path, schedule(dag="20"), world=World())
    scheduler = site.scheduler()
    site.lines, ends = [], 0

    def turns(count: int) -> tuple[int, int]:
        nonlocal ends
        for _ in range(count):
            scheduler.turn()
            site.world.now += 60
            ends += len(site.world.runs) > 3 and bool(site.world.runs.pop(next(iter(site.world.runs))))
            site.lines.clear()
        gc.collect()
        return len(os.listdir("/proc/self/fd")), len(gc.get_objects())  # noqa: PTH208

    before = turns(500)
    after = turns(3_000)
    assert ends > 300
    assert after[0] == before[0]
    assert after[1] - before[1] < 500
    scheduler.close()


def test_nothing_is_due_in_most_minutes(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(cron="0 0 1 1 *"))
    assert site.once().endings == []
    assert site.lines == []


def test_records_that_somebody_removes_while_serving_are_begun_again(tmp_path: Path) -> None:
    site = Site(tmp_path / "schedules", schedule())
    site.signals.at[START + 60] = lambda: shutil.rmtree(tmp_path / "schedules")
    site.serve(minutes=15)
    assert site.world.minutes() == ["12:00", "12:10"]
    assert site.reports == []


# --- disks that fail ---------------------------------------------------------------------------------------


def test_a_fire_whose_claim_the_disk_does_not_confirm_is_fired_once_by_a_later_tick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, schedule(overlap=Overlap.SKIP))
    scheduler = site.scheduler()
    BrokenDisk(monkeypatch, errors=2)
    for _ in range(4):
        scheduler.turn()
    assert site.world.minutes() == ["12:00"]
    assert len(site.recorded("schedule_enqueued", "run_id")) == 1
    assert [report for report in site.reports if "Input/output error" in report] == site.reports[:1]
    scheduler.close()


def test_once_fails_when_the_disk_does_not_confirm_a_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, schedule())
    scheduler = site.scheduler()
    BrokenDisk(monkeypatch, errors=1)
    scheduler.once(site.world.now)
    assert (scheduler.enqueuer.failed, site.world.minutes()) == (1, [])
    assert list((tmp_path / ".open").iterdir()) == []
    scheduler.close()
    site.once()
    assert site.world.minutes() == ["12:00"]


def test_a_claim_that_can_be_neither_confirmed_nor_taken_back_is_run_by_the_next_scheduler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, schedule())
    scheduler = site.scheduler()
    with monkeypatch.context() as patch:
        BrokenDisk(patch, errors=1)
        patch.setattr(os, "ftruncate", read_only)
        scheduler.turn()
    assert site.world.minutes() == []
    scheduler.close()
    site.serve(minutes=5)
    assert site.world.minutes() == ["12:00"]
    assert len(site.reports) == 1


def read_only(_fd: int, _size: int) -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def test_a_schedule_that_cannot_be_looked_at_does_not_stop_the_others(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule("bad"), schedule("good"))
    scheduler = site.scheduler()
    scheduler.enqueuer.claims.path("bad").mkdir()
    scheduler.turn()
    scheduler.turn()
    assert site.world.minutes("good") == ["12:00"]
    assert len(site.reports) == 1
    scheduler.enqueuer.claims.path("bad").rmdir()
    scheduler.turn()
    assert site.world.minutes("bad") == ["12:00"]
    scheduler.close()


# --- catching up -------------------------------------------------------------------------------------------


def _behind(tmp_path: Path, minutes: int, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site whose schedule, due every minute, was last served so many minutes ago and makes up for all."""
    monkeypatch.setattr("os.fsync", lambda _: None)  # nothing here is about power
    every_minute = schedule(
        cron="* * * * *", dag="1", catchup=Catchup.ALL, catchup_window=400 * DAY, overlap=Overlap.QUEUE
    )
    site = Site(tmp_path, every_minute)
    site.once()
    site.world.now += minutes * 60
    return site


def test_a_year_of_missed_fires_is_queued_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = _behind(tmp_path, 365 * 1440, monkeypatch)
    scheduler = site.scheduler()
    for _ in range(3):
        scheduler.turn()
    assert len(list((tmp_path / ".open").iterdir())) == MAX_BACKLOG
    assert len(site.recorded("schedule_enqueued", "run_id")) == 1 + MAX_BACKLOG
    scheduler.close()


def test_every_missed_fire_becomes_a_run_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = _behind(tmp_path, 3 * MAX_BACKLOG, monkeypatch)
    site.once()
    started = [run.minute for run in site.world.runs.values()]
    assert len(started) == len(site.recorded("run_finished", "run_id")) == 3 * MAX_BACKLOG + 1
    assert started == sorted(set(started))
    assert site.world.most_at_once == 1


def test_a_paused_run_outlives_its_scheduler_counts_for_overlap_and_is_continued(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(cron="*/10 * * * *"))
    site.signals.at[START + 10] = lambda: site.world.pause(next(iter(site.world.runs)))
    site.serve(15)
    (run_id,) = site.world.runs
    assert "Overlap" in site.recorded("schedule_skipped", "reason")
    site.world.decide(run_id)
    site.serve(2)
    assert site.world.runs[run_id].resumed == 1
    assert site.recorded("run_finished", "status") == ["waiting", "success"]
