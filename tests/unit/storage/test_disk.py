"""Permissions of a project's files and directories, and what a power loss leaves of them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dagrun.core.events import DagStart, TaskOk
from dagrun.core.requests import Request
from dagrun.core.work import Blob
from dagrun.durability import Durability
from dagrun.errors import NotOwnedError, RecordError, RefusedError
from dagrun.storage.files import FileRun, FileRuns
from tests.unit.harness import chain

START = DagStart(timestamp=0.0, task_count=1, dag_path="d.yaml", dag_hash="ff")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to somebody else")


@contextmanager
def umask(value: int) -> Iterator[None]:
    former = os.umask(value)
    try:
        yield
    finally:
        os.umask(former)


def runs_below(directory: Path, durability: Durability = Durability.OS) -> FileRuns:
    return FileRuns(directory / "logs" / "runs", directory / "logs" / "events.jsonl", durability)


def begun(runs: FileRuns, run_id: str = "it") -> FileRun:
    run = runs.create(chain("a"), 0.0, run_id)
    run.append(START)
    run.flush()
    return run


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize(
    ("mask", "directory", "file"),
    [(0o022, 0o700, 0o644), (0o077, 0o700, 0o600), (0o027, 0o700, 0o640), (0o002, 0o770, 0o664), (0o007, 0o770, 0o660)],
)  # fmt: skip
def test_the_umask_says_who_shares_a_run(tmp_path: Path, mask: int, directory: int, file: int) -> None:
    runs = runs_below(tmp_path)
    with umask(mask):
        run = begun(runs)
        runs.send("it", Request("cancel", "me", {}))
        run.close()
    assert mode(run.layout.directory) == directory
    files = (run.layout.journal, run.layout.dag, run.layout.lock, runs.stream)
    assert [mode(each) for each in files] == [file] * len(files)


class TestADirectoryThatIsThere:
    """A run's directory is made by dagrun: what has that name already is not used."""

    @pytest.fixture
    def runs(self, tmp_path: Path) -> FileRuns:
        runs = runs_below(tmp_path)
        runs.directory.mkdir(parents=True)
        return runs

    def refusal(self, runs: FileRuns) -> str:
        with pytest.raises(RefusedError) as error:
            runs.create(chain("a"), 0.0, "it")
        return error.value.message.replace(str(runs.directory), "RUNS")

    def test_one_that_others_may_look_into_is_refused(self, runs: FileRuns) -> None:
        with umask(0):
            (runs.directory / "it").mkdir(mode=0o777)
        assert self.refusal(runs) == "the run id 'it' is taken: RUNS/it is open to all users (mode 0777)"

    def test_a_link_is_refused(self, runs: FileRuns, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        (runs.directory / "it").symlink_to(tmp_path / "elsewhere")
        assert self.refusal(runs) == "the run id 'it' is taken: RUNS/it is a link"
        assert not list((tmp_path / "elsewhere").iterdir())

    def test_a_link_to_nothing_is_refused(self, runs: FileRuns) -> None:
        (runs.directory / "it").symlink_to("nowhere")
        assert self.refusal(runs) == "the run id 'it' is taken: RUNS/it is a link"

    def test_a_file_is_refused(self, runs: FileRuns) -> None:
        (runs.directory / "it").touch()
        assert self.refusal(runs) == "the run id 'it' is taken: RUNS/it is not a directory"

    @needs_root
    def test_one_of_another_user_is_refused(self, runs: FileRuns) -> None:
        (runs.directory / "it").mkdir(mode=0o700)
        os.chown(runs.directory / "it", 54321, 54321)
        assert self.refusal(runs) == "the run id 'it' is taken: RUNS/it belongs to user 54321"

    def test_one_of_a_run_that_died_before_it_had_a_dag_is_used(self, runs: FileRuns) -> None:
        (runs.directory / "it").mkdir(mode=0o700)
        (runs.directory / "it" / "lock").touch()
        runs.create(chain("a"), 0.0, "it").close()
        assert list(runs.ids()) == ["it"]


class TestARunOfAnotherUser:
    """A recorded run is resumed with the rights of the user who resumes it."""

    @pytest.fixture
    def runs(self, tmp_path: Path) -> FileRuns:
        runs = runs_below(tmp_path)
        begun(runs).close()
        return runs

    @needs_root
    def test_it_is_not_taken_over(self, runs: FileRuns) -> None:
        os.chown(runs.directory / "it", 54321, 54321)
        with pytest.raises(NotOwnedError, match=r"run 'it' is not yours: .* belongs to user 54321"):
            runs.take_over("it")
        assert not runs.is_live("it")

    @needs_root
    def test_but_one_that_our_group_shares_is(self, runs: FileRuns) -> None:
        os.chown(runs.directory / "it", 54321, os.getegid())
        (runs.directory / "it").chmod(0o770)
        writer = runs.take_over("it")
        assert runs.is_live("it")
        writer.close()

    def test_nor_is_a_link(self, runs: FileRuns) -> None:
        (runs.directory / "it").rename(runs.directory / "that")
        (runs.directory / "it").symlink_to(runs.directory / "that")
        with pytest.raises(NotOwnedError, match="is a link"):
            runs.take_over("it")

    def test_nor_is_one_that_everybody_may_write_to(self, runs: FileRuns) -> None:
        (runs.directory / "it").chmod(0o777)
        with pytest.raises(NotOwnedError, match="may be written to by all users"):
            runs.take_over("it")


class TestInTheWay:
    """Every error names what is in the way of a run's directory."""

    def problem(self, directory: Path) -> str:
        with pytest.raises(RecordError) as error:
            runs_below(directory).create(chain("a"), 0.0)
        return error.value.message.replace(str(directory), "HERE")

    def test_a_link_to_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "logs").symlink_to("gone")
        assert (
            self.problem(tmp_path)
            == "cannot write HERE/logs/runs: HERE/logs is a link to gone, which does not exist"
        )

    def test_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "logs").touch()
        assert self.problem(tmp_path) == "cannot write HERE/logs/runs: HERE/logs is not a directory"

    def test_a_file_in_place_of_the_directory_of_runs(self, tmp_path: Path) -> None:
        (tmp_path / "logs").mkdir()
        (tmp_path / "logs" / "runs").touch()
        assert self.problem(tmp_path) == "cannot write HERE/logs/runs: HERE/logs/runs is not a directory"

    def test_a_link_that_leads_to_itself(self, tmp_path: Path) -> None:
        (tmp_path / "logs").symlink_to("logs")
        assert "cannot write HERE/logs/runs: " in self.problem(tmp_path)

    def test_a_name_that_is_too_long(self, tmp_path: Path) -> None:
        with pytest.raises(RecordError, match="File name too long"):
            runs_below(tmp_path / ("x" * 300)).create(chain("a"), 0.0)


