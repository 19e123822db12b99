"""Hooks of a scheduler are started for what the project has hooks for, and those that fail are reported."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from dagrun.process import own_command
from dagrun.scheduling.hook_processes import HookProcesses


def test_nothing_is_started_for_keys_without_hooks(tmp_path: Path) -> None:
    reports: list[str] = []
    hooks = HookProcesses(tmp_path, {"on_interrupted"}, reports.append)
    hooks.schedule_error("s", "2026-11-16 08:00", "InvalidDag", "it is wrong")
    assert (hooks.poll(), reports) == (False, [])


def test_what_a_process_that_fails_prints_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_command, "module", lambda _: ["sh", "-c", "cat; echo; exit 1"])
    reports: list[str] = []
    hooks = HookProcesses(tmp_path, {"on_interrupted"}, reports.append)
    hooks.interrupted("r")
    deadline = time.monotonic() + 60
    while hooks.poll():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert reports == ['{"key": "on_interrupted", "run_id": "r"}']
