"""The loops of `tests/acceptance/test_survival.py`, for longer: `make soak`."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from tests.acceptance.survival import every_write, rounds

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]
ROUNDS = int(os.environ.get("SOAK_ROUNDS", "200"))
MODES = ["before", "half", "after"]


def test_a_run_that_meets_faults_at_random_moments_and_resumed(tmp_path: Path) -> None:
    seed = int(os.environ.get("SOAK_SEED") or secrets.randbits(32))
    print(f"SOAK_SEED={seed} SOAK_ROUNDS={ROUNDS}")
    problems = rounds(tmp_path, seed, ROUNDS)
    assert not problems, f"of {ROUNDS} rounds from seed {seed}, {len(problems)} went wrong: {problems}"


@pytest.mark.parametrize("resuming", [False, True], ids=["run", "resume"])
def test_a_run_that_is_stopped_at_each_of_its_writes_in_every_way(tmp_path: Path, resuming: bool) -> None:
    writes, problems = every_write(tmp_path, lambda _: MODES, resuming=resuming)
    print(f"{writes} points, {len(MODES)} ways each")
    assert not problems
