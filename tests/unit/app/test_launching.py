"""Starting a run as a process of its own, with a launcher that starts none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from dagrun.app.launching import launch
from dagrun.errors import EnvironmentFailure, NotStartedError, RefusedError
from dagrun.runtime.launcher import LaunchedRun, Launcher
from dagrun.runtime.run_request import RunRequest
from dagrun.settings import Settings
from dagrun.storage.memory import MemoryRuns


class FakeRun(LaunchedRun):
    """A process that has begun its run, or has ended with an exit code, or does neither."""

    def __init__(self, code: int | None, output: str, *, begun: bool) -> None:
        self.code, self.output, self.begun, self.killed = code, output, begun, False

    @property
    def exit_code(self) -> int | None:
        return self.code

    def wait_until_begun(self, timeout: float) -> bool:
        return self.begun

    def error(self, longest: int = 0) -> str:
        return self.output

    def kill(self) -> None:
        self.killed = True


class FakeLauncher(Launcher):
    """Starts the process that a test wants, which writes to its log."""

    def __init__(self, run: FakeRun, root: Path) -> None:
        super().__init__(MemoryRuns(), root)
        self.run, self.root = run, root

    def start(
        self,
        request: RunRequest,
        run_id: str,
        log: Path,
        *,
        resume: bool = False,
        options: Sequence[str] = (),
    ) -> LaunchedRun:
        log.write_text(self.run.output)
        if self.run.begun:
            (self.root / "logs" / "runs" / run_id).mkdir()
        return self.run


def launched(root: Path, run: FakeRun) -> None:
    launch(FakeLauncher(run, root), Settings(root=root), RunRequest(dag="d"), "r")


def test_the_output_of_a_run_that_has_begun_is_kept_with_it(tmp_path: Path) -> None:
    launched(tmp_path, FakeRun(None, "", begun=True))
    assert [path.name for path in (tmp_path / "logs/runs/r").iterdir()] == ["detached.log"]


def test_the_error_of_a_process_that_has_not_begun_its_run_is_raised(tmp_path: Path) -> None:
    with pytest.raises(NotStartedError) as error:
        launched(tmp_path, FakeRun(2, "the disk is full\n  free some space", begun=False))
    assert (error.value.message, error.value.hint) == ("the disk is full", "free some space")
    assert error.value.exit_code == 2
    assert list((tmp_path / "logs/runs").iterdir()) == []


@pytest.mark.parametrize(("code", "exit_code"), [(0, 1), (-9, 1)])
def test_a_run_that_did_not_begin_is_never_a_success(tmp_path: Path, code: int, exit_code: int) -> None:
    with pytest.raises(NotStartedError, match=f"exit code {code}") as error:
        launched(tmp_path, FakeRun(code, "", begun=False))
    assert error.value.exit_code == exit_code


def test_a_process_that_never_begins_is_killed(tmp_path: Path) -> None:
    run = FakeRun(None, "", begun=False)
    with pytest.raises(EnvironmentFailure, match="has not begun within 60 s"):
        launched(tmp_path, run)
    assert run.killed


def test_an_id_that_is_taken_is_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "logs/runs/r").mkdir(parents=True)
    with pytest.raises(RefusedError, match="the run id 'r' is taken"):
        launched(tmp_path, FakeRun(None, "", begun=True))
