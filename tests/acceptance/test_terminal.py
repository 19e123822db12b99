"""On a terminal: what runs is shown while it runs, text is shown as it is, and the terminal is left as it was."""

from __future__ import annotations

import os
import select
import signal
import termios
from collections.abc import Mapping

import pytest

from tests.acceptance.harness import Outcome, Project

DAG = r"""
    name: dag
    tasks:
      - {id: py.3-11, run: "echo [bold]not bold[/bold] test[py311]; printf '\\033[2J\\033]0;title\\007seen\\rover\\n'"}
      - {id: slow, run: "echo working; until test -e go; do sleep 0.02; done", depends_on: [py.3-11]}
      - {id: bad, run: "exit 7", depends_on: [slow], retries: 1}
"""


def on_a_terminal(
    project: Project, *args: str, sign: str, interrupt: bool = False, env: Mapping[str, str] | None = None
) -> tuple[Outcome, list[object]]:
    """Run a command on a pseudo-terminal: all that it drew, and the terminal's settings before and after.

    Once it has drawn the sign, it may continue, or it is interrupted.
    """
    ours, theirs = os.openpty()
    before = termios.tcgetattr(theirs)
    process = project.start(
        *args,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={"TERM": "xterm-256color", "COLUMNS": "100", **(env or {})},
    )
    drawn = b""
    while process.poll() is None or select.select([ours], [], [], 0)[0]:
        if select.select([ours], [], [], 0.05)[0]:
            drawn += os.read(ours, 65536)
        if sign and sign.encode() in drawn:
            sign = ""
            if interrupt:
                os.killpg(process.pid, signal.SIGINT)
            else:
                project.write("go", "")
    after = termios.tcgetattr(theirs)
    os.close(ours)
    os.close(theirs)
    assert before == after
    text = drawn.decode().replace("\r\n", "\n")
    project.printed.append(text)
    return Outcome(process.returncode, text, ""), before


def test_progress_is_live_and_literal(project: Project) -> None:
    project.write("dag.yaml", DAG)
    outcome, _ = on_a_terminal(project, "run", "dag.yaml", sign="1/3 done; running: slow")
    text = outcome.out
    assert outcome.code == 1
    assert "[bold]not bold[/bold] test[py311]" in text
    assert "\x1b[2J" not in text
    assert "\x1b]0;" not in text
    assert "1/3 done; running: slow" in text
    assert "working" in text
    assert "exit code 7; attempt 2 in 0.0s" in text
    assert "DAG EXECUTION COMPLETE" in text
    assert text.rstrip().endswith("Error: RunnerError: Task 'bad' failed after 2 attempts: exit code 7")
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h")  # the cursor is shown again
    assert "\x1b[31mfailed" in text


def test_no_color_and_dumb_terminals_get_plain_lines(project: Project) -> None:
    project.write("dag.yaml", DAG)
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        outcome, _ = on_a_terminal(project, "run", "dag.yaml", sign="slow started", env=env)
        assert "slow started" in outcome.out
        assert "\x1b" not in outcome.out


@pytest.mark.parametrize("columns", ["0", "1", "9" * 30, "wide"])
def test_an_impossible_width_hides_nothing(project: Project, columns: str) -> None:
    project.write(
        "dag.yaml", "name: dag\ntasks: [{id: a, run: 'echo seen; until test -e go; do sleep 0.02; done'}]\n"
    )
    outcome, _ = on_a_terminal(project, "run", "dag.yaml", sign="seen", env={"COLUMNS": columns})
    assert outcome.code == 0
    watched, _ = on_a_terminal(project, "status", "--watch", sign="", env={"COLUMNS": columns})
    assert watched.code == 0
    assert "Status: " in watched.out


def test_ctrl_c_leaves_the_terminal_sane(project: Project) -> None:
    project.write("dag.yaml", DAG)
    outcome, _ = on_a_terminal(project, "run", "dag.yaml", sign="running: slow", interrupt=True)
    assert outcome.code == 130
    assert "Status: cancelled" in outcome.out
    assert outcome.out.count("\x1b[?25l") == outcome.out.count("\x1b[?25h")


def test_nothing_is_coloured_without_a_terminal(project: Project) -> None:
    project.write("dag.yaml", DAG)
    project.write("go", "")
    run = project.dagrun("run", "dag.yaml", env={"TERM": "xterm-256color"})
    status = project.dagrun("status")
    listed = project.dagrun("runs")
    assert all("\x1b" not in text for text in (run.out, run.err, status.out, listed.out))


def test_control_characters_of_a_document_are_shown_not_obeyed(project: Project) -> None:
    project.workflows("@workflow('odd')\ndef odd(): raise ValueError('\\x1b[2J red\\nsecond line')\n")
    project.write(
        "dag.yaml",
        'name: dag\non_error: continue\ntasks:\n  - {id: a, run: "echo \\e[2J"}\n  - {id: b, workflow_ref: odd}\n',
    )
    shown = project.dagrun("run", "dag.yaml", "--dry-run")
    assert r"  1. a (shell: echo \x1b[2J, depends_on: none)" in shown.out
    run = project.dagrun("run", "dag.yaml")
    assert r"Error: RunnerError: Task 'b' failed after 1 attempt: ValueError: \x1b[2J red" in run.err
    status = project.dagrun("status")
    assert all("\x1b" not in text for text in (shown.out, run.out, run.err, status.out))
