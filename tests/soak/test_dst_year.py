"""A whole year of a thousand expressions in every zone that changes its clocks oddly, minute by minute."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime, timedelta

import pytest

from dagrun.scheduling.cron import parse
from dagrun.scheduling.timetable import Timetable
from dagrun.scheduling.timezones import zone
from tests.unit.scheduling.oracle import ZONES, Wall, expressions

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("name", [*ZONES, "Asia/Beirut", "Europe/Dublin", "America/Havana"])
def test_a_year_agrees_with_a_walk_over_its_minutes(name: str) -> None:
    seed = int(os.environ.get("SOAK_SEED") or secrets.randbits(32))
    print(f"SOAK_SEED={seed}")
    # The days before are for the clock to know what it has shown already.
    wall = Wall(name, NEW_YEAR - timedelta(days=2), NEW_YEAR + timedelta(days=365))
    first, before = wall.first + 2 * 1440, wall.first + 367 * 1440
    for cron in expressions(seed, 1000):
        table = Timetable(parse(cron), zone(name))
        expected = [at for at in wall.fires(cron) if at >= first]
        assert table.count(first, before) == len(expected), (seed, cron)
        got = []
        at = table.first(first)
        while at is not None and at < before:
            got.append(at)
            at = table.first(at + 1)
        assert got == expected, (seed, cron)
