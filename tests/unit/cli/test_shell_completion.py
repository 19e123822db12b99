"""What a TAB offers, and what it costs."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from dagrun.cli import shell_completion
from dagrun.cli.app import run
from dagrun.storage.files import FileRuns
from dagrun.testing import dag
from tests.unit.harness import chain

NOW = 1_759_485_600.0


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two runs and a DAG."""
    monkeypatch.chdir(tmp_path)
    for name in ("DAGRUN_RUNS_DIR", "DAGRUN_DAGS_DIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "dagrun.toml").touch()
    dags = tmp_path / "configs" / "dags"
    dags.mkdir(parents=True)
    (dags / "file_name.yaml").write_text(
        "name: nightly\ntasks:\n  - {id: load, run: x}\n  - id: report\n    run: y\n"
    )
    (dags / "unnamed.yml").write_text("tasks: [{id: only, run: x}]\n")
    (tmp_path / "own.yaml").write_text("name: own\n")
    runs = FileRuns(tmp_path / "logs" / "runs", tmp_path / "logs" / "stream.jsonl")
    for i, run_id in enumerate(("night-1", "night-2")):
        runs.create(chain("load; report<-load" if i else "old"), NOW, run_id).close()
        os.utime(tmp_path / "logs" / "runs" / run_id / "dag.json", (NOW + i, NOW + i))
    return tmp_path


def tab(shell: str, *words: str) -> list[str]:
    """What a shell is offered when the last word is to be completed."""
    text = " ".join(["dagrun", *words])
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as environment, redirect_stdout(printed):
        for name, value in {
            shell_completion.VARIABLE: f"complete_{shell}", "COMP_WORDS": text.replace(" ", "\n"),
            "COMP_CWORD": str(len(words)), "_TYPER_COMPLETE_ARGS": text, "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        }.items():  # fmt: skip
            environment.setenv(name, value)
        assert run([]) == 0
    return printed.getvalue().split("\n")[:-1] if printed.getvalue().strip() else []


RUNS = ["latest", "night-2", "night-1"]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["stat"], ["status"]),
        (["status", ""], RUNS),
        (["status", "night"], RUNS[1:]),
        (["status", "no-such"], []),
        (["logs", "latest", ""], ["load", "report"]),
        (["logs", "night-1", ""], ["old"]),
        (["logs", "night-2", "re"], ["report"]),
        (["events", "--run", ""], RUNS),
        (["events", "--run", "=", "night-1"], ["night-1"]),
        (["events", "--event", "dag_d"], ["dag_done"]),
        (["run", ""], ["nightly", "unnamed", "own.yaml"]),
        (["run", "-p", "x", "=", "1", "ni"], ["nightly"]),
        (["run", "configs/dags/"], ["configs/dags/file_name.yaml", "configs/dags/unnamed.yml"]),
        (["run", "configs/"], []),
        (["run", "nightly", "--only", ""], ["load", "report"]),
        (["validate", "own.yaml", "night"], ["nightly"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
    ],
)
def test_bash_is_offered(project: Path, words: Sequence[str], offered: list[str]) -> None:
    assert tab("bash", *words) == offered


def test_zsh_and_fish_replace_whole_words(project: Path) -> None:
    assert tab("fish", "events", "--run=night-1") == ["--run=night-1"]
    assert tab("zsh", "events", "--run=night-1") == ["_arguments '*: :((\"--run=night-1\"))'"]
    assert tab("fish", "stat") == ["status\tShow one run: its tasks, their states and..."]


@pytest.fixture
def several(project: Path) -> None:
    """A run with variants, and its document."""
    text = """
name: several
tasks:
  - {id: m, run: x, matrix: {os: [u, v], py: ["3.9"]}}
  - {id: many, run: x, for_each: "${{ params.x }}"}
  - {id: two, run: x, for_each: [a, b]}
params: {x: []}
"""
    (project / "several.yaml").write_text(text)
    runs = FileRuns(project / "logs" / "runs", project / "logs" / "stream.jsonl")
    runs.create(dag(text), NOW + 9, "varied").close()
    logs = project / "logs" / "runs" / "varied" / "logs"
    logs.mkdir(exist_ok=True)
    for name in ("many%5B10%5D.1", "many%5B2%5D.1", "many%5B2%5D.2", "m%5Bos%3Du%5D.1"):
        (logs / f"{name}.log").touch()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["why", "varied", ""], ["m", "m[", "many", "many[", "two", "two["]),
        (["why", "varied", "m["], ["'m[os=u,py=3.9]'", "'m[os=v,py=3.9]'"]),
        (["why", "varied", "m[os", "=", "v"], [r"v,py=3.9\]"]),
        (["why", "varied", "m[os", "=", "v,py", "="], [r"3.9\]"]),
        (["why", "varied", "'m[os=v"], ["m[os=v,py=3.9]"]),
        (["why", "varied", "many["], ["'many[2]'", "'many[10]'"]),
        (["rerun", "varied", "--only", "=", "m[os", "=", "u"], [r"u,py=3.9\]"]),
        (["run", "several.yaml", "--only", "m[os"], ["'m[os=u,py=3.9]'", "'m[os=v,py=3.9]'"]),
        (["run", "several.yaml", "--only", "two["], ["'two[0]'", "'two[1]'"]),
        (["run", "several.yaml", "--only", "many["], []),
    ],
)
def test_variants_are_offered_behind_a_bracket(
    several: None, words: Sequence[str], offered: list[str]
) -> None:
    assert tab("bash", *words) == offered


