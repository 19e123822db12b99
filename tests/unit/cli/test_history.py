"""The commands that look back: since when, which logs, and runs that cannot be read."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dagrun.cli.app import run
from dagrun.cli.history import since_moment
from dagrun.clock import from_rfc3339
from dagrun.core.events import DagStart, TaskFail, TaskStart
from dagrun.errors import UsageError
from dagrun.storage.files import FileRuns
from tests.unit.harness import chain

NOW = 1_759_485_600.0  # 2025-10-03T10:00:00Z


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The local time is that of Berlin."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_berlin")
@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2h", "2025-10-03T08:00:00Z"),
        ("90s", "2025-10-03T09:58:30Z"),
        ("1h30m", "2025-10-03T08:30:00Z"),
        ("7d", "2025-09-26T10:00:00Z"),
        ("0.5d", "2025-10-02T22:00:00Z"),
        ("1d12h", "2025-10-01T22:00:00Z"),
        (" 2h ", "2025-10-03T08:00:00Z"),
        ("2025-10-03", "2025-10-02T22:00:00Z"),
        ("2025-10-03T10:00", "2025-10-03T08:00:00Z"),
        ("2025-01-03 10:00:30", "2025-01-03T09:00:30Z"),
        ("2025-10-03T10:00Z", "2025-10-03T10:00:00Z"),
        ("2025-10-03T10:00:00+05:00", "2025-10-03T05:00:00Z"),
    ],
)
def test_since_takes_ages_dates_and_times_which_are_local(text: str, moment: str) -> None:
    assert since_moment(text, NOW) == from_rfc3339(moment)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "h", "d", "-2h", "2x", "1e5d", "nand", "infd", "9" * 400 + "d", "2025-13-01", "9999999999h"],
)
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match="is neither a date or time"):
        since_moment(text, NOW)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileRuns:
    """A project with two runs, of which the newer one has failed; the present directory is its root."""
    (tmp_path / "dagrun.toml").touch()
    monkeypatch.chdir(tmp_path)
    runs = FileRuns(tmp_path / "logs" / "runs", tmp_path / "logs" / "events.jsonl")
    for hour, name in enumerate(("old", "new")):
        writer = runs.create(chain("a; b"), NOW, name)
        at = NOW + hour * 3600
        writer.append(DagStart(timestamp=at, task_count=2, dag_path="d.yaml", dag_hash=writer.dag_hash))
        for task in ("a", "b"):
            writer.append(TaskStart(timestamp=at, task_id=task, attempt=1, kind="shell"))
            writer.layout.log(task, 1).write_text(f"{task} one\n{task} two\n")
        writer.append(TaskFail(timestamp=at, task_id="b", attempt=1, error="e", error_type="T"))
        writer.close()
    return runs


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = run(words)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (["logs"], "a.1 | a one\na.1 | a two\nb.1 | b one\nb.1 | b two\n"),
        (["logs", "--tail", "1"], "a.1 | a two\nb.1 | b two\n"),
        (["logs", "--tail", "0"], ""),
        (["logs", "--failed"], "b.1 | b one\nb.1 | b two\n"),
        (["logs", "new", "--failed", "--tail", "1"], "b.1 | b two\n"),
        (["logs", "latest", "a"], "a one\na two\n"),
        (["logs", "latest", "a", "--tail", "1"], "a two\n"),
    ],
)
def test_logs_are_chosen_and_cut(
    runs: FileRuns, capsys: pytest.CaptureFixture[str], words: list[str], out: str
) -> None:
    assert said(capsys, *words) == (0, out, "")


def test_a_log_as_json_is_one_object(runs: FileRuns, capsys: pytest.CaptureFixture[str]) -> None:
    path = runs.log_path("new", "a", 1)
    path.write_bytes(b'"q"\n\xff\x00\\')
    code, out, _ = said(capsys, "logs", "latest", "a", "-o", "json")
    assert (code, json.loads(out)) == (
        0, {"task_id": "a", "attempt": 1, "path": str(path), "text": '"q"\n\ufffd\x00\\'},
    )  # fmt: skip


def test_following_has_no_last_lines(runs: FileRuns, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "logs", "-f", "--tail", "1")
    assert (code, "it cannot be combined with --tail or --failed" in err) == (2, True)


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> list[Any]:
    found: list[Any] = json.loads(said(capsys, "runs", "-o", "json", *words)[1])["runs"]
    return [each["run_id"] for each in found]


def test_since_hides_no_run_that_began_later(runs: FileRuns, capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(capsys) == ["new", "old"]
    assert listed(capsys, "--since", "2025-10-03T10:00Z") == ["new", "old"]
    assert listed(capsys, "--since", "2025-10-03T10:00:01Z") == ["new"]
    assert listed(capsys, "--since", "2025-10-03T12:00Z") == []


def test_a_damaged_run_is_listed_with_what_is_wrong(
    runs: FileRuns, capsys: pytest.CaptureFixture[str]
) -> None:
    (runs.directory / "new" / "dag.json").write_text("{}")
    code, out, err = said(capsys, "runs")
    rows = [line.split()[:3] for line in out.splitlines()]
    assert (code, rows) == (
        0,
        [["RUN", "DAG", "STATUS"], ["new", "-", "damaged"], ["old", "letters", "interrupted"]],
    )
    assert err.startswith(
        f"run 'new' cannot be read: {runs.directory}/new/dag.json: it is no longer a valid DAG"
    )
    assert listed(capsys, "--status", "damaged") == ["new"]
    code, _, err = said(capsys, "status", "new")
    assert (code, err.startswith("Error: run 'new' cannot be read: ")) == (2, True)


def test_damaged_lines_are_counted(runs: FileRuns, capsys: pytest.CaptureFixture[str]) -> None:
    journal = runs.directory / "new" / "events.jsonl"
    journal.write_text(journal.read_text().replace('"attempt":1', '"attempt":"x"'))
    code, _, err = said(capsys, "status", "new")
    assert (code, err) == (0, "3 line(s) of the journal could not be read\n")
