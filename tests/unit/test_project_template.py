"""The project that `init` writes: all files or none, and no file is overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagrun import project_template
from dagrun.errors import RefusedError, UsageError
from dagrun.scheduling.schedule_files import ScheduleFiles

TEMPLATES = Path(project_template.__file__).parent / "project"


def files(directory: Path) -> list[str]:
    return sorted(
        str(path.relative_to(directory))
        for path in directory.rglob("*")
        if "__pycache__" not in path.parts and path.is_file()
    )


def test_every_template_is_written_unchanged(tmp_path: Path) -> None:
    written = project_template.write(tmp_path / "a" / "b")
    assert [str(path.relative_to(tmp_path / "a" / "b")) for path in written] == list(project_template.FILES)
    assert files(tmp_path / "a" / "b") == sorted(project_template.FILES)
    assert files(TEMPLATES) == sorted(name.lstrip(".") for name in project_template.FILES)
    assert all(
        path.read_bytes() == project_template.template(name)
        for name, path in zip(project_template.FILES, written, strict=True)
    )


def test_the_schedule_is_valid_and_disabled(tmp_path: Path) -> None:
    project_template.write(tmp_path)
    loaded = ScheduleFiles(tmp_path / "configs" / "schedules").load()
    assert loaded.findings == ()
    assert [(schedule.id, schedule.dag, schedule.enabled) for schedule in loaded.schedules] == [
        ("backup", "backup", False)
    ]


def test_existing_files_are_listed_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "dagrun.toml").write_text("mine")
    (tmp_path / ".gitignore").symlink_to("nowhere")
    with pytest.raises(RefusedError) as refused:
        project_template.write(tmp_path)
    assert refused.value.message.splitlines() == [
        f"{tmp_path}/dagrun.toml already exists", f"{tmp_path}/.gitignore already exists"
    ]  # fmt: skip
    assert files(tmp_path) == ["dagrun.toml"]
    assert (tmp_path / "dagrun.toml").read_text() == "mine"


def test_other_files_in_the_directory_are_kept(tmp_path: Path) -> None:
    (tmp_path / "configs" / "dags").mkdir(parents=True)
    (tmp_path / "configs" / "dags" / "own.yaml").write_text("mine")
    project_template.write(tmp_path)
    assert files(tmp_path) == sorted([*project_template.FILES, "configs/dags/own.yaml"])


@pytest.mark.parametrize("name", ["file", "file/below", "file/a/b"])
def test_a_directory_below_a_file_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as problem:
        project_template.write(tmp_path / name)
    assert problem.value.message == f"cannot write {tmp_path}/file: Not a directory"


def test_a_project_that_cannot_be_completed_is_removed(tmp_path: Path) -> None:
    (tmp_path / "configs").touch()
    with pytest.raises(UsageError) as problem:
        project_template.write(tmp_path)
    assert problem.value.message == f"cannot write {tmp_path}/configs: Not a directory"
    assert files(tmp_path) == ["configs"]


def test_an_error_while_writing_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(name: str) -> bytes:
        if name == "configs/dags/backup.yaml":
            raise OSError(28, "No space left on device")
        return b""

    monkeypatch.setattr(project_template, "template", full)
    with pytest.raises(UsageError, match=r"cannot write .*/new: No space left on device"):
        project_template.write(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []
