"""Queued runs: when they start, how their ends are recorded, what is dropped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dagrun.scheduling.open_runs import OpenRun
from dagrun.scheduling.run_control import RunHandle
from tests.unit.scheduling.world import START, Parts


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    parts = Parts(tmp_path)
    yield parts
    parts.lock.release()


def test_a_run_is_recorded_from_its_start_to_its_end_and_then_forgotten(parts: Parts) -> None:
    parts.add("a")
    parts.poll()
    parts.poll(5)
    assert parts.recorded() == [("run_started", "a")]
    parts.poll(30)
    assert parts.recorded() == [("run_started", "a"), ("run_finished", "a")]
    assert (parts.lines[-1]["status"], parts.lines[-1]["duration_seconds"]) == ("success", 30.0)
    assert parts.queue.is_idle
    assert parts.enqueuer.open_runs.ids() == []


def test_at_most_so_many_run_at_once(parts: Parts) -> None:
    for number in range(5):
        parts.add(str(number), schedule_id=f"job{number}")
    assert parts.poll() == ["0", "1", "2"]
    parts.poll(31)
    assert parts.poll() == ["0", "1", "2", "3", "4"]


def test_runs_of_one_schedule_run_one_after_the_other(parts: Parts) -> None:
    for run_id in ("a", "b"):
        parts.add(run_id)
    assert parts.poll() == ["a"]
    assert parts.poll(20) == ["a"]
    parts.poll(20)
    assert parts.poll() == ["a", "b"]


def test_parallel_runs_of_one_schedule_run_together(parts: Parts) -> None:
    for run_id in ("a", "b"):
        parts.add(run_id, parallel=True)
    assert parts.poll() == ["a", "b"]


def test_a_run_starts_no_earlier_than_it_is_due(parts: Parts) -> None:
    parts.add("a", start=START + 60)
    assert parts.poll(59) == []
    assert parts.poll(1) == ["a"]


def test_a_run_that_replaces_a_running_one_cancels_it_and_waits_for_its_end(parts: Parts) -> None:
    parts.add("old", seconds=900)
    parts.poll()
    parts.add("new", after=("old",), replaces=True)
    parts.poll(1)
    parts.poll(1)
    assert parts.world.cancelled == ["old"]
    parts.poll(2)
    assert parts.poll() == ["old", "new"]
    assert parts.lines[1]["status"] == "cancelled"


def test_a_run_that_replaces_a_queued_one_waits_for_what_that_waited_for(parts: Parts) -> None:
    parts.add("first", seconds=900)
    parts.poll()
    parts.add("second", after=("first",))
    parts.add("third", after=("second",), replaces=True)
    parts.poll(1)
    assert ("schedule_skipped", "second") in parts.recorded()
    third = parts.enqueuer.open_runs.get("third")
    assert third is not None
    assert third.after == ("first",)


def test_queued_runs_are_dropped_for_a_reason_and_running_ones_are_not(parts: Parts) -> None:
    parts.add("running")
    parts.poll()
    parts.add("queued")
    parts.queue.drop(lambda run: ("Removed", "its schedule was removed"))
    assert "running" in parts.queue
    assert "queued" not in parts.queue
    assert parts.lines[-1] == {
        "event": "schedule_skipped", "run_id": "queued", "schedule_id": "job", "dag_path": "30", "tenant": None,
        "minute": "2026-11-20 12:00", "reason": "Removed", "error": "its schedule was removed",
    }  # fmt: skip


def test_a_process_that_cannot_be_started_is_reported_and_recorded(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(run: OpenRun, *, again: bool = False) -> RunHandle:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(parts.world, "start", fail)
    parts.add("a")
    parts.poll()
    assert parts.reports == [
        "Error: schedule 'job': the run of 2026-11-20 12:00 did not start:"
        " cannot start a process: Resource temporarily unavailable"
    ]
    assert (parts.lines[-1]["event"], parts.lines[-1]["reason"]) == ("schedule_skipped", "NotStarted")
    assert parts.queue.results is not None
    assert not parts.queue.results.all_succeeded


def test_killed_runs_are_interrupted_and_stay_open(parts: Parts) -> None:
    parts.add("a", seconds=900)
    parts.poll()
    parts.queue.kill()
    assert (parts.lines[-1]["event"], parts.lines[-1]["status"]) == ("run_finished", "interrupted")
    assert parts.enqueuer.open_runs.ids() == ["a"]
    assert parts.queue.is_idle


def test_a_run_of_another_process_is_followed_but_counts_for_no_limit(parts: Parts) -> None:
    run = parts.add("other", seconds=60)
    parts.world.start(run)
    parts.poll()
    parts.queue.watch(run)
    assert parts.queue.own == []
    parts.poll(61)
    assert parts.recorded()[-1] == ("run_finished", "other")


def test_a_queued_run_that_a_user_cancelled_is_finished_without_a_start(parts: Parts) -> None:
    run = parts.add("a", start=START + 600)
    parts.world.start(run)
    parts.world.cancel("a", "by hand")
    parts.poll(10)
    assert [line["status"] for line in parts.lines if line["event"] == "run_finished"] == ["cancelled"]
    assert parts.queue.is_idle


def test_of_a_run_that_outlived_its_scheduler_only_what_is_missing_is_recorded(parts: Parts) -> None:
    run = parts.add("a")
    parts.poll()
    parts.poll(1)
    parts.world.now += 60
    parts.queue.record_end(run)
    parts.queue.record_end(run)
    assert parts.recorded() == [("run_started", "a"), ("run_finished", "a")]


def test_a_step_that_fails_is_reported_once_and_does_not_stop_other_runs(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    phase = parts.world.phase

    def fail(run_id: str) -> Any:
        if run_id == "bad":
            raise OSError(5, "Input/output error")
        return phase(run_id)

    monkeypatch.setattr(parts.world, "phase", fail)
    parts.add("bad", schedule_id="one")
    parts.add("good", schedule_id="two")
    parts.poll()
    for _ in range(3):
        parts.poll(31)
    assert ("run_finished", "good") in parts.recorded()
    assert len(parts.reports) == 1
    assert "run bad of schedule 'one'" in parts.reports[0]


def test_a_run_that_waits_for_an_unreadable_one_does_not_stop_other_runs(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> bool:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(parts.enqueuer, "is_active", fail)
    parts.add("blocked", after=("unreadable",))
    parts.add("good", schedule_id="other")
    assert parts.poll() == ["good"]
    assert parts.reports == ["Error: run blocked of schedule 'job': [Errno 5] Input/output error"]


# --- runs that wait for a person ---


def test_a_paused_run_stays_open_and_continues_once_it_is_decided(parts: Parts) -> None:
    parts.add("a")
    parts.poll()
    parts.world.pause("a")
    parts.poll(1)
    assert (parts.lines[-1]["event"], parts.lines[-1]["status"]) == ("run_finished", "waiting")
    assert (parts.queue.is_idle, "a" in parts.queue, parts.enqueuer.open_runs.ids()) == (True, True, ["a"])
    parts.poll(3600)
    assert parts.world.runs["a"].resumed == 0
    parts.world.decide("a")
    parts.poll(5)
    parts.poll(31)
    assert parts.world.runs["a"].resumed == 1
    assert [line["status"] for line in parts.lines if line["event"] == "run_finished"] == [
        "waiting",
        "success",
    ]
    assert parts.enqueuer.open_runs.ids() == []


def test_a_paused_run_keeps_later_runs_of_its_schedule_from_starting(parts: Parts) -> None:
    parts.add("a")
    parts.poll()
    parts.world.pause("a")
    parts.poll(1)
    assert parts.enqueuer.is_active("a")
    parts.add("b", after=("a",))
    assert parts.poll(60) == ["a"]
    parts.world.decide("a")
    parts.poll(5)
    parts.poll(31)
    assert parts.poll() == ["a", "b"]


def test_a_run_that_replaces_a_paused_one_cancels_it(parts: Parts) -> None:
    parts.add("old")
    parts.poll()
    parts.world.pause("old")
    parts.poll(1)
    parts.add("new", after=("old",), replaces=True)
    parts.poll(1)
    parts.poll(6)
    assert parts.world.cancelled == ["old"]
    assert parts.poll(1) == ["old", "new"]


def test_a_paused_run_that_its_approver_continues_is_followed_to_its_end(parts: Parts) -> None:
    parts.add("a")
    parts.poll()
    parts.world.pause("a")
    parts.poll(1)
    run = parts.world.runs["a"]
    run.status, run.ends_at = "success", parts.world.now + 20
    parts.poll(6)
    parts.poll(20)
    assert parts.recorded()[-1] == ("run_finished", "a")
    assert (parts.lines[-1]["status"], run.resumed) == ("success", 0)
