"""How events, and a run that is being watched, are shown."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from dagrun.cli import output
from dagrun.cli.app import run
from dagrun.cli.history import status_lines
from dagrun.cli.watching import EventLines, follow_events
from dagrun.core.work import Json
from dagrun.storage.files import FileRuns
from dagrun.testing import scenario


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.localtime", time.gmtime)


def event(name: str, **more: Json) -> dict[str, Json]:
    return {"timestamp": "2025-10-03T10:00:00.123Z", "event": name, "run_id": "r-1", **more}


def test_an_event_is_one_line_with_its_fields() -> None:
    lines = EventLines()
    assert lines.line(
        event("dag_start", dag_name="d", tenant="t", task_count=2, params={}, dag_hash="ff")
    ) == ("2025-10-03 10:00:00.123  r-1  -         dag_start     dag=d task_count=2")
    assert lines.line(event("task_ok", task_id="load", attempt=1, duration_seconds=75.2, changed=False)) == (
        "2025-10-03 10:00:00.123  r-1  load      task_ok       attempt=1 duration=1m 15s changed=false"
    )
    fail = event(
        "task_fail", task_id="a", error='no "such"\nfile', error_type="X", exit_code=None, timed_out=False
    )
    assert lines.line(fail) == (
        '2025-10-03 10:00:00.123  r-1  a         task_fail     error="no \\"such\\"\\nfile" error_type=X'
    )


def test_events_that_come_together_stand_below_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    EventLines().print([event("dag_start"), event("task_expand", task_id="a-long-name", count=0)])
    first, second = capsys.readouterr().out.splitlines()
    assert first.index("dag_start") == second.index("task_expand")
    assert second.endswith("count=0")


def test_a_very_long_name_moves_its_own_line_alone() -> None:
    long = f"t[v={'x' * 90}]"
    head, short, moved = output.table_lines(("TASK", "STATUS"), [("t[v=1]", "success"), (long, "failed")])
    assert head.index("STATUS") == short.index("success") == output.WIDEST + 2
    assert moved == f"{long}  failed"


def test_an_event_cannot_move_the_cursor() -> None:
    line = EventLines().line(
        event("task_ok", task_id="a\x1b[2J", error="\x9b2J\x1b]0;x\x07\ud800", odd={"k": "\r"})
    )
    assert line.isprintable()


def test_an_event_that_lacks_things_is_shown_all_the_same() -> None:
    assert EventLines().line({"event": "x", "timestamp": "never"}) == "never  -  -         x"
    assert (
        EventLines()
        .line({"event": "x", "timestamp": float("inf"), "n": 1e400})
        .startswith("inf  -  -         x")
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ORCH_EVENTS_PATH", raising=False)
    (tmp_path / "dagrun.toml").touch()
    (tmp_path / "logs").mkdir()
    stream = "".join(
        json.dumps(event("task_ok" if i % 10 else "task_fail", task_id=f"t{i}"), separators=(",", ":")) + "\n"
        for i in range(100)
    )
    (tmp_path / "logs" / "orchestrator_events.jsonl").write_text(stream + "rubbish\n")
    return tmp_path


def shown(capsys: pytest.CaptureFixture[str], *args: str) -> list[str]:
    assert run(["events", *args, "-o", "json"]) == 0
    return [json.loads(line)["task_id"] for line in capsys.readouterr().out.splitlines()]


def test_events_are_the_last_ones_newest_last(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys) == [f"t{i}" for i in range(80, 100)]
    assert shown(capsys, "--limit", "2") == ["t98", "t99"]
    assert shown(capsys, "--limit", "0") == []
    assert shown(capsys, "--event", "task_fail", "--limit", "3") == ["t70", "t80", "t90"]
    assert shown(capsys, "--event", "task_fail", "--event", "task_ok", "--limit", "1") == ["t99"]


def test_what_cannot_be_read_is_counted_on_stderr(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["events", "--limit", "1"]) == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 1
    assert said.err == "1 line(s) could not be read\n"


def test_before_the_first_run_there_are_no_events(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "logs" / "orchestrator_events.jsonl").unlink()
    assert shown(capsys) == []


def test_an_event_that_does_not_exist_is_refused_with_those_that_do(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["events", "--event", "task_fial"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "there is no event 'task_fial': it is one of dag_start, task_start, " in printed.err
    assert "did you mean 'task_fail'?" in printed.err


def test_following_ends_after_a_look_that_began_after_the_end(tmp_path: Path) -> None:
    runs = FileRuns(tmp_path / "runs", tmp_path / "stream.jsonl")
    (tmp_path / "stream.jsonl").write_text(json.dumps(event("a")) + "\n")
    tail = runs.events(None)

    def ended() -> bool:
        with (tmp_path / "stream.jsonl").open("a") as file:
            file.write(json.dumps(event("b")) + "\n")
        return True

    assert [each["event"] for found in follow_events(tail, ended) for each in found] == ["a", "b"]
    tail.close()


def test_a_run_that_does_not_fit_shows_what_one_looks_for() -> None:
    outcome = scenario(
        "name: wide\non_error: continue\nmax_parallel: 1\ntasks:\n"
        + "".join(f"  - {{id: t{i}, workflow_ref: w{i}}}\n" for i in range(30)),
        {"w7": lambda params: 1 / 0},
    )
    lines = status_lines(outcome.view, 10)
    assert len(lines) == 10
    assert lines[6].startswith("t0 ")
    assert lines[8].startswith("t7 ")
    assert lines[9] == "... and 27 more; of all: 29 success, 1 failed"
    assert len(status_lines(outcome.view, 3)) < 9
    assert len(status_lines(outcome.view)) == 36


# --- JSON ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["status", "-o", "json"], True),
        (["status", "-ojson"], True),
        (["status", "--output=json"], True),
        (["run", "-p", "x=-o json"], False),
        (["run", "--", "-o", "json"], False),
        (["status", "-o"], False),
    ],
)
def test_whether_json_is_asked_for(arguments: list[str], wanted: bool) -> None:
    assert output.wants_json(arguments) is wanted


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["run", "--nonsense"], ["runs", "--limit", "x"], ["completion"], ["why"]]
)
def test_a_wrong_command_line_is_reported_as_json(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*arguments, "-o", "json"]) == 2
    printed = capsys.readouterr()
    assert printed.err == ""
    error = json.loads(printed.out)["error"]
    assert error["type"] == "UsageError"
    assert error["message"]


def test_half_a_surrogate_pair_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"x": "\ud800 ä"})
    assert json.loads(capsys.readouterr().out) == {"x": "\ud800 ä"}
