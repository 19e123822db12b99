"""What a run's directory says about the processes that its executors have started."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from dagrun.executors.local import orphans, processes
from dagrun.executors.local.orphans import Owner
from dagrun.executors.local.processes import Process

OWNER = Owner(mark="7-abc", name="dagrun-waaaaaaa", since=1000, boot="b")
WORKER = Process(pid=1 << 23, parent=1, group=1, session=1, dead=False, started=1001, name=OWNER.name)


def test_executors_are_recorded_one_after_the_other(tmp_path: Path) -> None:
    owners = [OWNER, replace(OWNER, mark="8-abc")]
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
def test_a_line_that_says_something_else_says_nothing(tmp_path: Path, line: str) -> None:
    (tmp_path / "bodies.lock").write_text(line + "\n")
    orphans.record(OWNER, tmp_path / "bodies.lock")
    assert orphans.recorded(tmp_path / "bodies.lock") == [OWNER]


def test_a_run_of_an_earlier_version_says_nothing(tmp_path: Path) -> None:
    assert orphans.recorded(tmp_path / "bodies.lock") == []


@pytest.mark.parametrize(
    ("process", "own"),
    [
        (WORKER, True),
        (replace(WORKER, dead=True), False),
        (replace(WORKER, started=OWNER.since - 1), False),
        (replace(WORKER, name="dagrun-wbbbbbbb"), False),
        (replace(WORKER, name="dagrun-worker"), False),
    ],
    ids=["its own", "a dead one", "one that began before", "another executor's", "a foreign one"],
)
def test_a_worker_is_known_by_its_name_and_its_start(process: Process, own: bool) -> None:
    assert orphans._is_of(OWNER, process) is own


@pytest.mark.parametrize(
    ("mark", "own"),
    [("7-abc", True), ("7-abc-12", True), ("7-abcd", False), ("7-abcd-1", False), (None, False)],
)
def test_a_command_is_known_by_its_mark(monkeypatch: pytest.MonkeyPatch, mark: str | None, own: bool) -> None:
    monkeypatch.setattr(processes, "mark_of", lambda _: mark)
    assert orphans._is_of(OWNER, replace(WORKER, name="sleep")) is own


def test_what_was_recorded_before_the_system_started_anew_ends_nothing(tmp_path: Path) -> None:
    me = processes.table().get(os.getpid())
    orphans.record(replace(OWNER, name=me.name if me else "x", since=0), tmp_path / "bodies.lock")
    orphans.end(tmp_path / "bodies.lock")
