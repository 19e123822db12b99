"""Artifacts: what patterns match, what happens to links, and that all artifacts are kept or none."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dagrun.core.work import AttemptResult, Nothing
from dagrun.executors import artifacts
from dagrun.executors.artifacts import collect, set_aside
from dagrun.value import replace
from tests.contract.harness import attempt, paths, work

WELL = AttemptResult(duration=1.0, outputs={"k": "v"}, exit_code=0)


class House:
    """A working directory, and the directory of a run."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self.cwd = where / "project"
        self.run = where / "runs" / "r"
        self.stop = threading.Event()
        self.run.mkdir(parents=True)
        self.put("dist/app.txt", "app")

    def put(self, name: str, text: str = "") -> Path:
        path = self.cwd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def collect(self, *patterns: str, ended: AttemptResult = WELL, **more: Any) -> AttemptResult:
        its = work(self.cwd, Nothing(), attempt=attempt(**more), artifacts=patterns, cwd=self.cwd)
        return collect(its, paths(self.run, its), ended, self.stop)

    def kept(self, *patterns: str) -> Sequence[str]:
        """The files and links that are kept after a collection that must go well."""
        ended = self.collect(*patterns)
        assert ended.error is None
        return self.files()

    def files(self) -> Sequence[str]:
        top = self.run / "artifacts" / "t"
        return sorted(
            str(path.relative_to(top)) for path in top.rglob("*") if path.is_symlink() or path.is_file()
        )


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


# --- what is found ---


def test_files_and_directories_are_kept_under_their_paths(house: House) -> None:
    house.put("dist/sub/deep.txt", "deep")
    house.put("note.md")
    house.put("other.md")
    assert house.kept("dist/", "./note.md") == ["dist/app.txt", "dist/sub/deep.txt", "note.md"]
    assert (house.run / "artifacts/t/dist/sub/deep.txt").read_text() == "deep"


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [
        ("*.txt", ["a.txt", "b.txt"]),
        ("?.txt", ["a.txt", "b.txt"]),
        ("[ab].*", ["a.txt", "b.txt"]),
        (".h*", [".hidden.txt"]),
        ("**/*.txt", ["a.txt", "b.txt", "dist/app.txt", "x/y/z.txt"]),
        ("x/**", ["x/.h", "x/y/z.txt"]),
        ("x/**/z.txt", ["x/y/z.txt"]),
        ("*/app.txt", ["dist/app.txt"]),
        ("odd[1].txt", ["odd[1].txt"]),
        (".", [".hidden.txt", "a.txt", "b.txt", "dist/app.txt", "odd[1].txt", "x/.h", "x/y/z.txt"]),
    ],
)
def test_patterns(house: House, pattern: str, kept: list[str]) -> None:
    for name in ("a.txt", "b.txt", ".hidden.txt", "x/y/z.txt", "x/.h"):
        house.put(name)
    if "[1]" in pattern or pattern == ".":
        house.put("odd[1].txt")
    assert house.kept(pattern) == kept


def test_an_absolute_path_is_kept_under_its_last_part(house: House) -> None:
    digest = house.where / "build" / "digest.txt"
    digest.parent.mkdir()
    digest.write_text("sha")
    assert house.kept(str(digest)) == ["digest.txt"]
    assert house.kept(f"{house.where}/b*/d*.txt") == ["digest.txt"]


def test_a_file_that_two_patterns_match_is_kept_once(house: House) -> None:
    assert house.kept("dist", "dist/*", "**/app.txt") == ["dist/app.txt"]


def test_an_empty_directory_is_kept(house: House) -> None:
    (house.cwd / "empty").mkdir()
    assert house.collect("empty").error is None
    assert (house.run / "artifacts/t/empty").is_dir()


def test_a_program_stays_executable(house: House) -> None:
    house.put("tool").chmod(0o4755)
    house.kept("tool")
    assert (house.run / "artifacts/t/tool").stat().st_mode & 0o7777 == 0o755


def test_artifacts_of_earlier_runs_are_not_matched(house: House) -> None:
    house.run = house.cwd / "logs" / "runs" / "r"
    house.run.mkdir(parents=True)
    house.put("logs/runs/old/artifacts/t/dist/app.txt")
    assert house.kept("**/app.txt") == ["dist/app.txt"]
    assert house.kept(".") == ["dist/app.txt"]


# --- what is missing ---


def test_a_pattern_without_a_match_is_an_error_with_the_directory(house: House) -> None:
    ended = house.collect("dist", "*.whl", "/no/such/file", "gone/x.txt")
    assert ended == AttemptResult(
        duration=ended.duration, outputs={"k": "v"}, exit_code=0, error_type="MissingArtifact",
        error=f"artifact '*.whl' found nothing in {house.cwd}; artifact '/no/such/file' found nothing; "
        f"artifact 'gone/x.txt' found nothing in {house.cwd}",
    )  # fmt: skip
    assert house.files() == []


def test_a_pipe_is_not_kept(house: House) -> None:
    os.mkfifo(house.cwd / "dist" / "pipe")
    assert house.collect("dist/pipe").error_type == "MissingArtifact"
    assert house.kept("dist") == ["dist/app.txt"]


# --- links ---


