"""A project to begin with: all of it is written or nothing, and nothing is written over."""

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


def test_every_template_is_written_as_it_is(tmp_path: Path) -> None:
    written = project_template.write(tmp_path / "a" / "b")
    assert [str(path.relative_to(tmp_path / "a" / "b")) for path in written] == list(project_template.FILES)
    assert files(tmp_path / "a" / "b") == sorted(project_template.FILES)
    assert files(TEMPLATES) == sorted(name.lstrip(".") for name in project_template.FILES)
    assert all(
        path.read_bytes() == project_template.template(name)
        for name, path in zip(project_template.FILES, written, strict=True)
    )


def test_the_schedule_is_right_and_waits_to_be_enabled(tmp_path: Path) -> None:
    project_template.write(tmp_path)
    loaded = ScheduleFiles(tmp_path / "configs" / "schedules").load()
    assert loaded.findings == ()
    assert [(schedule.id, schedule.dag, schedule.enabled) for schedule in loaded.schedules] == [
        ("backup", "backup", False)
    ]


def test_what_is_there_is_listed_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "dagrun.toml").write_text("mine")
    (tmp_path / ".gitignore").symlink_to("nowhere")
    with pytest.raises(RefusedError) as refused:
        project_template.write(tmp_path)
    assert refused.value.message.splitlines() == [
        f"{tmp_path}/dagrun.toml is there already", f"{tmp_path}/.gitignore is there already"
    ]  # fmt: skip
    assert files(tmp_path) == ["dagrun.toml"]
    assert (tmp_path / "dagrun.toml").read_text() == "mine"


def test_a_project_beside_other_files_leaves_them_alone(tmp_path: Path) -> None:
    (tmp_path / "configs" / "dags").mkdir(parents=True)
    (tmp_path / "configs" / "dags" / "own.yaml").write_text("mine")
    project_template.write(tmp_path)
    assert files(tmp_path) == sorted([*project_template.FILES, "configs/dags/own.yaml"])


@pytest.mark.parametrize("name", ["file", "file/below", "file/a/b"])
def test_below_a_file_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as problem:
        project_template.write(tmp_path / name)
    assert problem.value.message == f"cannot write {tmp_path}/file: Not a directory"


def test_what_cannot_be_finished_is_taken_back(tmp_path: Path) -> None:
    (tmp_path / "configs").touch()
    with pytest.raises(UsageError) as problem:
        project_template.write(tmp_path)
    assert problem.value.message == f"cannot write {tmp_path}/configs: Not a directory"
    assert files(tmp_path) == ["configs"]


def test_where_one_may_not_write_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(name: str) -> bytes:
        if name == "configs/dags/backup.yaml":
            raise OSError(28, "No space left on device")
        return b""

    monkeypatch.setattr(project_template, "template", full)
    with pytest.raises(UsageError, match=r"cannot write .*/new: No space left on device"):
        project_template.write(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []
