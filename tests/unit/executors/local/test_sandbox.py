"""Where quick bodies print: one file for many of them. The rest of the sandbox is tested with real workers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dagrun.executors.local.sandbox import Spool
from dagrun.executors.outputs import spool_path


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool()
    spool.move(str(tmp_path / "scratch"))
    return spool


def test_there_is_no_file_before_a_body_needs_one(spool: Spool) -> None:
    assert not Path(spool.path).parent.exists()


def test_bodies_that_print_nothing_share_a_file_and_get_no_log(spool: Spool, tmp_path: Path) -> None:
    fd = spool.fileno()
    spool.save_as(str(tmp_path / "one.log"))
    assert spool.fileno() == fd
    assert not (tmp_path / "one.log").exists()


def test_what_a_body_has_printed_becomes_its_log_alone(spool: Spool, tmp_path: Path) -> None:
    for name in ("one", "two"):
        os.write(spool.fileno(), name.encode())
        spool.save_as(str(tmp_path / f"{name}.log"))
    assert [(tmp_path / f"{name}.log").read_text() for name in ("one", "two")] == ["one", "two"]


def test_each_worker_has_its_own_file_in_the_directory_of_the_run(spool: Spool, tmp_path: Path) -> None:
    assert spool.path == spool_path(f"{tmp_path}/scratch", os.getpid())
    spool.move(str(tmp_path / "other"))
    assert Path(spool.path).parent == tmp_path / "other"
