"""Where short bodies print: one file for many of them, which becomes a log when one of them has printed something."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from dagrun.executors.local.spool import CommandSpools, Spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(f"{tmp_path}/scratch/spool.log")


def test_there_is_no_file_before_a_body_needs_one(spool: Spool) -> None:
    assert not Path(spool.path).parent.exists()
    assert not spool.has_text()


def test_what_a_body_has_printed_becomes_its_log_alone(spool: Spool, tmp_path: Path) -> None:
    for name in ("one", "two"):
        os.write(spool.fileno(), name.encode())
        assert spool.has_text()
        spool.save_as(str(tmp_path / f"{name}.log"))
        assert not spool.has_text()
    assert [(tmp_path / f"{name}.log").read_text() for name in ("one", "two")] == ["one", "two"]


def test_who_has_the_file_open_goes_on_printing_to_the_log(spool: Spool, tmp_path: Path) -> None:
    fd = os.dup(spool.fileno())
    spool.save_as(str(tmp_path / "one.log"))
    os.write(spool.fileno(), b"of the next body")
    os.write(fd, b"late")
    os.close(fd)
    assert (tmp_path / "one.log").read_text() == "late"


def test_a_deleted_directory_of_logs_is_made_again(spool: Spool, tmp_path: Path) -> None:
    os.write(spool.fileno(), b"text")
    spool.save_as(f"{tmp_path}/logs/one.log")
    assert (tmp_path / "logs/one.log").read_text() == "text"


def test_a_spool_is_in_the_directory_of_the_current_run(spool: Spool, tmp_path: Path) -> None:
    first = spool.fileno()
    spool.move(f"{tmp_path}/other/spool.log")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(first)
    spool.fileno()
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["spool.log"]


def take(spools: CommandSpools, directory: Path) -> Spool:
    spool = spools.take(str(directory))
    assert spool is not None
    return spool


class TestCommandSpools:
    """The spools of commands that run at the same time."""

    def test_commands_at_the_same_time_have_different_files(self, tmp_path: Path) -> None:
        spools = CommandSpools()
        assert take(spools, tmp_path).path != take(spools, tmp_path).path

    def test_they_are_fewer_than_the_files_that_this_process_may_open(self, tmp_path: Path) -> None:
        spools = CommandSpools()
        spools.most = 2
        first, _ = take(spools, tmp_path), take(spools, tmp_path)
        assert spools.take(str(tmp_path)) is None
        spools.give_back(first)
        assert spools.take(str(tmp_path)) is first

    def test_an_empty_file_is_used_again(self, tmp_path: Path) -> None:
        spools = CommandSpools()
        first = take(spools, tmp_path)
        spools.give_back(first)
        assert take(spools, tmp_path) is first

    def test_a_file_that_has_become_a_log_is_not_used_again(self, tmp_path: Path) -> None:
        spools = CommandSpools()
        first = take(spools, tmp_path)
        first.save_as(f"{tmp_path}/one.log")
        spools.give_back(first)
        assert take(spools, tmp_path) is not first

    def test_a_deleted_file_is_not_used_again(self, tmp_path: Path) -> None:
        spools = CommandSpools()
        spools.give_back(first := take(spools, tmp_path / "scratch"))
        shutil.rmtree(tmp_path / "scratch")
        second = take(spools, tmp_path / "scratch")
        assert second is not first
        assert Path(second.path).exists()

    def test_another_run_gets_files_of_its_own(self, tmp_path: Path) -> None:
        spools = CommandSpools()
        running, free = (take(spools, tmp_path / "one") for _ in range(2))
        spools.give_back(free)
        other = take(spools, tmp_path / "other")
        spools.give_back(running)
        assert {other.path, take(spools, tmp_path / "other").path}.isdisjoint({running.path, free.path})
