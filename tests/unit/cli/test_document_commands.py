"""The commands `validate` and `schema`; `workflows` starts a process (tests/acceptance)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Command

GOOD = "name: etl\ntasks: [{id: a, run: x}]\n"
BAD = "tasks:\n  - {id: a, run: x, depends_on: [b]}\n"
WARNED = "tasks: [{id: a, run: x, if: 'false'}]\n"


@pytest.fixture(autouse=True)
def documents(command: Command, tmp_path: Path) -> None:
    for name, text in (("good", GOOD), ("bad", BAD), ("warned", WARNED)):
        (tmp_path / f"{name}.yaml").write_text(text)


def test_a_valid_document_is_named_with_its_tasks(command: Command) -> None:
    assert command("validate", "good.yaml") == (0, "good.yaml: valid (etl, 1 task)\n", "")


def test_errors_have_a_place_and_are_counted(command: Command) -> None:
    code, out, err = command("validate", "good.yaml", "bad.yaml")
    assert code == 2
    assert "bad.yaml:2:" in out
    assert err == "1 error in 1 of 2 files\n"


def test_warnings_are_errors_when_strict(command: Command) -> None:
    assert [command("validate", "warned.yaml")[0], command("validate", "warned.yaml", "--strict")[0]] == [
        0,
        2,
    ]


def test_findings_as_json_are_one_object(command: Command) -> None:
    code, out, _ = command("validate", "bad.yaml", "-o", "json")
    (file,) = json.loads(out)["files"]
    assert (code, file["path"], file["errors"][0]["line"]) == (2, "bad.yaml", 2)


def test_without_documents_there_is_nothing_to_check(command: Command) -> None:
    code, _, err = command("validate")
    assert (code, "there are no documents in configs/dags or configs/schedules" in err) == (2, True)


def test_a_directory_is_an_error_among_other_files(command: Command, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    code, out, _ = command("validate", "folder", "good.yaml")
    assert (code, "good.yaml: valid" in out) == (2, True)


def test_schedules_are_checked_with_their_dags(command: Command, tmp_path: Path) -> None:
    directory = tmp_path / "configs" / "schedules"
    directory.mkdir(parents=True)
    (directory / "s.yaml").write_text("- {id: one, cron: '0 0 * * *', dag: good.yaml}\n")
    assert command("validate") == (0, "configs/schedules/s.yaml: valid (1 schedule)\n", "")
    (directory / "s.yaml").write_text("- {id: one, cron: '0 0 * *', dag: good.yaml}\n")
    assert command("validate")[0] == 2


def test_dialects_are_listed_and_have_schemas(command: Command) -> None:
    code, out, _ = command("schema", "-o", "json")
    names = [each["name"] for each in json.loads(out)["dialects"]]
    assert (code, "native" in names) == (0, True)
    assert [command("schema", name)[0] for name in names] == [0] * len(names)
    assert command("schema", "none")[0] == 2
