"""The command `run`, as far as it starts no process, and how a run that was driven ends."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from dagrun.app.stretch import RunResult
from dagrun.cli.options import Form
from dagrun.cli.run_options import OutputOptions
from dagrun.cli.running import close
from dagrun.testing import fails, scenario
from tests.unit.cli.conftest import Command

DAG = "name: etl\nparams: {n: 1}\ntasks: [{id: a, run: x}, {id: b, run: y, depends_on: [a]}]\n"
TASK = "name: d\ntasks: [{id: a, workflow_ref: a}]\n"


def test_a_dry_run_shows_the_tasks_and_writes_nothing(command: Command, tmp_path: Path) -> None:
    (tmp_path / "etl.yaml").write_text(DAG)
    code, out, _ = command("run", "etl.yaml", "--dry-run", "--only", "b")
    assert (code, " b" in out, " a" in out) == (0, True, False)
    assert not (tmp_path / "logs").exists()


def test_a_dry_run_as_json_has_the_parameters(command: Command, tmp_path: Path) -> None:
    (tmp_path / "etl.yaml").write_text(DAG)
    code, out, _ = command("run", "etl.yaml", "--dry-run", "-p", "n=2", "-o", "json")
    assert (code, json.loads(out)["params"]) == (0, {"n": 2})


@pytest.mark.parametrize("words", [[], ["a.yaml", "--dag", "b.yaml"], ["none.yaml"], ["--max-parallel", "0"]])
def test_a_wrong_request_ends_with_2(command: Command, words: list[str]) -> None:
    assert command("run", *words)[0] == 2


def test_only_dagrun_passes_requests_through_stdin(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"hello")))
    code, _, err = command("run", "a.yaml", "--request-from-stdin")
    assert (code, "only for processes that dagrun starts" in err) == (2, True)


@pytest.mark.parametrize(
    ("fails_", "signum", "code"), [(False, None, 0), (False, 15, 0), (True, None, 1), (True, 15, 143)]
)
def test_the_exit_code_has_the_signal_unless_the_run_succeeded(
    fails_: bool, signum: int | None, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = scenario(TASK, bodies={"a": fails(1) if fails_ else lambda _: {}})
    assert close(RunResult("r", outcome.state), signum, OutputOptions()) == code
    out, err = capsys.readouterr()
    assert ("Error: " in err) == fails_
    assert "r" in out


def test_a_quiet_run_prints_its_failure_alone(capsys: pytest.CaptureFixture[str]) -> None:
    ended = RunResult("r", scenario(TASK, bodies={"a": fails(1)}).state)
    close(ended, None, OutputOptions(quiet=True))
    out, err = capsys.readouterr()
    assert (out, err.startswith("Error: ")) == ("", True)


def test_as_json_a_run_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    close(RunResult("r", scenario(TASK, bodies={}).state), None, OutputOptions(form=Form.JSON))
    assert json.loads(capsys.readouterr().out)["run_id"] == "r"
