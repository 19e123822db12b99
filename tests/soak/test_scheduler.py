"""Schedulers for longer than anybody waits for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.schedules.test_claims import all_fires, compete


@pytest.mark.soak
def test_eight_schedulers_fire_two_hundred_minutes_once_each(tmp_path: Path) -> None:
    assert sorted(compete(tmp_path, 200)) == sorted(all_fires(200))
