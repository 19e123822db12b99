"""What people ask about schedules: next fires, last runs, what a tick would do, and whether their DAGs can run."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagrun.core.model import Dag, Param
from dagrun.errors import NotFoundError
from dagrun.scheduling.claims import Claim, Claims
from dagrun.scheduling.run_control import DagProblem
from dagrun.scheduling.schedule import Catchup, DueFire, SkippedFires, Watermark
from dagrun.scheduling.schedule_files import ScheduleFiles
from dagrun.scheduling.schedule_queries import CheckedFiles, known_dag, preview, views
from tests.unit.scheduling.world import START, schedule

DAGS = {"ops.yaml": Dag(name="ops", tasks=(), params=(Param(name="region", default="eu"),))}


def find(name: str) -> Dag:
    try:
        return DAGS[name]
    except KeyError:
        raise NotFoundError("DAG", name, DAGS) from None


@pytest.fixture
def claims(tmp_path: Path) -> Claims:
    return Claims(tmp_path / "claims")


def settle(claims: Claims, minute: str, run_id: str = "") -> None:
    with claims.hold("job", START) as held:
        held.append(Claim(Watermark(minute), run_id=run_id))


# --- schedules ---------------------------------------------------------------------------------------------


def test_a_schedule_is_shown_with_its_next_fires(claims: Claims) -> None:
    (shown,) = views([schedule(dag="ops.yaml")], claims, lambda _: None, START, 2)
    assert shown.to_json() == {
        "id": "job", "cron": "*/10 * * * *", "timezone": "UTC", "dag": "ops.yaml", "tenant": None, "enabled": True,
        "overlap": "skip", "catchup": "none", "next": ["2026-11-20T12:10:00.000Z", "2026-11-20T12:20:00.000Z"],
        "last": None,
    }  # fmt: skip


def test_a_disabled_schedule_has_no_next_fires(claims: Claims) -> None:
    (shown,) = views([schedule(enabled=False)], claims, lambda _: None, START, 2)
    assert shown.next == []


def test_a_watermark_in_the_future_is_shown_and_nothing_fires_before_it(claims: Claims) -> None:
    settle(claims, "2026-11-20 12:25")
    (shown,) = views([schedule()], claims, lambda _: None, START, 1)
    assert shown.to_json()["settled_until"] == "2026-11-20 12:25"
    assert shown.next == [START + 30 * 60]


def test_a_last_run_whose_records_were_deleted_is_shown_by_its_id(claims: Claims) -> None:
    settle(claims, "2026-11-20 11:50", run_id="r")
    (shown,) = views([schedule()], claims, lambda _: None, START, 1)
    assert shown.to_json()["last"] == {
        "run_id": "r", "status": None, "started_at": None, "finished_at": None,
    }  # fmt: skip


# --- what a tick would do ----------------------------------------------------------------------------------


def test_a_preview_has_what_a_tick_would_start_and_skip(claims: Claims) -> None:
    settle(claims, "2026-11-20 11:30")
    skipped, fire = preview([schedule(dag="ops.yaml")], claims, find, START, None)
    assert isinstance(skipped.what, SkippedFires)
    assert (skipped.reason, skipped.what.count) == ("Missed", 2)
    assert isinstance(fire.what, DueFire)
    assert (fire.reason, fire.what.minute) == ("", "2026-11-20 12:00")


def test_a_preview_has_the_fires_that_are_made_up_for(claims: Claims) -> None:
    settle(claims, "2026-11-20 11:30")
    found = preview([schedule(dag="ops.yaml", catchup=Catchup.ALL)], claims, find, START, None)
    assert [each.what.minute[-5:] for each in found] == ["11:40", "11:50", "12:00"]


def test_a_preview_says_why_a_fire_would_be_skipped(claims: Claims) -> None:
    (found,) = preview([schedule(dag="lost.yaml")], claims, find, START, None)
    assert found.reason == "MissingDag"


def test_a_named_minute_that_was_fired_is_not_in_the_preview(claims: Claims) -> None:
    job = schedule(dag="ops.yaml")
    assert len(preview([job], claims, find, START, "2026-11-20 09:00")) == 1
    settle(claims, "2026-11-20 09:00", run_id="r")
    assert preview([job], claims, find, START, "2026-11-20 09:00") == []


# --- whether a DAG can run ---------------------------------------------------------------------------------


def test_a_dag_is_found_with_the_parameters_of_its_schedule() -> None:
    assert known_dag(schedule(dag="ops.yaml", params={"region": "us"}), find).name == "ops"


@pytest.mark.parametrize(
    ("dag", "params", "reason"),
    [("lost.yaml", {}, "MissingDag"), ("ops.yaml", {"planet": "mars"}, "InvalidParams")],
)
def test_a_dag_that_cannot_run_is_a_problem_with_a_reason(
    dag: str, params: dict[str, str], reason: str
) -> None:
    with pytest.raises(DagProblem) as caught:
        known_dag(schedule(dag=dag, params=params), find)
    assert caught.value.reason == reason


def test_a_schedule_whose_dag_cannot_run_is_served_with_a_finding_at_its_key(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "- {id: lost, cron: '@daily', dag: lost.yaml}\n"
        "- {id: odd, cron: '@daily', dag: ops.yaml, params: {planet: mars}}\n"
        "- {id: good, cron: '@daily', dag: ops.yaml}\n"
    )
    loaded = CheckedFiles(ScheduleFiles(tmp_path, "schedules"), find).load()
    assert [each.id for each in loaded.schedules] == ["lost", "odd", "good"]
    assert [(str(finding.place), finding.code) for finding, _ in loaded.findings] == [
        ("schedules/a.yaml:1:35", "unknown-dag"),
        ("schedules/a.yaml:2:61", "invalid-params"),
    ]
