"""A second process follows a run: its events, its output, its state; every line arrives once."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.acceptance.harness import PATIENCE, Project, wait_for

COUNTING = """
    name: counting
    tasks:
      - id: count
        run: |
          for i in $(seq 1 40); do echo line $i; sleep 0.01; test $i != 20 || until test -e go; do sleep 0.02; done; done
          printf 'no end'
      - {id: again, retries: 1, run: "echo try $DAGRUN_ATTEMPT; test $DAGRUN_ATTEMPT = 2"}
      - {id: after, run: "seq 1 5000", depends_on: [count, again]}
"""
HANGING = "name: hanging\ntasks: [{id: a, run: 'echo begun; touch begun; sleep 300'}]\n"


def begin(project: Project, text: str = COUNTING) -> subprocess.Popen[str]:
    """A run in the background that has begun."""
    project.write("dag.yaml", text)
    run = project.start("run", "dag.yaml", "-q", "--run-id", "r")
    wait_for("the first task", lambda: "task_start" in journal(project))
    return run


def live(project: Project, follower: subprocess.Popen[str]) -> str:
    """What a follower prints first; only then may the run continue."""
    assert follower.stdout is not None
    reported = b""
    while not reported.endswith(b"\n"):
        chunk = os.read(follower.stdout.fileno(), 65536)
        assert chunk, f"it has ended: {project.finish(follower)}"
        reported += chunk
    project.write("go", "")
    return reported.decode()


def journal(project: Project) -> str:
    path = project.root / "logs/runs/r/events.jsonl"
    return path.read_text() if path.exists() else ""


def end(project: Project, process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    project.finish(process)


def test_every_line_of_every_attempt_arrives_once(project: Project) -> None:
    run = begin(project)
    follower = project.start("logs", "r", "-f")
    first = live(project, follower)
    following = project.finish(follower)
    assert following.code == 0, following.err
    lines = (first + following.out).splitlines()
    reported = {name: [line.split(" | ", 1)[1] for line in lines if line.startswith(f"{name} | ")]
            for name in ("count.1", "again.1", "again.2", "after.1")}  # fmt: skip
    assert reported["count.1"] == [*(f"line {i}" for i in range(1, 41)), "no end"]
    assert (reported["again.1"], reported["again.2"]) == (["try 1"], ["try 2"])
    assert reported["after.1"] == [str(i) for i in range(1, 5001)]
    assert len(lines) == sum(map(len, reported.values()))
    assert project.finish(run).code == 0
    assert sorted(project.answer("logs", "r", "-f").out.splitlines()) == sorted(lines)
    one = project.answer("logs", "r", "again", "-f", "-o", "json").out.splitlines()
    assert [json.loads(line) for line in one] == [
        {"task_id": "again", "attempt": 1, "line": "try 1"},
        {"task_id": "again", "attempt": 2, "line": "try 2"},
    ]


def test_the_events_of_a_run_are_followed_to_its_end(project: Project) -> None:
    run = begin(project)
    follower = project.start("events", "--run", "r", "-f", "-o", "json")
    first = live(project, follower)
    following = project.finish(follower)
    assert following.code == 0, following.err
    assert [json.loads(line) for line in (first + following.out).splitlines()] == project.events("r")
    project.finish(run)


def test_the_stream_of_all_runs_is_followed_until_ctrl_c(project: Project) -> None:
    project.write("dag.yaml", "name: one\ntasks: [{id: a, run: 'true'}]\n")
    assert project.dagrun("run", "dag.yaml", "-q", "--run-id", "before").code == 0
    following = project.start("events", "-f", "--limit", "1", "--event", "dag_done", "-o", "json")
    assert following.stdout is not None
    seen = [json.loads(following.stdout.readline())]
    stream = project.root / "logs/orchestrator_events.jsonl"
    for run_id in ("after", "rotated"):
        assert project.dagrun("run", "dag.yaml", "-q", "--run-id", run_id).code == 0
        seen.append(json.loads(following.stdout.readline()))
        stream.rename(stream.with_suffix(f".{run_id}"))
    assert [event["run_id"] for event in seen] == ["before", "after", "rotated"]
    following.send_signal(signal.SIGINT)
    outcome = project.finish(following)
    assert (outcome.code, outcome.out, outcome.err) == (130, "", "")


@pytest.mark.parametrize(
    "command", [["logs", "r", "-f"], ["events", "--run", "r", "-f"], ["status", "r", "--watch"]]
)
def test_ctrl_c_ends_the_following_and_not_the_run(project: Project, command: list[str]) -> None:
    run = begin(project, HANGING)
    following = project.start(*command)
    assert following.stdout is not None
    following.stdout.readline()
    following.send_signal(signal.SIGINT)
    outcome = project.finish(following)
    assert (outcome.code, outcome.err) == (130, "")
    assert run.poll() is None
    end(project, run)


@pytest.mark.parametrize(
    "command", [["logs", "r", "-f"], ["events", "--run", "r", "-f"], ["status", "r", "--watch"]]
)
def test_following_ends_when_the_runs_process_is_killed(project: Project, command: list[str]) -> None:
    run = begin(project, HANGING)
    following = project.start(*command)
    assert following.stdout is not None
    first = following.stdout.readline()
    run.kill()
    outcome = project.finish(following)
    assert (outcome.code, outcome.err) == (0, "")
    assert first
    if command[0] == "status":
        assert "Status: interrupted" in outcome.out


GATED = """
    name: gated
    tasks:
      - {id: a, run: "until test -e go; do sleep 0.02; done"}
      - {id: b, run: "true", depends_on: [a]}