class Synced:
    """Takes the place of `os.fsync` and notes what was synced."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.inodes: list[int] = []
        fsync = os.fsync

        def note(fd: int) -> None:
            self.inodes.append(os.fstat(fd).st_ino)
            fsync(fd)

        monkeypatch.setattr(os, "fsync", note)

    def has(self, path: Path) -> bool:
        return path.stat().st_ino in self.inodes


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> Synced:
    return Synced(monkeypatch)


@pytest.mark.parametrize("durability", [Durability.BATCH, Durability.FSYNC])
def test_the_names_that_lead_to_a_run_outlive_a_power_loss(
    tmp_path: Path, synced: Synced, durability: Durability
) -> None:
    run = begun(runs_below(tmp_path, durability))
    directory = run.layout.directory
    found = {
        each: synced.has(each)
        for each in (run.layout.dag, run.layout.journal, directory, directory.parent, directory.parent.parent, tmp_path)
    }  # fmt: skip
    run.close()
    assert all(found.values()), found


def test_a_directory_is_synced_after_the_names_in_it_were_made(tmp_path: Path, synced: Synced) -> None:
    run = begun(runs_below(tmp_path, Durability.FSYNC))
    inodes = synced.inodes
    run.close()
    dag, journal = run.layout.dag.stat().st_ino, run.layout.journal.stat().st_ino
    assert inodes.index(dag) < inodes.index(run.layout.directory.stat().st_ino) < inodes.index(journal)


@pytest.mark.parametrize("durability", [Durability.BATCH, Durability.FSYNC])
def test_a_file_that_a_fact_names_is_durable_before_the_fact(
    tmp_path: Path, synced: Synced, durability: Durability
) -> None:
    run = begun(runs_below(tmp_path, durability))
    synced.inodes.clear()
    outputs = run.layout.outputs / "a.1.json"
    outputs.write_text("{}")
    blob = Blob("a.1.json", 2, "")
    run.append(TaskOk(timestamp=0.0, task_id="a", attempt=1, duration_seconds=0.0, outputs_file=blob))
    before = synced.has(outputs), synced.has(run.layout.outputs), synced.has(run.layout.journal)
    run.close()
    assert before == (True, True, False)
    assert synced.has(run.layout.journal)


def test_a_list_that_lies_in_a_file_is_too(tmp_path: Path, synced: Synced) -> None:
    run = begun(runs_below(tmp_path, Durability.FSYNC))
    blob = run.store_items("a", ["x" * 70_000])
    assert blob is not None
    found = synced.has(run.layout.outputs / blob.file)
    run.close()
    assert found


def test_by_default_nothing_waits_for_the_disk(tmp_path: Path, synced: Synced) -> None:
    begun(runs_below(tmp_path)).close()
    assert synced.inodes == []


def test_a_request_outlives_a_power_loss_with_its_name(tmp_path: Path, synced: Synced) -> None:
    runs = runs_below(tmp_path)
    run = begun(runs)
    runs.send("it", Request("cancel", "me", {}))
    found = synced.has(run.layout.inbox)
    run.close()
    assert found
