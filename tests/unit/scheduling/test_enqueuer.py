"""From a due fire to a claimed run: what is written, and what other runs of the schedule change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dagrun.scheduling import open_runs
from dagrun.scheduling.schedule import Overlap
from dagrun.value import replace
from tests.unit.scheduling.world import START, Parts, schedule


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    parts = Parts(tmp_path)
    yield parts
    parts.lock.release()


def test_a_due_fire_is_an_open_run_a_claim_and_a_record(parts: Parts) -> None:
    (run,) = parts.take(schedule(tenant="acme", params={"region": "eu"}))
    assert (run.minute, run.tenant, run.params, run.start) == (
        "2026-11-20 12:00", "acme", {"region": "eu"}, START,
    )  # fmt: skip
    assert parts.enqueuer.open_runs.get(run.run_id) == run
    assert parts.enqueuer.claims.state("job").run_id == run.run_id
    assert [(line["event"], line["run_id"]) for line in parts.lines] == [("schedule_enqueued", run.run_id)]


def test_a_minute_is_taken_once(parts: Parts) -> None:
    assert len(parts.take(schedule())) == 1
    assert parts.take(schedule()) == []


def test_under_skip_a_fire_is_skipped_while_a_run_is_active(parts: Parts) -> None:
    (run,) = parts.take(schedule())
    assert parts.take(schedule(), minutes=10) == []
    assert parts.lines[-1]["reason"] == "Overlap"
    assert parts.lines[-1]["run_id"] == run.run_id


def test_under_skip_a_run_that_has_ended_does_not_count(parts: Parts) -> None:
    (run,) = parts.take(schedule(dag="30"))
    parts.world.start(run)
    parts.world.now += 60
    assert len(parts.take(schedule(), minutes=10)) == 1


def test_under_queue_a_run_waits_for_the_one_claimed_before_it(parts: Parts) -> None:
    job = schedule(overlap=Overlap.QUEUE)
    (first,), (second,), (third,) = (parts.take(job, minutes) for minutes in (0, 10, 20))
    assert (first.after, second.after, third.after) == ((), (first.run_id,), (second.run_id,))
    assert not third.replaces


def test_under_replace_a_run_replaces_all_active_ones(parts: Parts) -> None:
    job = schedule(overlap=Overlap.REPLACE)
    (first,), (second,), (third,) = (parts.take(job, minutes) for minutes in (0, 10, 20))
    assert not first.replaces
    assert third.replaces
    assert set(third.after) == {first.run_id, second.run_id}


def test_under_parallel_a_run_waits_for_nothing(parts: Parts) -> None:
    job = schedule(overlap=Overlap.PARALLEL)
    parts.take(job)
    (second,) = parts.take(job, minutes=10)
    assert (second.after, second.parallel) == ((), True)


def test_a_dag_that_cannot_run_is_recorded_and_reported(parts: Parts) -> None:
    assert parts.take(schedule(dag="lost")) == []
    assert [(line["minute"][-5:], line["reason"]) for line in parts.lines if "reason" in line] == [
        ("12:00", "MissingDag")
    ]
    assert parts.reports == ["error: schedule 'job' cannot run: DAG 'lost' not found"]
    assert parts.enqueuer.failed == 1


def test_a_named_minute_is_taken_once_and_moves_no_watermark(parts: Parts) -> None:
    job = schedule()
    (run,) = parts.enqueuer.take_minute(job, "2026-11-20 09:00", START)
    assert (run.minute, run.start) == ("2026-11-20 09:00", START)
    assert parts.enqueuer.take_minute(job, "2026-11-20 09:00", START) == []
    assert parts.enqueuer.take_minute(job, "2026-11-20 09:01", START) == []
    assert parts.enqueuer.claims.state("job").settled_until == ""


def test_a_named_minute_of_a_disabled_schedule_is_recorded_once(parts: Parts) -> None:
    job = schedule(enabled=False)
    for _ in range(2):
        assert parts.enqueuer.take_minute(job, "2026-11-20 09:00", START) == []
    assert [(line["minute"][-5:], line["reason"]) for line in parts.lines if "reason" in line] == [
        ("09:00", "Disabled")
    ]


def test_a_failure_is_reported_once_for_as_long_as_it_lasts(parts: Parts) -> None:
    parts.enqueuer.claims.path("job").mkdir(parents=True)
    assert [parts.enqueuer.take(schedule(), START).has_failed for _ in range(3)] == [True] * 3
    assert len(parts.reports) == 1
    parts.enqueuer.claims.path("job").rmdir()
    assert len(parts.take(schedule())) == 1


def test_a_queued_run_is_active_only_while_its_scheduler_is_alive(parts: Parts) -> None:
    (run,) = parts.take(schedule())
    assert parts.enqueuer.is_active(run.run_id)
    parts.enqueuer.open_runs.put(replace(run, by="dead"))
    assert not parts.enqueuer.is_active(run.run_id)


def test_an_interrupted_run_is_active_only_while_it_is_to_be_resumed(parts: Parts) -> None:
    (run,) = parts.take(schedule())
    parts.world.start(run)
    parts.world.interrupt(run.run_id)
    assert not parts.enqueuer.is_active(run.run_id)
    parts.enqueuer.open_runs.put(replace(run, again=True))
    assert parts.enqueuer.is_active(run.run_id)


def test_an_interrupted_run_is_resumed_within_its_window_alone(parts: Parts) -> None:
    (run,) = parts.take(schedule(resume_window=3600.0))
    parts.world.start(run)
    parts.world.interrupt(run.run_id)
    assert parts.enqueuer.why_not_resumed(run, START + 3600) == ""
    assert "more than 1h 00m ago" in parts.enqueuer.why_not_resumed(run, START + 3601)


def test_an_interrupted_run_is_not_resumed_after_a_newer_one_has_succeeded(parts: Parts) -> None:
    (old,) = parts.take(schedule())
    parts.world.start(old)
    parts.world.interrupt(old.run_id)
    (new,) = parts.take(schedule(), minutes=10)
    parts.world.start(new)
    assert f"{new.run_id}, has succeeded" in parts.enqueuer.why_not_resumed(old, START + 700)


def test_an_open_run_that_the_disk_does_not_confirm_leaves_nothing_that_counts_as_active(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(open_runs, "sync_directory", fail)
        assert parts.enqueuer.take(schedule(), START).has_failed
    assert parts.enqueuer.open_runs.ids() == []
    assert len(parts.take(schedule())) == 1
