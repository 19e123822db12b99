"""Commands in places that cannot hold what they need: each says what is wrong with which file, and none fails itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dagrun.cli import app
from tests.stories.test_command_lines import DAG, check
from tests.stories.test_command_lines import place as place

COMMANDS = """
    validate dag.yaml | validate dag.yaml -o json | plan dag.yaml | plan dag.yaml -o json | run dag.yaml --dry-run
    run dag.yaml -q | run dag.yaml -o json | status | status done | status done -o json | runs | runs -o json
    logs done | logs done a | events | events --run done | why done a | cancel done | resume done -q
    rerun done -q | schedules | workflows | init new | completion bash | schema | dags | show dag
"""


def _journal_is_a_directory(place: Path) -> None:
    (place / "logs/runs/done/events.jsonl").unlink()
    (place / "logs/runs/done/events.jsonl").mkdir()


def _record_is_a_directory(place: Path) -> None:
    (place / "logs/runs/done/dag.json").unlink()
    (place / "logs/runs/done/dag.json").mkdir()


def _instead_of_logs(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def change(place: Path) -> None:
        (place / "logs").rename(place / "former")
        make(place / "logs")

    return change


def _stream_is_a_directory(place: Path) -> None:
    (place / "logs/orchestrator_events.jsonl").unlink()
    (place / "logs/orchestrator_events.jsonl").mkdir()


def _directory_is_gone(place: Path) -> None:
    gone = place / "gone-by-now"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()


@pytest.mark.parametrize(
    "change",
    [
        _journal_is_a_directory,
        _record_is_a_directory,
        _stream_is_a_directory,
        _instead_of_logs(lambda logs: logs.write_text("a file")),
        _instead_of_logs(lambda logs: logs.symlink_to("logs")),
        _instead_of_logs(lambda logs: logs.symlink_to("nowhere")),
        _instead_of_logs(lambda logs: logs.symlink_to("/proc/self/fd")),
    ],
)
def test_no_unusable_path_causes_an_internal_error(place: Path, change: Callable[[Path], None]) -> None:
    change(place)
    for words in COMMANDS.replace("\n", "|").split("|"):
        if words.strip():
            check(words.split(), place)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DAGRUN_RUNS_DIR", "x" * 300),
        ("DAGRUN_RUNS_DIR", "/dev/null/x"),
        ("DAGRUN_RUNS_DIR", "\udcff"),
        ("ORCH_EVENTS_PATH", "x" * 300),
        ("ORCH_EVENTS_PATH", "/dev/full"),
        ("STATE_STORE_PATH", "x/" * 3000),
        ("DAGRUN_DAGS_DIR", "x" * 300),
        ("DAGRUN_SCHEDULES_DIR", "dag.yaml"),
        ("DAGRUN_WORKFLOWS", "x" * 300 + ".py"),
    ],
)
def test_no_setting_causes_an_internal_error(
    place: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    for words in COMMANDS.replace("\n", "|").split("|"):
        if words.strip():
            check(words.split(), place)


def test_a_directory_that_is_gone_is_named(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ("status", "run dag.yaml", "validate dag.yaml", "workflows --workflows x.py"):
        _directory_is_gone(place)
        assert app.run(words.split()) == 2
        said = capsys.readouterr().err
        assert said == (
            "Error: the current directory does not exist any more\n  change to another one, or give -C DIR\n"
        )
    _directory_is_gone(place)
    assert app.run(["-C", str(place), "status", "done"]) == 0


def test_minus_capital_c_stands_for_cd(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "sub").mkdir()
    (place / "sub" / "other.yaml").write_text(DAG)
    for words in (["-C", "sub", "validate", "other.yaml"], ["-C", "sub", "-C", "..", "validate", "dag.yaml"]):
        os.chdir(place)
        assert app.run(words) == 0
    capsys.readouterr()
    for words, why in (
        (["-C", "nowhere", "status"], "-C 'nowhere': No such file or directory"),
        (["-C", "dag.yaml", "status"], "-C 'dag.yaml': Not a directory"),
        (["-C", "loop", "status"], "-C 'loop': Too many levels of symbolic links"),
        (["-C"], "-C needs a directory"),
    ):
        os.chdir(place)
        assert app.run(words) == 2
        assert capsys.readouterr().err.startswith(f"Error: {why}\n")


def test_an_env_file_that_is_not_utf8_is_named_with_its_line(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "secret.yaml").write_text(
        'name: s\nsecrets: [S]\ntasks: [{id: a, run: "true", env: {X: "${{ secrets.S }}"}}]\n'
    )
    (place / ".env").write_bytes(b"OTHER=1\nS=caf\xe9\n")
    assert app.run(["run", "secret.yaml"]) == 2
    said = capsys.readouterr().err
    assert "Error: .env:2:6: byte 0xe9 is not valid UTF-8\n" in said
    (place / ".env").write_bytes(b"\xef\xbb\xbfS=coffee\n")
    assert app.run(["run", "secret.yaml", "-q"]) == 0
