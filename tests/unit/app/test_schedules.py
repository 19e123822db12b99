"""Answers about schedules, and the reset of a watermark."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagrun.app.documents import Documents
from dagrun.app.schedules import Schedules
from dagrun.errors import NotFoundError
from dagrun.registry import Registry
from dagrun.scheduling.claims import Claim, Claims
from dagrun.scheduling.run_control import DagProblem
from dagrun.scheduling.schedule import Watermark, minute_number
from dagrun.settings import Settings
from dagrun.views.status import RunView

NINE = minute_number("2026-11-20 09:00") * 60.0


@pytest.fixture
def schedules(tmp_path: Path) -> Schedules:
    """A project with one schedule, which has never run."""
    (tmp_path / "configs" / "schedules").mkdir(parents=True)
    (tmp_path / "configs" / "schedules" / "s.yaml").write_text(
        "- {id: hourly, cron: '0 * * * *', dag: d.yaml}\n"
    )
    (tmp_path / "d.yaml").write_text("name: d\ntasks: [{id: a, run: x}]\n")

    def no_run(run_id: str) -> RunView:
        raise NotFoundError("run", run_id)

    return Schedules(Documents(Settings(root=tmp_path), Registry), tmp_path / "claims", no_run)


def test_a_schedule_is_shown_with_its_next_fires(schedules: Schedules) -> None:
    loaded = schedules.files().load()
    (view,) = schedules.views(loaded.schedules, NINE, 2)
    assert (view.schedule.id, view.next, view.last) == ("hourly", [NINE + 3600, NINE + 7200], None)


def test_a_preview_shows_what_a_tick_would_fire(schedules: Schedules) -> None:
    (fire,) = schedules.preview(schedules.files().load().schedules, NINE)
    assert (fire.what.minute, fire.reason) == ("2026-11-20 09:00", "")


def test_the_dag_of_a_schedule_is_known_by_name_and_tenant(schedules: Schedules, tmp_path: Path) -> None:
    (one,) = schedules.files().load().schedules
    assert (schedules.known_dag(one).name, schedules.known_dag(one).tenant) == ("d", "local-dev")
    (tmp_path / "d.yaml").unlink()
    with pytest.raises(DagProblem):
        schedules.known_dag(one)


def test_files_of_another_directory_are_displayed_as_named(schedules: Schedules, tmp_path: Path) -> None:
    assert schedules.files(tmp_path / "configs" / "schedules").shown == str(
        tmp_path / "configs" / "schedules"
    )
    assert schedules.files().shown == "configs/schedules"


def test_a_reset_moves_a_watermark_back_to_now(schedules: Schedules, tmp_path: Path) -> None:
    claims = Claims(tmp_path / "claims")
    with claims.hold("hourly", NINE + 7200) as held:
        held.append(Claim(Watermark("2026-11-20 11:00"), run_id="r"))
    assert schedules.reset("hourly", NINE, ["hourly"]) == "2026-11-20 11:00"
    assert schedules.reset("hourly", NINE, ["hourly"]) == ""


def test_a_reset_of_a_schedule_that_never_fired_changes_nothing(schedules: Schedules) -> None:
    assert schedules.reset("hourly", NINE, ["hourly"]) == ""
    with pytest.raises(NotFoundError) as error:
        schedules.reset("hourli", NINE, ["hourly"])
    assert error.value.hint == "did you mean 'hourly'?"
