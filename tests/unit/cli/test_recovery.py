"""Commands about runs that have ended already: nothing is started for them."""

from __future__ import annotations

import json

import pytest

from dagrun.storage.files import FileRuns
from tests.unit.cli.conftest import Command


def test_a_cancel_of_a_run_that_has_ended_changes_nothing(command: Command, ended: FileRuns) -> None:
    code, out, _ = command("cancel", "bad")
    assert (code, out) == (0, "Run bad had ended already: failed. Nothing was changed.\n")


def test_a_cancel_as_json_is_the_run(command: Command, ended: FileRuns) -> None:
    code, out, _ = command("cancel", "bad", "-o", "json", "--reason", "why")
    assert (code, json.loads(out)["status"]) == (0, "failed")


@pytest.mark.parametrize("words", [["cancel", "none"], ["resume", "none"], ["rerun", "none"]])
def test_an_unknown_run_is_a_usage_error(command: Command, ended: FileRuns, words: list[str]) -> None:
    code, _, err = command(*words)
    assert (code, "run 'none' not found" in err) == (2, True)


def test_a_rerun_of_an_unknown_task_starts_nothing(command: Command, ended: FileRuns) -> None:
    assert command("rerun", "bad", "--only", "x")[0] == 2
    assert sorted(ended.ids()) == ["bad", "good"]
