"""What a run's directory says about the processes that its executors have started."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from dagrun.executors import leftovers, processes
from dagrun.executors.leftovers import Owner
from dagrun.executors.processes import Process

OWNER = Owner(mark="7-abc", name="dagrun-waaaaaaa", since=1000, boot="b")
WORKER = Process(pid=1 << 23, parent=1, group=1, session=1, dead=False, started=1001, name=OWNER.name)


def test_executors_are_recorded_one_after_the_other(tmp_path: Path) -> None:
    owners = [OWNER, replace(OWNER, mark="8-abc")]
    for owner in owners:
        leftovers.record(owner, tmp_path / "bodies.lock")
    assert leftovers.recorded(tmp_path / "bodies.lock") == owners


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
    leftovers.record(OWNER, tmp_path / "bodies.lock")
    assert leftovers.recorded(tmp_path / "bodies.lock") == [OWNER]


def test_a_run_of_an_earlier_version_says_nothing(tmp_path: Path) -> None:
    assert leftovers.recorded(tmp_path / "bodies.lock") == []


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
    assert leftovers._is_of(OWNER, process) is own


@pytest.mark.parametrize(
    ("mark", "own"),
    [("7-abc", True), ("7-abc-12", True), ("7-abcd", False), ("7-abcd-1", False), (None, False)],
)
def test_a_command_is_known_by_its_mark(monkeypatch: pytest.MonkeyPatch, mark: str | None, own: bool) -> None:
    monkeypatch.setattr(processes, "mark_of", lambda _: mark)
    assert leftovers._is_of(OWNER, replace(WORKER, name="sleep")) is own


def test_what_was_recorded_before_the_system_started_anew_ends_nothing(tmp_path: Path) -> None:
    me = processes.table().get(os.getpid())
    leftovers.record(replace(OWNER, name=me.name if me else "x", since=0), tmp_path / "bodies.lock")
    leftovers.end(tmp_path / "bodies.lock")
