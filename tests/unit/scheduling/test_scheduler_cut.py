"""A scheduler killed at any write and started again: nothing is fired twice, nothing is missed that `catchup` promises."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dagrun.scheduling import claims
from dagrun.scheduling.open_runs import OpenRuns
from dagrun.scheduling.schedule import Catchup, Overlap, Schedule
from dagrun.scheduling.scheduler import Scheduler
from tests.unit.scheduling.world import START, Site, World, die, schedule

pytestmark = pytest.mark.slow

EVE = (
    START - 130
)  # late enough to be soon done, early enough for every schedule to have been seen before it is due


class Killed(BaseException):
    """The process is gone."""


class Knife:
    """Counts writes, and kills before, in the middle of, or after the given one."""

    def __init__(self) -> None:
        self.writes = 0
        self.at: int | None = None
        self.how = "before"

    def around(self, write: Callable[..., Any], torn: Callable[..., Any] | None = None) -> Callable[..., Any]:
        def cut(*args: Any, **more: Any) -> Any:
            self.writes += 1
            if self.writes != self.at:
                return write(*args, **more)
            if self.how == "after":
                write(*args, **more)
            elif self.how == "torn" and torn is not None:
                torn(*args, **more)
            raise Killed

        return cut


def _half(fd: int, data: bytes) -> None:
    import os

    os.write(fd, data[: len(data) // 2])


@pytest.fixture
def knife(monkeypatch: pytest.MonkeyPatch) -> Knife:
    knife = Knife()
    monkeypatch.setattr(os, "fsync", lambda _: None)  # processes are killed here, the power stays on
    monkeypatch.setattr(claims, "append_line", knife.around(claims.append_line, _half))
    monkeypatch.setattr(OpenRuns, "put", knife.around(OpenRuns.put))
    monkeypatch.setattr(OpenRuns, "drop", knife.around(OpenRuns.drop))
    monkeypatch.setattr(World, "start", knife.around(World.start))
    monkeypatch.setattr(Site, "record", knife.around(Site.record))
    return knife


def _serve(site: Site, until: float, pause: float) -> None:
    """Serve until then; one that was killed is started again after a pause."""
    scheduler: Scheduler | None = None
    while site.world.now < until:
        if scheduler is None:
            scheduler = site.scheduler(limit=2)
            swept = False
        try:
            if not swept:
                swept = True
                scheduler.adopt_orphans(resume=True)
            scheduler.turn()
            site.world.now += 20
        except Killed:
            die(scheduler)
            scheduler = None
            site.world.now += pause
    if scheduler is not None:
        scheduler.close()


JOBS = (
    schedule("all", "*/10 * * * *", catchup=Catchup.ALL, overlap=Overlap.PARALLEL),
    schedule("queued", "*/15 * * * *", catchup=Catchup.ALL, overlap=Overlap.QUEUE, dag="200"),
    schedule("latest", "5,35 * * * *", catchup=Catchup.LATEST),
    schedule("none", "*/20 * * * *"),
)


def _check(site: Site, jobs: tuple[Schedule, ...], until: float) -> None:
    for job in jobs:
        fired = [run.minute for run in site.world.runs.values() if run.schedule_id == job.id]
        assert len(fired) == len(set(fired)), f"{job.id} fired twice"
        if job.catchup is Catchup.ALL:
            due = [time for time in _fires(job) if time < until - 1800]
            assert set(due) <= {_moment(minute) for minute in fired}, f"{job.id} missed a fire"


def _fires(job: Schedule) -> list[float]:
    found: list[float] = []
    for moment in job.fires(START - 1):
        if moment > START + 26 * 3600:
            return found
        found.append(moment)
    return found


def _moment(minute: str) -> float:
    from dagrun.scheduling.schedule import minute_number

    return minute_number(minute) * 60.0


@pytest.mark.parametrize("how", ["before", "torn", "after"])
def test_killed_at_every_single_write_of_half_an_hour(tmp_path: Path, knife: Knife, how: str) -> None:
    until = START + 2700
    site = Site(tmp_path / "whole", *JOBS, world=World(EVE))
    _serve(site, until, 0)
    writes = knife.writes
    assert writes > 50
    for at in range(1, writes + 1):
        knife.writes, knife.at, knife.how = 0, at, how
        site = Site(tmp_path / f"{at}", *JOBS, world=World(EVE))
        _serve(site, until, pause=61)
        _check(site, JOBS, until)


def test_a_day_of_kills(tmp_path: Path, knife: Knife) -> None:
    until = START + 86_400
    site = Site(tmp_path, *JOBS, world=World(EVE))
    deaths = 0
    ways = ("before", "torn", "after")
    knife.at = 3
    while site.world.now < until:
        knife.how = ways[deaths % 3]
        _serve_once(site, until, knife)
        deaths += site.world.now < until
        knife.at = knife.writes + 3 + 7 * deaths % 29
        site.world.now += 20 + 37 * deaths % 400
    knife.at = None
    _serve(site, until + 4 * 3600, 0)
    assert deaths > 80
    _check(site, JOBS, until)


def _serve_once(site: Site, until: float, knife: Knife) -> None:
    """One scheduler's life: it ends by the knife, or with the day."""
    scheduler = site.scheduler(limit=2)
    try:
        scheduler.adopt_orphans(resume=True)
        while site.world.now < until:
            scheduler.turn()
            site.world.now += 20
        scheduler.close()
    except Killed:
        die(scheduler)
