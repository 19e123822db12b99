"""The benchmarks run: tiny, so their figures say nothing; every contestant did its work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def bench(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", "--runs", "1", "--size", "0.001", *args],
        capture_output=True, text=True, cwd=ROOT, timeout=500,
    )  # fmt: skip


def test_every_group_prints_its_rows() -> None:
    done = bench()
    assert done.returncode == 0, done.stderr
    head, rule, *rows = done.stdout.splitlines()
    assert head == "| work | goal | measured | met |"
    assert rule == "| --- | --- | --- | --- |"
    assert len(rows) >= 20
    assert all(row.count(" | ") == 3 and row.startswith("| ") and row.endswith(" |") for row in rows)
    assert "measuring payload ..." in done.stderr


def test_rows_can_be_chosen_and_a_wrong_name_is_reported() -> None:
    assert len(bench("events").stdout.splitlines()) == 4
    slip = bench("evnets")
    assert slip.returncode == 2
    assert "no such rows: evnets" in slip.stderr