"""


def test_a_watched_status_is_printed_anew_when_something_has_changed(project: Project) -> None:
    run = begin(project, GATED)
    watch = project.start("status", "r", "--watch")
    assert watch.stdout is not None
    first = "".join(watch.stdout.readline() for _ in range(8))
    project.write("go", "")
    watching = project.finish(watch)
    assert watching.code == 0, watching.err
    blocks = watching.out.split("\n\nRun: ")
    assert "Status: running" in first
    assert "b     pending" in first
    assert 1 <= len(blocks) <= 4
    assert "Status: success" in blocks[-1]
    project.finish(run)
    final = project.answer("status", "r", "--watch")
    assert final.out == project.answer("status", "r").out
    reported = project.answer("status", "r", "--watch", "-o", "json")
    assert reported.json == project.answer("status", "r", "-o", "json").json


def test_a_reader_that_has_seen_enough_ends_the_following(project: Project) -> None:
    run = begin(project, "name: talks\ntasks: [{id: a, run: 'while :; do echo x; sleep 0.05; done'}]\n")
    following = project.start("logs", "r", "-f")
    assert following.stdout is not None
    following.stdout.readline()
    following.stdout.close()
    following.stdout = None
    assert following.wait(PATIENCE) == 141
    assert project.finish(following).err == ""
    end(project, run)


class Terminal:
    """A terminal of 80 columns and 12 rows, and what was written to it."""

    def __init__(self, project: Project, *args: str) -> None:
        self.master, slave = pty.openpty()
        os.set_blocking(self.master, False)
        import fcntl
        import struct
        import termios

        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 80, 0, 0))
        self.process = project.start(*args, stdin=slave, stdout=slave, env={"TERM": "xterm-256color"})
        os.close(slave)
        self._drawn = b""

    @property
    def text(self) -> str:
        """What was written until now; half a character at its end does no harm."""
        return self._drawn.decode(errors="replace")

    def read_until(self, done: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < deadline, self.text
            if not self._read():
                break

    def read_to_the_end(self) -> None:
        """Until the process has closed its side."""
        self.read_until(lambda: False)
        os.close(self.master)

    def _read(self) -> bool:
        """Take what there is; whether there may be more."""
        if select.select([self.master], [], [], 0.05)[0]:
            try:
                self._drawn += os.read(self.master, 65536)
            except OSError:  # the other side has closed it
                return False
        return True


def test_on_a_terminal_the_picture_is_redrawn_and_fits(project: Project) -> None:
    tasks = "".join(f"  - {{id: t{i}, run: 'true', depends_on: [a]}}\n" for i in range(30))
    gate = "until test -e go; do sleep 0.02; done"
    run = begin(project, f"name: wide\ntasks:\n  - {{id: a, run: '{gate}'}}\n{tasks}")
    terminal = Terminal(project, "status", "r", "--watch")
    terminal.read_until(lambda: "1 running" in terminal.text)
    project.write("go", "")
    terminal.read_to_the_end()
    outcome = project.finish(terminal.process)
    assert (outcome.code, outcome.err) == (0, "")
    assert "... and 27 more; of all: 30 pending, 1 running" in terminal.text
    assert "\x1b[?25h" in terminal.text.rpartition("\x1b[?25l")[2]  # the cursor is back
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.text)
    assert plain.rstrip().splitlines()[-1].startswith("t29 ")
    project.finish(run)


def test_sigterm_gives_the_terminal_its_cursor_back(project: Project) -> None:
    run = begin(project, HANGING)
    terminal = Terminal(project, "status", "r", "--watch")
    terminal.read_until(lambda: "running" in terminal.text)
    terminal.process.terminate()
    terminal.read_to_the_end()
    assert "\x1b[?25h" in terminal.text
    assert project.finish(terminal.process).code == 143
    end(project, run)


def test_what_does_not_exist_is_refused_at_once(project: Project) -> None:
    project.write("dag.yaml", "name: one\ntasks: [{id: build, run: 'true'}]\n")
    assert project.dagrun("run", "dag.yaml", "-q").code == 0
    for command in (["logs", "nope", "-f"], ["events", "--run", "nope", "-f"], ["status", "nope", "--watch"]):
        outcome = project.dagrun(*command)
        assert (outcome.code, outcome.out) == (2, "")
        assert "run 'nope' not found" in outcome.err
    outcome = project.answer("logs", "latest", "biuld", "-f")
    assert (outcome.code, "did you mean 'build'?" in outcome.err) == (2, True)