def test_a_link_that_is_matched_is_followed(house: House) -> None:
    (house.cwd / "latest").symlink_to("dist")
    assert house.kept("latest", "lat*/app.txt") == ["latest/app.txt"]
    assert not (house.run / "artifacts/t/latest").is_symlink()


def test_a_link_in_a_directory_is_kept_as_a_link(house: House) -> None:
    (house.cwd / "dist" / "passwords").symlink_to("/etc/passwd")
    (house.cwd / "dist" / "round").symlink_to("../dist")
    assert house.kept("dist") == ["dist/app.txt", "dist/passwords", "dist/round"]
    assert (house.run / "artifacts/t/dist/passwords").readlink() == Path("/etc/passwd")


@pytest.mark.parametrize("pattern", ["out", "o*", "way/hostname", "way/*", "../secret", "x/../../secret"])
def test_no_link_and_no_path_leads_out_of_the_working_directory(house: House, pattern: str) -> None:
    (house.where / "secret").mkdir()
    (house.where / "secret" / "hostname").write_text("here")
    (house.cwd / "out").symlink_to("../secret/hostname")
    (house.cwd / "way").symlink_to("../secret")
    ended = house.collect(pattern)
    assert ended.error_type == "BadArtifact"
    assert ended.error is not None
    assert ended.error.endswith(f"leads out of {house.cwd}")
    assert house.files() == []


@pytest.mark.parametrize("target", ["nothing", "link"])
def test_a_broken_link_matches_nothing(house: House, target: str) -> None:
    (house.cwd / "link").symlink_to(target)
    assert house.collect("link").error_type == "MissingArtifact"


# --- all of it or nothing ---


def test_two_files_of_one_name_are_an_error(house: House) -> None:
    house.put("a/x", "1")
    house.put("b/x", "2")
    ended = house.collect(f"{house.cwd}/*/x")
    assert ended.error_type == "BadArtifact"
    assert ended.error is not None
    assert ended.error.endswith("would both be kept as 'x'")


def test_a_file_that_cannot_be_copied_fails_the_attempt(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.put("dist/b.txt")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device", "b.txt")

    monkeypatch.setattr(artifacts, "copy_file", full)
    ended = house.collect("dist")
    assert ended.error == "the artifacts cannot be kept: [Errno 28] No space left on device: 'b.txt'"
    assert (ended.error_type, ended.outputs) == ("OSError", {"k": "v"})
    assert house.files() == []
    assert list((house.run / "scratch").iterdir()) == []


def test_a_stopped_copy_ends_the_attempt_like_a_stopped_body(house: House) -> None:
    house.stop.set()
    ended = house.collect("dist")
    assert (ended.error, ended.error_type) == ("ended by SIGTERM", "Terminated")
    assert not (house.run / "artifacts").exists()


class Looks(threading.Event):
    """An event that is set after so many checks."""

    def __init__(self, many: int) -> None:
        super().__init__()
        self.left = many

    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0


def test_wherever_the_copy_is_stopped_nothing_is_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "CHUNK_BYTES", 1)
    ends: list[str | None] = []
    while None not in ends:
        house.stop = Looks(len(ends))
        ends.append(house.collect("d*", "dist/app.txt").error_type)
        assert ends[-1] is None or not (house.run / "artifacts").exists()
    assert len(ends) > 8
    assert house.files() == ["dist/app.txt"]


def test_files_that_the_body_itself_put_there_stay(house: House) -> None:
    own = house.run / "artifacts" / "t"
    (own / "dist").mkdir(parents=True)
    (own / "dist" / "own.txt").write_text("own")
    (own / "dist" / "app.txt").write_text("older")
    (own / "chart.svg").write_text("<svg/>")
    assert house.kept("dist") == ["chart.svg", "dist/app.txt", "dist/own.txt"]
    assert (own / "dist" / "app.txt").read_text() == "app"


def test_before_another_attempt_earlier_artifacts_are_moved_away(house: House) -> None:
    house.kept("dist")
    its = paths(house.run, attempt(number=2))
    for _ in range(2):  # the second time there is nothing any more
        set_aside(its.artifacts, f"{its.scratch}.before")
    assert house.files() == []
    house.put("late.txt")
    assert house.kept("late.txt") == ["late.txt"]


# --- of an attempt that failed ---

FAILED = AttemptResult(
    duration=1.0, outputs={"k": "v"}, error="exit code 3", error_type="CommandFailed", exit_code=3
)


def test_a_failed_attempt_keeps_the_artifacts_that_exist(house: House) -> None:
    log = Path(paths(house.run).log)
    log.parent.mkdir(exist_ok=True)
    ended = house.collect("dist", "*.whl", ended=FAILED)
    assert ended == replace(FAILED, duration=ended.duration)
    assert house.files() == ["dist/app.txt"]
    assert log.read_text() == f"dagrun: artifact '*.whl' found nothing in {house.cwd}\n"


def test_a_failed_attempt_keeps_its_own_error(house: House) -> None:
    house.stop.set()
    assert house.collect("dist", ended=FAILED).error == "exit code 3"
    house.stop.clear()
    assert house.collect("../x", ended=FAILED).error == "exit code 3"


def test_copying_counts_for_the_duration_of_the_attempt(house: House) -> None:
    ended = house.collect("dist")
    assert ended.duration > 1.0
    assert (ended.outputs, ended.exit_code) == ({"k": "v"}, 0)
