"""Standard streams that are closed, full, broken, slow or in another encoding: runs continue, answers are whole or refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.harness import PATIENCE, Project, wait_for

DAG = "name: dag\ntasks:\n  - {id: a, run: 'echo hello'}\n  - {id: b, run: 'seq 300', depends_on: [a]}\n"
FULL = Path("/dev/full")


def closing(*fds: int) -> Callable[[], None]:
    """Make a process begin with these descriptors closed."""

    def close() -> None:
        for fd in fds:
            os.close(fd)

    return close


def ended_well(project: Project) -> bool:
    """Whether the run is recorded to its end, and nothing that was printed got into its journal."""
    names = project.names()  # every line is an event
    return names[0] == "dag_start" and names[-1] == "dag_done" and "task_ok b" in names


@pytest.mark.parametrize("fds", [(0,), (1,), (2,), (0, 1, 2)])
def test_a_run_whose_streams_are_closed_runs(project: Project, fds: tuple[int, ...]) -> None:
    project.write("dag.yaml", DAG)
    outcome = project.finish(project.start("run", "dag.yaml", preexec_fn=closing(*fds)))
    assert outcome.code == 0
    assert ended_well(project)
    assert outcome.err.endswith("Warning: cannot write to standard output: it is closed\n") == (fds == (1,))


@pytest.mark.parametrize("streams", ["stdout", "stderr", "both"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_run_whose_streams_are_full_runs(project: Project, streams: str, form: str) -> None:
    project.write("dag.yaml", DAG)
    with FULL.open("wb") as full:
        given: dict[str, Any] = {name: full for name in ("stdout", "stderr") if streams in (name, "both")}
        outcome = project.finish(project.start("run", "dag.yaml", "-o", form, **given))
    assert outcome.code == 0
    assert ended_well(project)
    if streams == "stdout":
        assert "Warning: cannot write to standard output: No space left on device" in outcome.err


@pytest.mark.parametrize(
    "words", [["status"], ["status", "-o", "json"], ["runs"], ["logs"], ["--help"], ["--version"]]
)
def test_an_answer_that_cannot_be_written_is_an_error(project: Project, words: list[str]) -> None:
    project.write("dag.yaml", DAG)
    if words[0] == "logs":
        words = ["logs", "latest"]
    if not words[0].startswith("--"):
        project.answer("run", "dag.yaml", "-q")
    with FULL.open("wb") as full:
        outcome = project.finish(project.start(*words, stdout=full))
    assert outcome.code == 1
    assert outcome.err.startswith("Error: cannot write to standard output: No space left on device\n")
    assert "Exception ignored" not in outcome.err


def test_a_reader_who_has_seen_enough_ends_an_answer_quietly(project: Project) -> None:
    project.write("dag.yaml", DAG)
    project.answer("run", "dag.yaml", "-q")
    reader, writer = os.pipe()
    os.close(reader)
    for words in (
        ["runs"],
        ["events", "--run", "latest"],
        ["logs", "latest"],
        ["plan", "dag.yaml", "-o", "json"],
    ):
        outcome = project.finish(project.start(*words, stdout=writer))
        assert (outcome.code, outcome.err) == (141, "")
    os.close(writer)


def test_a_pipe_that_another_process_made_non_blocking_gets_the_whole_answer(project: Project) -> None:
    tasks = "".join(f"  - {{id: task-{number:04}, run: 'true'}}\n" for number in range(2000))
    project.write("dag.yaml", "name: dag\ntasks:\n" + tasks)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    process = project.start("plan", "dag.yaml", "-o", "json", stdout=writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        read = file.read()
    assert project.finish(process).code == 0
    assert len(json.loads(read)["tasks"]) == 2000


def test_a_run_waits_for_nobody_who_reads_it(project: Project) -> None:
    project.write(
        "dag.yaml",
        "name: dag\ntasks:\n  - {id: a, run: seq 40000}\n  - {id: b, run: seq 9, depends_on: [a]}\n",
    )
    reader, writer = os.pipe()
    process = project.start("run", "dag.yaml", stdout=subprocess.DEVNULL, stderr=writer)
    os.close(writer)
    wait_for("the end of the run", lambda: project.names()[-1:] == ["dag_done"])
    assert process.poll() is None  # it has lines that nobody has read
    with os.fdopen(reader, "rb") as file:
        read = file.read()
    assert project.finish(process).code == 0
    assert b"b | 9\n" in read


def test_a_run_that_nobody_reads_can_be_cancelled(project: Project) -> None:
    project.write("dag.yaml", "name: dag\ntasks: [{id: a, run: 'seq 40000; echo x > begun; sleep 300'}]\n")
    reader, writer = os.pipe()
    process = project.start("run", "dag.yaml", stdout=subprocess.DEVNULL, stderr=writer)
    os.close(writer)
    project.wait_for_file("begun")
    process.send_signal(signal.SIGINT)
    wait_for("the end of the run", lambda: project.names()[-1:] == ["dag_done"])
    os.close(reader)
    assert project.finish(process, PATIENCE).code == 130


def test_a_terminal_that_is_gone_does_not_harm_a_run(project: Project) -> None:
    project.write(
        "dag.yaml", DAG.replace("echo hello", "echo x > begun; until test -e go; do sleep 0.02; done")
    )
    ours, theirs = os.openpty()
    process = project.start("run", "dag.yaml", stdout=theirs, stderr=theirs, env={"TERM": "xterm"})
    os.close(theirs)
    project.wait_for_file("begun")
    os.close(ours)  # not its controlling terminal: no SIGHUP, and EIO for what it writes
    project.write("go", "x")
    assert project.finish(process, PATIENCE).code == 0
    assert ended_well(project)


def test_a_detached_run_begins_whatever_the_streams_are(project: Project) -> None:
    project.write("dag.yaml", DAG)
    outcome = project.finish(
        project.start("run", "dag.yaml", "--detach", "--run-id", "far", preexec_fn=closing(0, 1, 2))
    )
    assert outcome.code == 0
    wait_for("the end of the run", lambda: project.names("far")[-1:] == ["dag_done"])


def filled() -> tuple[int, int]:
    """A pipe that has no room left."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    return reader, writer


