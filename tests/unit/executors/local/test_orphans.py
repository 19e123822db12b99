"""What a run's directory says about the processes that its executors have started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dagrun.executors.local import orphans, processes
from dagrun.executors.local.orphans import Signature
from dagrun.executors.local.processes import ProcessInfo
from dagrun.value import replace

SIGNATURE = Signature(mark="7-abc", name="dagrun-waaaaaaa", since=1000, boot="b")
WORKER = ProcessInfo(pid=1 << 23, parent=1, group=1, session=1, dead=False, started=1001, name=SIGNATURE.name)


def test_executors_are_recorded_one_after_the_other(tmp_path: Path) -> None:
    owners = [SIGNATURE, replace(SIGNATURE, mark="8-abc")]
    for owner in owners:
        orphans.record(owner, tmp_path / "bodies.lock")
    assert orphans.recorded(tmp_path / "bodies.lock") == owners


@pytest.mark.parametrize(
    "line",
    [
        "", "[]", "{}", "[" * 100_000, '{"mark": "m", "name": "dagrun-wxyzabcd", "since": "1", "boot": "b"}',
        '{"mark": "", "name": "dagrun-wxyzabcd", "since": 1, "boot": "b"}',
        '{"mark": "m", "name": "bash", "since": 1, "boot": "b"}',
    ],
)  # fmt: skip
def test_other_lines_are_ignored(tmp_path: Path, line: str) -> None:
    (tmp_path / "bodies.lock").write_text(line + "\n")
    orphans.record(SIGNATURE, tmp_path / "bodies.lock")
    assert orphans.recorded(tmp_path / "bodies.lock") == [SIGNATURE]


def test_a_file_that_does_not_exist_has_no_signatures(tmp_path: Path) -> None:
    assert orphans.recorded(tmp_path / "bodies.lock") == []


@pytest.mark.parametrize(
    ("process", "own"),
    [
        (WORKER, True),
        (replace(WORKER, dead=True), False),
        (replace(WORKER, started=SIGNATURE.since - 1), False),
        (replace(WORKER, name="dagrun-wbbbbbbb"), False),
        (replace(WORKER, name="dagrun-worker"), False),
    ],
    ids=["its own", "a dead one", "one that began before", "another executor's", "a foreign one"],
)
def test_a_worker_is_recognised_by_its_name_and_its_start(process: ProcessInfo, own: bool) -> None:
    assert SIGNATURE.matches(process, lambda _: None) is own


@pytest.mark.parametrize(
    ("mark", "own"),
    [("7-abc", True), ("7-abc-12", True), ("7-abcd", False), ("7-abcd-1", False), (None, False)],
)
def test_a_command_is_recognised_by_its_mark(mark: str | None, own: bool) -> None:
    assert SIGNATURE.matches(replace(WORKER, name="sleep"), lambda _: mark) is own


def test_signatures_of_an_earlier_boot_end_nothing(tmp_path: Path) -> None:
    me = processes.table().get(os.getpid())
    orphans.record(replace(SIGNATURE, name=me.name if me else "x", since=0), tmp_path / "bodies.lock")
    orphans.end(tmp_path / "bodies.lock")
