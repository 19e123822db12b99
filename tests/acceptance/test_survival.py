"""A run survives kills and other faults: nothing is lost, repeated or left running, and nothing hangs."""

from __future__ import annotations

import secrets
from pathlib import Path

from tests.acceptance.survival import every_write, rounds

ROUNDS = 14


def test_a_run_that_meets_faults_at_random_moments_and_resumed(tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    problems = rounds(tmp_path, seed, ROUNDS)
    assert not problems, f"of {ROUNDS} rounds from seed {seed}: {problems}"


def test_a_run_that_is_stopped_at_each_of_its_writes(tmp_path: Path) -> None:
    modes = ("before", "half", "after")
    writes, problems = every_write(tmp_path, lambda point: [modes[point % 3]])
    assert not problems
    assert writes > 20


def test_a_resume_that_is_stopped_at_each_of_its_writes(tmp_path: Path) -> None:
    modes = ("half", "after", "before")
    writes, problems = every_write(tmp_path, lambda point: [modes[point % 3]], resuming=True)
    assert not problems
    assert writes > 5