@pytest.mark.parametrize("streams", ["closed", "full", "broken", "unread"])
def test_a_scheduler_fires_whatever_its_streams_are(project: Project, streams: str) -> None:
    project.write("configs/dags/dag.yaml", DAG)
    project.write("configs/schedules/s.yaml", "id: s\ndag: dag\ncron: '0 9 * * *'\ntimezone: UTC\n")
    reader, writer = filled()
    given: dict[str, Any] = {"stdout": writer, "stderr": writer}
    with FULL.open("wb") as full:
        if streams == "closed":
            given = {"preexec_fn": closing(0, 1, 2)}
        elif streams == "full":
            given = {"stdout": full, "stderr": full}
        elif streams == "broken":
            os.close(reader)
        outcome = project.finish(
            project.start("scheduler", "--once", "--at", "2026-11-20T09:00Z", **given), PATIENCE
        )
    assert outcome.code == 0, outcome
    assert ended_well(project)
    for fd in (writer, *((reader,) if streams != "broken" else ())):
        os.close(fd)


LEGACY = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize(
    "env", [LEGACY, {**LEGACY, "PYTHONIOENCODING": "iso-8859-1"}, {"PYTHONIOENCODING": "ascii"}]
)
def test_a_legacy_locale_escapes_what_it_lacks(project: Project, env: dict[str, str]) -> None:
    project.write("bad.yaml", "name: größe → €\ntasks: []\n")
    for words in (["validate", "bad.yaml"], ["run", "bad.yaml"]):
        outcome = project.finish(project.start(*words, env=env, encoding="iso-8859-1"))
        assert outcome.code == 2
        assert "\\u2192 \\u20ac" in outcome.out + outcome.err
    outcome = project.dagrun("validate", "bad.yaml", "-o", "json", env=env)
    assert outcome.code == 2
    assert "größe → €" in outcome.json["files"][0]["errors"][0]["message"]
    assert outcome.out.isascii()


def test_bytes_that_are_not_utf8_are_shown_as_such(project: Project) -> None:
    for words in (["run", "x\udcff.yaml"], ["status", "x\udcff"], ["run", "--x\udcff"]):
        outcome = project.dagrun(*words)
        assert outcome.code == 2
        assert r"x\xff" in outcome.err, outcome


def test_control_characters_of_users_reach_no_terminal(project: Project) -> None:
    nasty = "\\x1b]0;owned\\x07\\x1b[2J\\x9b1m\\u202e"
    project.workflows(
        f"@workflow('odd')\ndef odd(v='{nasty}'):\n    '''{nasty}'''\n    raise ValueError('{nasty}')\n"
    )
    project.write("dag.yaml", f'name: dag\ndescription: "{nasty}"\ntasks: [{{id: a, workflow_ref: odd}}]\n')
    raw = nasty.encode().decode("unicode_escape")
    for words in (
        ["workflows"], ["validate", "dag.yaml"], ["plan", "dag.yaml"], ["run", "dag.yaml"], ["run", "dag.yaml", "--tenant", raw],
        ["status"], ["why", "latest", "a"], ["events"], ["runs", "--status", raw], ["run", raw], ["schema", raw],
        ["cancel", "latest", "--reason", raw], [raw], [f"--{raw}"], ["status", f"--{raw}"],
    ):  # fmt: skip
        outcome = project.dagrun(*words)
        assert not set("\x1b\x07\x9b\u202e") & set(outcome.out + outcome.err), words


def test_logs_are_what_was_printed_and_on_a_terminal_only_their_colours_are_obeyed(project: Project) -> None:
    printed = "\x1b[31mred\x1b[0m \x1b[2J\x1b]0;title\x07\n"
    project.write("printed", printed)
    project.write("dag.yaml", "name: dag\ntasks: [{id: a, run: cat printed}]\n")
    project.answer("run", "dag.yaml", "-q")
    assert project.dagrun("logs", "latest", "a").out == printed
    for env, red in (
        ({"TERM": "xterm"}, "\x1b[31mred\x1b[0m"),
        ({"TERM": "xterm", "NO_COLOR": "1"}, r"\x1b[31mred\x1b[0m"),
    ):
        ours, theirs = os.openpty()
        process = project.start("logs", "latest", "a", stdout=theirs, env=env)
        os.close(theirs)
        assert os.read(ours, 4096).decode() == red + r" \x1b[2J\x1b]0;title\x07" + "\r\n"
        os.close(ours)
        assert project.finish(process).code == 0
