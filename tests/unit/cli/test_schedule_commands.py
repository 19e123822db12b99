"""The commands `scheduler` and `schedules`, as far as they start no run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dagrun.scheduling.claims import Claim, Claims
from dagrun.scheduling.schedule import Watermark
from tests.unit.cli.conftest import Command


@pytest.fixture
def scheduled(command: Command, tmp_path: Path) -> Path:
    """A project with one schedule, at every full hour; its directory."""
    directory = tmp_path / "configs" / "schedules"
    directory.mkdir(parents=True)
    (directory / "s.yaml").write_text("- {id: hourly, cron: '0 * * * *', dag: d.yaml}\n")
    (tmp_path / "d.yaml").write_text("name: d\ntasks: [{id: a, run: x}]\n")
    return directory


@pytest.mark.parametrize(
    "words", [[], ["--once", "--serve"], ["--serve", "--at", "2026-11-20T09:00Z"], ["--once", "--at", "noon"]]
)
def test_a_wrong_request_ends_with_2(command: Command, scheduled: Path, words: list[str]) -> None:
    assert command("scheduler", *words)[0] == 2


def test_a_dry_run_shows_what_a_minute_would_fire(command: Command, scheduled: Path) -> None:
    words = ["scheduler", "--once", "--dry-run", "--at", "2026-11-20T09:00Z"]
    code, out, _ = command(*words)
    assert (code, out) == (
        0, "DRY RUN: 2026-11-20 09:00 UTC\n  hourly: would run d.yaml for 2026-11-20 09:00\n",
    )  # fmt: skip
    fires = json.loads(command(*words, "-o", "json")[1])["fires"]
    assert [fire["schedule_id"] for fire in fires] == ["hourly"]


def test_schedules_are_listed_with_their_next_fires(command: Command, scheduled: Path) -> None:
    code, out, _ = command("schedules", "--next", "3", "-o", "json")
    (one,) = json.loads(out)["schedules"]
    assert (code, one["id"], len(one["next"])) == (0, "hourly", 3)
    assert command("schedules")[1].splitlines()[1].startswith("hourly    0 * * * *  UTC")


def test_an_invalid_schedule_is_reported_and_ends_with_2(command: Command, scheduled: Path) -> None:
    (scheduled / "bad.yaml").write_text("- {id: bad, cron: 'x', dag: d.yaml}\n")
    code, out, err = command("schedules")
    assert (code, "hourly" in out, "bad.yaml:1:" in err) == (2, True, True)


def test_an_empty_directory_has_no_schedules(command: Command, scheduled: Path) -> None:
    (scheduled / "s.yaml").unlink()
    for words in (["schedules"], ["scheduler", "--once"], ["scheduler", "--once", "--dry-run"]):
        assert command(*words) == (1, "No schedules found in configs/schedules\n", "")


def test_a_watermark_is_reset(command: Command, scheduled: Path, tmp_path: Path) -> None:
    assert "nothing was changed" in command("schedules", "reset", "hourly")[1]
    with Claims(tmp_path / "logs" / "schedules").hold("hourly", 0.0) as held:
        held.append(Claim(Watermark("2999-01-01 00:00"), run_id="r"))
    assert "`dagrun schedules reset hourly`" in command("schedules")[1]
    assert "was settled until 2999-01-01 00:00 UTC" in command("schedules", "reset", "hourly")[1]


@pytest.mark.parametrize("words", [["reset"], ["drop", "hourly"], ["reset", "none"]])
def test_other_requests_are_refused(command: Command, scheduled: Path, words: list[str]) -> None:
    assert command("schedules", *words)[0] == 2
