"""Edited schedules, clocks that are set and interrupted runs: what is made up for, counted, resumed or left."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from dagrun.errors import RecordError
from dagrun.scheduling.claims import Claims
from dagrun.scheduling.schedule import Catchup, Overlap, Schedule, minute_text
from dagrun.scheduling.schedule_files import Loaded
from tests.unit.scheduling.world import START, Run, Site, die, schedule


def skipped(site: Site) -> list[tuple[str, str]]:
    """The minutes that were skipped, each with its reason."""
    return [(minute[-5:], reason) for minute, reason in site.recorded("schedule_skipped", "minute", "reason")]


# --- a schedule counts from the moment it is new, edited, put back or readable again --------------------------


@pytest.mark.parametrize("edit", [{"cron": "*/5 * * * *"}, {"dag": "31"}, {"params": {"a": 1}}, {"start": 1}])
def test_an_edit_made_while_nothing_served_makes_up_for_nothing(tmp_path: Path, edit: dict[str, Any]) -> None:
    site = Site(tmp_path, schedule(catchup=Catchup.ALL, overlap=Overlap.PARALLEL))
    site.serve(minutes=5)
    site.world.now = START + 38 * 60
    site.shelf.schedules = (schedule(catchup=Catchup.ALL, overlap=Overlap.PARALLEL, **edit),)
    site.serve(minutes=4)
    assert site.world.minutes() == ["12:00", "12:40"]
    assert site.recorded("schedule_skipped", "reason", "count", "first", "last") == [
        ("Missed", 3, "2026-11-20 12:10", "2026-11-20 12:30")  # due under the definition that was in force
    ]


def test_an_expression_that_was_edited_does_not_count_what_only_the_new_one_means(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(cron="0 0 1 1 *"))
    site.serve(minutes=5)
    site.world.now = START + 86_400
    site.shelf.schedules = (schedule(cron="* * * * *", catchup=Catchup.ALL),)
    site.once()
    assert site.world.minutes() == ["12:00"]
    assert skipped(site) == []


def test_an_edit_while_serving_counts_from_then_on(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(cron="0 0 1 1 *"))
    edited = schedule(cron="* * * * *", catchup=Catchup.ALL, dag="1")
    site.signals.at[START + 600] = lambda: setattr(site.shelf, "schedules", (edited,))
    site.serve(minutes=12)
    assert site.world.minutes() == ["12:10", "12:11"]
    assert skipped(site) == []


def test_what_is_not_edited_is_made_up_for(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(catchup=Catchup.ALL, dag="1"))
    site.serve(minutes=5)
    site.world.now = START + 25 * 60
    site.shelf.schedules = (schedule(cron=" */10  * * * *", catchup=Catchup.ALL, dag="1"),)  # the same
    site.serve(minutes=4)
    assert site.world.minutes() == ["12:00", "12:10", "12:20"]


@pytest.mark.parametrize("is_served", [True, False])
def test_a_schedule_that_was_removed_and_is_put_back_makes_up_for_nothing(
    tmp_path: Path, is_served: bool
) -> None:
    job, other = schedule(catchup=Catchup.ALL, dag="1"), schedule("other", "0 0 1 1 *")
    site = Site(tmp_path, job, other)
    site.serve(minutes=5)
    if is_served:
        site.signals.at[START + 320] = lambda: setattr(site.shelf, "schedules", (other,))
        site.serve(minutes=30)
    else:  # removed while nothing served
        site.shelf.schedules = (other,)
        site.world.now = START + 1800
        site.serve(minutes=5)
    site.shelf.schedules = (job, other)
    site.serve(minutes=11)
    assert site.world.minutes() == ["12:00", "12:40"]
    assert skipped(site) == []


def test_a_schedule_of_another_directory_is_not_taken_for_removed(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(catchup=Catchup.ALL, dag="1"))
    site.serve(minutes=5)
    elsewhere = Site(tmp_path, schedule("other"), world=site.world)
    elsewhere.home = "elsewhere"
    elsewhere.serve(minutes=20)
    site.serve(minutes=6)
    assert site.world.minutes() == ["12:00", "12:10", "12:20", "12:30"]


def test_what_was_skipped_while_disabled_is_recorded_when_the_schedule_is_removed(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(), schedule("other", "0 0 1 1 *"))
    site.serve(minutes=5)
    site.shelf.schedules = (schedule(enabled=False), schedule("other", "0 0 1 1 *"))
    site.signals.at[START + 2100] = lambda: setattr(
        site.shelf, "schedules", (schedule("other", "0 0 1 1 *"),)
    )
    site.serve(minutes=35)
    assert site.recorded("schedule_skipped", "reason", "count", "minute") == [
        ("Disabled", 3, "2026-11-20 12:30")
    ]


def test_an_edit_of_a_disabled_schedule_parts_its_record(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(enabled=False))
    site.signals.at[START + 1500] = lambda: setattr(
        site.shelf, "schedules", (schedule(cron="* * * * *", enabled=False),)
    )
    site.signals.at[START + 1800] = lambda: setattr(
        site.shelf, "schedules", (schedule(cron="* * * * *", dag="1"),)
    )
    site.serve(minutes=31)
    assert site.recorded("schedule_skipped", "reason", "count", "first", "last") == [
        ("Disabled", 3, "2026-11-20 12:00", "2026-11-20 12:20"),
        ("Disabled", 5, "2026-11-20 12:25", "2026-11-20 12:29"),
    ]  # fmt: skip


def test_a_long_outage_with_much_to_make_up_for_does_not_hold_up_other_schedules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)  # nothing here is about power
    every = schedule("every", "* * * * *", catchup=Catchup.ALL, overlap=Overlap.PARALLEL, dag="0")
    other = schedule("other", "0 * * * *", dag="0")
    site = Site(tmp_path, every, other)
    site.serve(minutes=1)
    site.world.now = START + 5 * 3600
    scheduler = site.scheduler(limit=1000)
    scheduler.turn()
    assert len(site.world.minutes("every")) == 101
    assert site.world.minutes("other") == ["12:00", "17:00"]
    for _ in range(4):  # room for more is seen in the turn after the one in which runs end
        scheduler.turn()
    assert len(site.world.minutes("every")) == len(set(site.world.minutes("every"))) == 301
    scheduler.close()


# --- overlap counts every run that has not ended -----------------------------------------------------------


def _interrupted(site: Site, minutes: float = 1) -> str:
    """Serve until the run at work is left interrupted by the end of the grace."""
    site.serve(minutes=minutes, grace=0)
    (run_id,) = [run_id for run_id, run in site.world.runs.items() if run.is_interrupted]
    return run_id


@pytest.mark.parametrize("overlap", [Overlap.SKIP, Overlap.QUEUE])
def test_a_run_that_is_resumed_and_a_new_one_never_run_together(tmp_path: Path, overlap: Overlap) -> None:
    site = Site(tmp_path, schedule(dag="900", overlap=overlap))
    _interrupted(site)
    site.world.now = START + 600
    site.serve(minutes=40, limit=9)
    assert site.world.most_at_once == 1
    assert site.world.runs[next(iter(site.world.runs))].resumed == 1
    assert (("12:10", "Overlap") in skipped(site)) == (overlap is Overlap.SKIP)


def test_a_run_waits_to_be_resumed_until_the_newer_active_one_has_ended(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(dag="900", cron="0,20 * * * *"))
    run_id = _interrupted(site)
    # Somebody runs the next minute by hand, in a process that outlives its scheduler.
    once = site.scheduler()
    site.world.now = START + 1200
    (newer,) = once.enqueuer.take(site.shelf.load().schedules[0], site.world.now).runs
    once.queue.add(newer)
    once.queue.poll(site.world.now)
    die(once)
    site.world.runs[newer.run_id].status = "failed"
    site.serve(minutes=35)
    assert site.world.most_at_once == 1
    assert site.world.runs[run_id].resumed == 1


def test_a_run_that_a_user_resumes_counts(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule())
    scheduler = site.scheduler()
    from dagrun.scheduling.open_runs import OpenRun

    # An old run that had ended: `dagrun resume` drives it and has put it in hand.
    scheduler.enqueuer.open_runs.put(
        OpenRun(schedule_id="job", minute="2026-11-20 11:00", run_id="old", dag="900")
    )
    site.world.runs["old"] = Run("job", "2026-11-20 11:00", START, START + 900)
    scheduler.turn()
    assert skipped(site) == [("12:00", "Overlap")]
    scheduler.close()


# --- runs that have not begun ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "reason"), [((), "Removed"), ((schedule(dag="900", overlap=Overlap.QUEUE, enabled=False),), "Disabled")]
)  # fmt: skip
@pytest.mark.parametrize("is_served", [True, False])
def test_a_queued_run_is_dropped_when_its_schedule_goes(
    tmp_path: Path, after: tuple[Schedule, ...], reason: str, is_served: bool
) -> None:
    site = Site(tmp_path, schedule(dag="900", overlap=Overlap.QUEUE))
    if is_served:
        site.signals.at[START + 700] = lambda: setattr(site.shelf, "schedules", after)
        site.serve(minutes=30)
    else:
        site.serve(minutes=11, grace=600)
        site.shelf.schedules = after
        site.serve(minutes=1)
    assert site.world.minutes() == ["12:00"]
    assert skipped(site)[:1] == [("12:10", reason)]
    assert list((tmp_path / ".open").glob("*")) == []


def test_a_queued_run_whose_file_cannot_be_read_for_a_while_stays_queued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dagrun.documents.yaml import Finding, Place, Source
    from dagrun.scheduling.schedule import ScheduleOrigin

    written = Source.inline("[{id: job}]", "configs/schedules/job.yaml")
    job = schedule(dag="900", overlap=Overlap.QUEUE, origin=ScheduleOrigin(written, (0,)))
    site = Site(tmp_path, job)
    load = site.shelf.load

    def broken() -> Loaded:
        loaded = load()
        finding = Finding(Place("configs/schedules/job.yaml", 1, 1), "it is cut short", "syntax")
        return loaded if loaded.schedules else Loaded((), ((finding, None),))

    monkeypatch.setattr(site.shelf, "load", broken)
    site.signals.at[START + 700] = lambda: setattr(site.shelf, "schedules", ())
    site.signals.at[START + 800] = lambda: setattr(site.shelf, "schedules", (job,))
    site.serve(minutes=19)
    assert site.world.minutes() == ["12:00", "12:10"]
    assert skipped(site) == []


def test_a_queued_run_that_somebody_cancels_never_starts(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(dag="900", overlap=Overlap.QUEUE))

    def cancel() -> None:
        (queued,) = [
            path.stem for path in (tmp_path / ".open").glob("*.json") if path.stem not in site.world.runs
        ]
        now = site.world.now
        site.world.runs[queued] = Run("job", "2026-11-20 12:10", now, now, "cancelled")

    site.signals.at[START + 700] = cancel
    site.serve(minutes=18)
    assert site.recorded("run_finished", "status") == ["cancelled", "success"]
    assert list((tmp_path / ".open").glob("*")) == []


# --- interrupted runs --------------------------------------------------------------------------------------


def test_a_run_that_was_interrupted_too_long_ago_is_left_and_reported(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(dag="600", cron="0 12 * * *"))
    run_id = _interrupted(site)
    site.world.now = START + 21 * 86_400 + 60
    site.serve(minutes=1)
    assert site.world.runs[run_id].resumed == 0
    (report,) = [report for report in site.reports if run_id in report]
    assert "stays interrupted: it was interrupted more than 24h 00m ago" in report
    assert list((tmp_path / ".open").glob("*")) == []
    assert site.recorded("run_finished", "status") == ["interrupted"]


def test_a_schedule_says_how_long_ago_a_run_may_have_been_interrupted(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(dag="600", cron="0 12 * * *", resume_window=600.0))
    run_id = _interrupted(site)
    site.world.now += 601
    site.serve(minutes=1)
    assert site.world.runs[run_id].resumed == 0


def test_a_run_is_left_interrupted_once_a_newer_one_of_its_schedule_has_succeeded(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(dag="600"))
    run_id = _interrupted(site)
    site.world.now = START + 600
    site.shelf.schedules = (schedule(dag="30"),)
    site.once()  # resumes nothing
    site.serve(minutes=5)
    assert site.world.runs[run_id].resumed == 0
    assert any("a newer run of its schedule" in report for report in site.reports)


# --- hand-over ---------------------------------------------------------------------------------------------


def test_a_run_of_a_dead_scheduler_is_recorded_once_as_started(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(dag="300", cron="0 12 * * *"))
    dead = site.scheduler()
    dead.turn()
    site.world.now += 10
    dead.turn()
    die(dead)
    site.serve(minutes=10)
    assert [line["event"] for line in site.lines] == ["schedule_enqueued", "run_started", "run_finished"]


def test_a_run_that_ended_while_no_scheduler_was_running_is_recorded_completely(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(dag="5", cron="0 12 * * *"))
    dead = site.scheduler()
    dead.turn()
    die(dead)
    site.world.now += 600
    site.serve(minutes=1)
    assert [line["event"] for line in site.lines] == ["schedule_enqueued", "run_started", "run_finished"]


# --- clocks ------------------------------------------------------------------------------------------------


def test_a_clock_that_is_put_back_is_reported_and_the_first_minute_after_the_last_settled_one_fires(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path, schedule())
    site.signals.at[START + 1500] = lambda: setattr(site.world, "now", START - 3600)
    site.serve(minutes=100)
    assert site.world.minutes()[:4] == ["12:00", "12:10", "12:20", "12:30"]
    (first, *rest) = [report for report in site.reports if "clock" in report]
    assert "the clock went back from 2026-11-20 12:24:50 UTC to 2026-11-20 11:00:00 UTC" in first
    assert rest == [
        "Warning: schedule 'job' is settled until 2026-11-20 12:20 UTC, which is in the future: was a clock wrong? It fires"
        " next at 2026-11-20 12:30 UTC (`dagrun schedules reset job` moves that back to now)"
    ]  # fmt: skip


def test_a_reset_lets_a_schedule_fire_from_now_on_and_no_minute_twice(tmp_path: Path) -> None:
    site = Site(tmp_path, schedule(dag="1"))
    site.world.now = START + 86_400
    site.serve(minutes=15)  # fires 12:00 and 12:10 of the wrong day
    site.world.now = START
    for run in site.world.runs.values():
        run.ends_at = 0.0  # the world of this test knows no processes, only the clock

    def reset() -> None:
        with Claims(tmp_path).hold("job", site.world.now) as held:
            held.reset(minute_text(int(site.world.now // 60)))

    site.signals.at[START + 310] = reset
    site.serve(minutes=25)
    assert site.world.minutes() == ["12:00", "12:10", "12:10", "12:20"]
    assert Claims(tmp_path).state("job").ahead == "2026-11-21 12:10"
    site.world.now = START + 86_400 - 60
    site.serve(minutes=25)
    fired = [run.minute for run in site.world.runs.values()]
    assert len(fired) == len(set(fired))
    assert fired[-1] == "2026-11-21 12:20"
    assert Claims(tmp_path).state("job").ahead == ""


# --- SIGHUP, full disks ------------------------------------------------------------------------------------


def test_a_scheduler_that_is_asked_to_reload_does_so_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, schedule())
    loads: list[float] = []
    load = site.shelf.load

    def counted() -> Loaded:
        loads.append(site.world.now)
        return load()

    monkeypatch.setattr(site.shelf, "load", counted)
    site.signals.at[START + 60] = lambda: setattr(site.signals, "reloads", 1)
    site.serve(minutes=2)
    assert loads == [START, START + 60]


def test_lines_that_cannot_be_written_are_kept_and_written_later_in_order(tmp_path: Path) -> None:
    site, disk = Site(tmp_path, schedule(dag="5", cron="0 12 * * *")), {"full": True}
    write = site.record

    def record(line: dict[str, object]) -> None:
        if disk["full"]:
            raise RecordError("cannot write logs/orchestrator_state.jsonl: No space left on device")
        write(line)

    site.record = record  # type: ignore[assignment, method-assign]
    site.signals.at[START + 100] = lambda: disk.update(full=False)
    site.serve(minutes=3)
    assert [line["event"] for line in site.lines] == ["schedule_enqueued", "run_started", "run_finished"]
    assert site.lines[0]["timestamp"] == "2026-11-20T12:00:00.000Z"
    assert len(site.reports) == 1


def test_once_fails_when_it_cannot_record_what_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, schedule())

    def full(_: object) -> None:
        raise RecordError("cannot write: No space left on device")

    scheduler = site.scheduler()
    with monkeypatch.context() as patch:
        patch.setattr(scheduler.enqueuer.open_runs, "put", full)
        scheduler.once(START)
    assert (site.world.minutes(), scheduler.enqueuer.failed) == ([], 1)
    scheduler.close()
    site.record = full  # type: ignore[assignment, method-assign]
    scheduler = site.scheduler()
    scheduler.once(START)
    assert (site.world.minutes(), scheduler.enqueuer.failed) == (["12:00"], 1)
    scheduler.close()


# --- laws --------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_whatever_changes_no_minute_is_fired_twice_and_no_two_runs_overlap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Clocks that jump either way, resets, edits, removals, deaths and interrupted runs, in any order."""
    monkeypatch.setattr("os.fsync", lambda _: None)  # nothing here is about power
    draw = random.Random(seed)
    site = Site(tmp_path, schedule(cron="* * * * *"))
    scheduler = site.scheduler(limit=3)
    scheduler.adopt_orphans(resume=True)

    def edit() -> None:
        overlap = draw.choice([Overlap.SKIP, Overlap.QUEUE])
        site.shelf.schedules = (
            schedule(
                cron=draw.choice(["* * * * *", "*/2 * * * *", "0 * * * *"]), overlap=overlap, enabled=draw.random() < 0.8,
                catchup=draw.choice(list(Catchup)), catchup_window=3600.0, dag=draw.choice(["1", "50", "400"]),
            ),
        )  # fmt: skip

    def reset() -> None:
        this = minute_text(int(site.world.now // 60))
        with Claims(tmp_path).hold("job", site.world.now) as held:
            if held.state.settled_until > this:
                held.reset(this)

    def interrupt() -> None:
        for run_id in site.world.runs:
            if site.world.is_live(run_id):
                site.world.interrupt(run_id)

    def jump() -> None:
        step = draw.uniform(-4000, 8000)
        site.world.now += step
        for run in site.world.runs.values():  # the work of a run does not end sooner because a clock jumps
            run.ends_at += step

    for _ in range(400):
        chance = draw.random()
        if chance < 0.04:
            jump()
        elif chance < 0.06:
            reset()
        elif chance < 0.09:
            edit()
        elif chance < 0.1:
            site.shelf.schedules = ()
        elif chance < 0.12:
            interrupt()
        elif chance < 0.15:
            die(scheduler)
            scheduler = site.scheduler(limit=3)
            scheduler.adopt_orphans(resume=True)
        site.world.now += draw.choice([5, 20, 20, 61])
        scheduler.turn()
    fired = [run.minute for run in site.world.runs.values()]
    assert len(fired) == len(set(fired)) > 0
    assert site.world.most_at_once == 1
    scheduler.close()
