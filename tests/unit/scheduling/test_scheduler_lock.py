"""The locks that show which schedulers are alive."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dagrun.scheduling.scheduler_lock import SchedulerLock
from dagrun.storage import lock

BUSY = """
import sys
from pathlib import Path
from dagrun.scheduling.scheduler_lock import SchedulerLock
for _ in range(150):
    mine = SchedulerLock(Path(sys.argv[1]), 0.0)
    for name in mine.dead_schedulers():
        with mine.taking_over(name):
            pass
    assert mine.path(mine.name).exists(), "it lives and nobody sees it"
    mine.release()
"""


def test_a_scheduler_that_is_buried_while_it_is_born_takes_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = lock.take
    tried: list[Path] = []

    def in_other_hands(path: Path) -> bool:
        tried.append(path)
        return len(tried) > 1 and take(path)

    monkeypatch.setattr(lock, "take", in_other_hands)
    mine = SchedulerLock(tmp_path, 0.0)
    assert tried[-1] == mine.path(mine.name) != tried[0]
    mine.release()


def test_nobody_is_buried_alive(tmp_path: Path) -> None:
    """Three at a time come, bury the dead and go: each is seen by the others for as long as it lives."""
    program = [sys.executable, "-c", BUSY, str(tmp_path)]
    started = [subprocess.Popen(program, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate(timeout=240)[1] for process in started] == [""] * 3
    assert list(tmp_path.iterdir()) == []
