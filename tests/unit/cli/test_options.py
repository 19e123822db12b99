"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from dagrun.cli.options import at_least, setting_flags


def test_a_count_is_a_whole_number_that_is_large_enough() -> None:
    assert at_least(1)("20") == 20
    assert at_least(1)("9" * 30) == 1_000_000_000
    for text in ("0", "-1", "x", "1.5", ""):
        with pytest.raises(typer.BadParameter, match="is not a whole number of at least 1"):
            at_least(1)(text)


def test_files_of_workflows_are_relative_to_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flows.py").touch()
    found = setting_flags(["flows.py", "package.module", "none.py"])
    assert found == {"workflows": [str(tmp_path / "flows.py"), "package.module", "none.py"]}
    assert setting_flags(None) == {}
