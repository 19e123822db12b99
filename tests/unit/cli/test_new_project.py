"""The command `init`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.unit.cli.conftest import Command


def test_a_project_is_created_and_the_next_commands_are_shown(command: Command, tmp_path: Path) -> None:
    code, out, _ = command("init", "new one")
    assert code == 0
    assert out.endswith("\nNow try:\n  cd 'new one'\n  dagrun run backup\n  dagrun why latest report\n")
    assert (tmp_path / "new one" / "dagrun.toml").exists()


def test_as_json_the_written_files_are_listed(command: Command, tmp_path: Path) -> None:
    code, out, _ = command("init", "new", "-o", "json")
    assert code == 0
    assert all(Path(path).exists() for path in json.loads(out)["written"])


def test_existing_files_are_kept(command: Command, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "dagrun.toml").write_text("# mine\n")
    assert command("init", "new")[0] == 2
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["dagrun.toml"]
