"""Schedulers for longer than anybody waits for."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from tests.acceptance.harness import Project, wait_for
from tests.unit.scheduling.test_claims import all_fires, compete

MINUTES = float(os.environ.get("SOAK_MINUTES", "10"))


@pytest.mark.soak
def test_eight_schedulers_fire_two_hundred_minutes_once_each(tmp_path: Path) -> None:
    assert sorted(compete(tmp_path, 200)) == sorted(all_fires(200))


@pytest.mark.soak
def test_schedulers_that_are_killed_again_and_again_fire_every_minute_once(tmp_path: Path) -> None:
    project, chance = Project(tmp_path), random.Random(7)
    body = "echo $DAGRUN_SCHEDULE_ID $DAGRUN_SCHEDULED_AT >> fired"
    project.write("configs/dags/job.yaml", f"name: job\ntasks:\n  - {{id: t, run: '{body}'}}\n")
    keys = "cron: '* * * * *', dag: job, catchup: all, overlap: parallel"
    project.write("configs/schedules/s.yaml", "".join(f"- {{id: job{n}, {keys}}}\n" for n in range(5)))
    env = {"SCHED_TICK_MS": "50"}
    try:
        until = time.time() + MINUTES * 60
        while time.time() < until:
            serving = [project.start("scheduler", "--serve", env=env) for _ in range(2)]
            # Most deaths fall into the second in which a minute's fires are claimed and begun.
            to_next = 60 - time.time() % 60
            time.sleep(chance.uniform(0.5, 8) if to_next > 10 else to_next + chance.uniform(0, 3))
            for process in serving:
                process.kill()
                process.communicate()
        last = project.start("scheduler", "--serve", env=env)
        alive = tmp_path / "logs/schedules/.alive"
        wait_for("the heir of all that died", lambda: len(list(alive.iterdir())) == 1, 60)
        wait_for("the last runs", lambda: not list((tmp_path / "logs/schedules/.open").glob("*.json")), 90)
        last.terminate()
        assert project.finish(last).code == 0
    finally:
        project.tidy()
    fired = (tmp_path / "fired").read_text().splitlines()
    assert len(fired) == len(set(fired))
    for n in range(5):
        minutes = sorted(line.split()[1] for line in fired if line.startswith(f"job{n} "))
        first, newest = (time.strptime(minute[:16], "%Y-%m-%dT%H:%M") for minute in (minutes[0], minutes[-1]))
        assert len(minutes) == (time.mktime(newest) - time.mktime(first)) // 60 + 1