def test_other_shells_quote_by_themselves(several: None) -> None:
    assert tab("fish", "why", "varied", "m[os=u") == ["m[os=u,py=3.9]"]


def test_when_something_is_wrong_a_tab_offers_nothing(project: Path) -> None:
    (project / "logs/runs/night-2/dag.json").write_text("{")
    assert tab("bash", "logs", "latest", "") == []
    (project / "dagrun.toml").write_text("x = [")
    assert tab("bash", "status", "") == []
    assert tab("bash", "run", "own") == []


@pytest.mark.parametrize(
    "words", [["logs", "latest", ""], ["run", ""], ["run", "nightly", "--only", ""], [""]]
)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_tab_imports_nothing_heavy(project: Path, shell: str, words: list[str]) -> None:
    spy = "import sys\ntry:\n    from dagrun.__main__ import main\n    main()\nexcept SystemExit:\n    pass\n"
    spy += "print(' '.join(sys.modules), file=sys.stderr)"
    env = {
        **os.environ, shell_completion.VARIABLE: f"complete_{shell}", "COMP_CWORD": str(len(words)),
        "COMP_WORDS": "\n".join(["dagrun", *words]), "_TYPER_COMPLETE_ARGS": " ".join(["dagrun", *words]),
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }  # fmt: skip
    done = subprocess.run([sys.executable, "-c", spy], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip()
    heavy = {
        "rich",
        "pydantic",
        "asyncio",
        "yaml",
        "croniter",
        "tenacity",
        "dagrun.app.service",
        "dagrun.documents.yaml",
    }
    assert not heavy & set(done.stderr.split())


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_the_script_works_in_a_real_bash(project: Path) -> None:
    shim = project / "bin" / "dagrun"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} -m dagrun "$@"\n')
    shim.chmod(0o755)
    script = """
        eval "$(dagrun completion bash)"
        complete -p dagrun
        COMP_WORDS=(dagrun logs night-2 ""); COMP_CWORD=3
        _dagrun_completion dagrun "" night-2
        printf '<%s>' "${COMPREPLY[@]}"
    """
    env = {**os.environ, "PATH": f"{shim.parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "complete -o default -F _dagrun_completion dagrun\n<load><report>"


def test_the_scripts_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    for shell, mark in (
        ("bash", "complete -o default"),
        ("zsh", "#compdef dagrun"),
        ("fish", "complete --command"),
    ):
        assert run(["completion", shell]) == 0
        assert mark in capsys.readouterr().out
    assert run(["completion", "tcsh"]) == 2
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in capsys.readouterr().err
