"""The command `why`."""

from __future__ import annotations

import json

from dagrun.storage.files import FileRuns
from tests.unit.cli.conftest import Command


def test_a_failure_is_explained(command: Command, ended: FileRuns) -> None:
    code, out, _ = command("why", "bad", "a")
    assert (code, "exit code 1" in out) == (0, True)


def test_an_explanation_as_json_is_one_object(command: Command, ended: FileRuns) -> None:
    code, out, _ = command("why", "good", "a", "-o", "json")
    assert (code, json.loads(out)["status"]) == (0, "success")


def test_an_unknown_task_is_a_usage_error(command: Command, ended: FileRuns) -> None:
    assert command("why", "good", "x")[0] == 2
