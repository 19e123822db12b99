"""Cancel, resume and rerun from any process, at any moment, and the leftovers of a run that lost both its owners."""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import shutil
import signal
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dagrun.clock import from_rfc3339
from dagrun.core.event_lines import Encoder
from dagrun.core.events import DagStart, TaskOk, TaskStart
from dagrun.core.model import Dag
from dagrun.documents.dialects import detect
from dagrun.documents.yaml import Source
from dagrun.storage.files import FileRuns
from tests.acceptance.harness import Project, wait_for
from tests.acceptance.survival import kill_both, left_behind, lines_of
from tests.acceptance.test_disks import mounted

SPREADS = """
    @workflow("spreads")
    def spreads():
        subprocess.Popen(["sleep", "300"])
        subprocess.Popen(["sleep", "301"], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                null = os.open(os.devnull, os.O_RDWR)
                for fd in (0, 1, 2):
                    os.dup2(null, fd)
                open("daemon", "w").write("x")
                time.sleep(302)
            os._exit(0)
        while not os.path.exists("daemon"):
            time.sleep(0.01)
        if not os.path.exists("calm"):
            time.sleep(303)
"""
LITTERED = """
    name: dag
    on_error: continue
    tasks:
      - {id: spread, workflow_ref: spreads}
      - {id: shell, run: "(trap '' TERM; sleep 304; sleep 305) & setsid sleep 306 & echo x > shell; test -e calm || sleep 307"}
"""
NOW = 1_759_485_600.0


def dag_of(text: str) -> Dag:
    source = Source.inline(text)
    return detect.to_dag(source.load(), source, "dag").dag


def interrupted(project: Project, text: str, run_id: str = "it", *, begun: bool = True) -> FileRuns:
    """A run of the document that was killed right after its beginning, or before."""
    project.write("dag.yaml", text)
    logs = project.root / "logs"
    runs = FileRuns(logs / "runs", logs / "orchestrator_events.jsonl")
    dag = dag_of((project.root / "dag.yaml").read_text())
    writer = runs.create(dag, NOW, run_id)
    if begun:
        writer.append(
            DagStart(
                timestamp=NOW, task_count=len(dag.tasks), dag_path="dag.yaml", dag_hash=writer.dag_hash, max_parallel=4
            )
        )  # fmt: skip
    writer.close()
    return runs


def status(project: Project, run_id: str = "it") -> dict[str, Any]:
    reported: dict[str, Any] = project.answer("status", run_id, "-o", "json").json
    return reported


# --- two at once ------------------------------------------------------------------------------------------------


def test_of_two_that_resume_at_the_same_instant_one_wins(tmp_path: Path) -> None:
    projects = [Project(tmp_path / str(n)) for n in range(20)]
    for project in projects:  # one after the other: locks are this process's, not a thread's
        interrupted(
            project,
            "name: d\ntasks: [{id: a, run: 'echo x >> ran; while ! test -e go; do sleep 0.02; done'}]\n",
        )
    with ThreadPoolExecutor(3) as pool:
        problems = list(pool.map(two_resume, projects))
    assert not any(problems), problems


def two_resume(project: Project) -> str:
    try:
        both = [project.start("resume", "it", "-q") for _ in range(2)]
        wait_for("one to be refused", lambda: any(each.poll() is not None for each in both))
        project.write("go", "x")
        ends = sorted(project.finish(each).code for each in both)
        ran = (project.root / "ran").read_text()
        if ends != [0, 2] or ran != "x\n":
            return f"{ends}, ran: {ran!r}"
        return left_behind(project)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        project.tidy()


# --- cancel -----------------------------------------------------------------------------------------------------


def test_a_cancel_that_races_the_end(tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    chance = random.Random(seed)
    delays = [chance.uniform(0.0, 0.5) for _ in range(20)]
    with ThreadPoolExecutor(3) as pool:
        problems = list(pool.map(lambda n: race(tmp_path / str(n), delays[n]), range(20)))
    assert not any(problems), f"seed {seed}: {problems}"


def race(root: Path, delay: float) -> str:
    project = Project(root)
    try:
        project.write(
            "dag.yaml",
            "name: d\ntasks: [{id: a, run: sleep 0.2}, {id: b, run: sleep 0.2, depends_on: [a]}]\n",
        )
        process = project.start("run", "dag.yaml", "--run-id", "it", "-q")
        wait_for("the run", (root / "logs/runs/it/dag.json").exists)
        time.sleep(delay)
        cancel = project.dagrun("cancel", "it", "-o", "json")
        run = project.finish(process)
        names = [fact["event"] for fact in lines_of(root / "logs/runs/it/events.jsonl")]
        expected = {"cancelled": ("cancel_requested", 1), "success": ("cancel_ignored", 0)}
        reported, code = expected[cancel.json["status"]]
        if (cancel.code, run.code) != (0, code) or reported not in names or names.count("dag_done") != 1:
            return f"after {delay:.3f} s: {cancel.code}, {run.code}, {names}"
        return left_behind(project)
    except Exception as error:
        return f"after {delay:.3f} s: {type(error).__name__}: {error}"
    finally:
        project.tidy()


def test_a_cancel_while_the_run_is_starting(project: Project) -> None:
    project.write("dag.yaml", "name: d\ntasks: [{id: a, run: sleep 300}]\n")
    process = project.start("run", "dag.yaml", "--run-id", "it", "-q")
    wait_for("the run", (project.root / "logs/runs/it/dag.json").exists)
    cancel = project.dagrun("cancel", "it", "--reason", "too early")
    assert (cancel.code, cancel.out) == (0, "Run it is cancelled.\n")
    assert project.finish(process).code == 1
    [asked] = [event for event in project.events() if event["event"] == "cancel_requested"]
    assert asked["reason"] == "too early"
    again = project.dagrun("cancel", "it")
    assert (again.code, again.out) == (0, "Run it had ended already: cancelled. Nothing was changed.\n")
    assert project.names()[-2:] == ["dag_done", "cancel_ignored"]


def test_a_cancel_while_a_task_waits_for_its_retry(project: Project) -> None:
    project.write(
        "dag.yaml", "name: d\ntasks: [{id: a, run: exit 1, retries: 3, retry: {initial: 1h, max: 1h}}]\n"
    )
    process = project.start("run", "dag.yaml", "--run-id", "it", "-q")
    wait_for("the retry", lambda: "task_retry a" in project.names("it"))
    assert project.dagrun("cancel", "it").code == 0
    assert project.finish(process).code == 1
    assert project.names()[-3:] == ["cancel_requested", "task_cancel a", "dag_done"]


def test_a_cancel_of_a_run_that_was_killed_before_its_first_event(project: Project) -> None:
    interrupted(
        project, "name: d\nparams: {x: 1}\ntasks: [{id: a, run: 'echo ${{ params.x }} > ran'}]\n", begun=False
    )
    assert status(project)["status"] == "interrupted"
    assert project.dagrun("cancel", "it").out == "Run it is cancelled.\n"
    assert project.names() == ["cancel_requested", "task_cancel a", "dag_done"]
    assert status(project)["status"] == "cancelled"
    assert project.dagrun("resume", "it", "-q").code == 0
    assert project.names()[3:] == ["dag_start", "dag_resume", "task_start a", "task_ok a", "dag_done"]
    assert status(project)["status"] == "success"


def test_a_run_that_was_killed_before_it_had_a_dag(project: Project) -> None:
    project.write("dag.yaml", "name: d\ntasks: [{id: a, run: 'true'}]\n")
    (project.root / "logs/runs").mkdir(parents=True)
    (project.root / "logs/runs/it").mkdir(mode=0o700)
    for words in (["cancel", "it"], ["resume", "it"], ["status", "it"], ["rerun", "it"]):
        outcome = project.dagrun(*words)
        assert (outcome.code, outcome.out) == (2, "")
        assert "run 'it' not found" in outcome.err
    assert project.dagrun("status").code == 2
    assert project.dagrun("run", "dag.yaml", "--run-id", "it", "-q").code == 0  # nothing prevents it
    assert project.dagrun("run", "dag.yaml", "--run-id", "it", "-q").code == 2


def test_parameters_survive_a_kill_before_the_first_event(project: Project) -> None:
    project.write(
        "dag.yaml", "name: d\nparams: {x: 1}\ntasks: [{id: a, run: 'echo ${{ params.x }} > ran'}]\n"
    )
    project.write("faults/sitecustomize.py", faults())
    env = {"PYTHONPATH": str(project.root / "faults"), "FAULT": "2:before"}
    assert project.dagrun("run", "dag.yaml", "--run-id", "it", "-p", "x=7", env=env).code == -signal.SIGKILL
    assert (project.root / "logs/runs/it/events.jsonl").read_bytes() == b""
    assert project.dagrun("resume", "it", "-q").code == 0
    assert (project.root / "ran").read_text() == "7\n"


def faults() -> str:
    from tests.acceptance.survival import FAULTS

    return FAULTS


def test_a_run_with_two_hundred_processes_is_cancelled_in_one_grace_and_not_in_one_for_each(
    project: Project,
) -> None:
    body = "for i in $(seq 100); do (trap '' TERM; sleep 300; sleep 300) & done; echo x > begun; trap '' TERM; wait; wait"
    project.write("dag.yaml", f'name: d\ntasks: [{{id: a, run: "{body}"}}]\n')
    env = {"DAGRUN_KILL_GRACE_MS": "2000", "DAGRUN_CANCEL_TIMEOUT_MS": "600000"}
    process = project.start("run", "dag.yaml", "-q", env=env)
    project.wait_for_file("begun")
    wait_for("200 processes", lambda: len(project.processes()) >= 200)
    assert project.dagrun("cancel", "latest", env=env).code == 0
    assert project.finish(process).code == 1
    assert project.processes() == {}
    at = {event["event"]: from_rfc3339(event["timestamp"]) for event in project.events()}
    took = at["dag_done"] - at["cancel_requested"]
    assert took < 60.0  # on a busy machine; a grace for each would be some minutes
    print(f"cancel of 200 processes: {took:.3f} s with a grace of 2 s")


def test_a_body_that_does_not_end_does_not_hold_up_the_cancel(project: Project) -> None:
    project.write(
        "dag.yaml",
        "name: d\ntasks:\n"
        "  - {id: deaf, run: \"trap '' TERM; echo x > begun; while :; do sleep 1; done\"}\n"
        "  - {id: after, run: 'true', depends_on: [deaf]}\n",
    )
    env = {"DAGRUN_CANCEL_TIMEOUT_MS": "300", "DAGRUN_KILL_GRACE_MS": "600000"}
    process = project.start("run", "dag.yaml", "--run-id", "it", "-q", env=env)
    project.wait_for_file("begun")
    assert project.dagrun("cancel", "it", env=env).code == 0
    assert project.finish(process).code == 1
    reported = status(project)
    assert (reported["status"], reported["reason"]) == (
        "cancelled",
        "Cancelled: deaf did not end within 0.3s",
    )
    assert [task["status"] for task in reported["tasks"]] == ["cancelled", "cancelled"]
    assert reported["tasks"][0]["detail"] == "did not end within 0.3s"
    at = {event["event"]: from_rfc3339(event["timestamp"]) for event in project.events()}
    assert at["dag_done"] - at["cancel_requested"] < 60.0  # the grace is ten minutes


def test_a_cancel_of_a_worker_that_is_stopped(project: Project) -> None:
    project.workflows(
        "@workflow('sleeps')\ndef sleeps():\n    open('begun', 'w').write(str(os.getpid()))\n    time.sleep(300)\n"
    )
    project.write("dag.yaml", "name: d\ntasks: [{id: a, workflow_ref: sleeps}]\n")
    process = project.start("run", "dag.yaml", "--run-id", "it", "-q")
    os.kill(int(project.wait_for_file("begun")), signal.SIGSTOP)
    assert project.dagrun("cancel", "it").code == 0
    assert project.finish(process).code == 1
    assert status(project)["status"] == "cancelled"


def test_an_inbox_with_foreign_files(project: Project) -> None:
    project.write(
        "dag.yaml",
        "name: d\ntasks: [{id: a, run: 'echo x > begun; while ! test -e go; do sleep 0.02; done'}]\n",
    )
    process = project.start("run", "dag.yaml", "--run-id", "it", "-q")
    project.wait_for_file("begun")
    inbox = project.root / "logs/runs/it/inbox"
    inbox.mkdir()
    os.mkfifo(inbox / "1.json")
    (inbox / "2.json").mkdir()
    (inbox / "3.json").write_text('{"what": "dance", "by": "me", "facts": {}}')
    (inbox / "4.json").write_text("[" * 100_000)
    (inbox / "5.json").write_bytes(b"\xff\x00")
    (inbox / "6.json").symlink_to("nowhere")
    (inbox / "notes.txt").write_text("x")
    foreign = sorted(path.name for path in inbox.iterdir())
    assert project.dagrun("status", "it", "-o", "json").json["status"] == "running"
    assert project.dagrun("cancel", "it").code == 0
    assert project.finish(process).code == 1
    assert [name for name in project.names() if name.startswith("cancel")] == ["cancel_requested"]
    assert sorted(path.name for path in inbox.iterdir()) == foreign


# --- what is left when both owners are dead ---------------------------------------------------------------------


@pytest.mark.parametrize("words", ["resume", "cancel"])
def test_leftovers_are_ended_before_anything_starts(project: Project, words: str) -> None:
    project.workflows(SPREADS)
    project.write("dag.yaml", LITTERED)
    process = project.start("run", "dag.yaml", "--run-id", "it", "-q")
    project.wait_for_file("daemon")
    project.wait_for_file("shell")
    before = set(project.processes()) - {process.pid, *project.named("dagrun-keeper")}
    kill_both(project, process)
    process.wait()
    assert set(project.processes()) & before, "nothing was left: this test tests nothing"
    assert status(project)["status"] == "interrupted"
    project.write("calm", "x")
    outcome = project.dagrun(words, "it")
    assert outcome.code == 0, outcome
    assert not set(project.processes()) & before
    assert status(project)["status"] == ("success" if words == "resume" else "cancelled")


def test_another_projects_run_of_the_same_name_is_left_alone(project: Project, tmp_path: Path) -> None:
    other = Project(tmp_path / "other")
    other.write("dag.yaml", "name: d\ntasks: [{id: a, run: 'echo x > begun; sleep 300'}]\n")
    theirs = other.start("run", "dag.yaml", "--run-id", "it", "-q")
    try:
        other.wait_for_file("begun")
        interrupted(project, "name: d\ntasks: [{id: a, run: 'true'}]\n")
        assert project.dagrun("resume", "it", "-q").code == 0
        assert theirs.poll() is None
        assert status(other)["status"] == "running"
    finally:
        other.dagrun("cancel", "it")
        other.tidy()


# --- disks ------------------------------------------------------------------------------------------------------


def test_a_run_that_filled_its_disk_is_resumed_when_there_is_space_again(project: Project) -> None:
    project.workflows(
        "@workflow('large')\ndef large():\n    while not os.path.exists('full'):\n        time.sleep(0.02)\n    return {'k': 'x' * 20000}\n"
    )
    project.write(
        "dag.yaml",
        "name: d\ntasks:\n"
        "  - {id: first, run: 'echo x >> first'}\n"
        "  - {id: fills, run: 'echo x > begun; while ! test -e full; do sleep 0.02; done', depends_on: [first]}\n"
        "  - {id: large, workflow_ref: large, depends_on: [first]}\n",
    )
    with mounted(project.root / "logs", "size=256k") as logs:
        process = project.start("run", "dag.yaml", "--run-id", "it", "-q")
        project.wait_for_file("begun")
        with contextlib.suppress(OSError), (logs / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(b"x" * 4096)
        project.write("full", "x")
        run = project.finish(process)
        assert run.code == 1
        assert "No space left on device" in run.err
        (logs / "filler").unlink()
        assert project.dagrun("resume", "it", "-q").code == 0
        assert (project.root / "first").read_text() == "x\n"
        assert status(project)["status"] == "success"


def test_a_run_directory_that_vanishes(project: Project) -> None:
    project.write(
        "dag.yaml",
        "name: d\ntasks:\n"
        "  - {id: a, run: 'echo x > begun; while ! test -e go; do sleep 0.02; done'}\n"
        "  - {id: b, run: 'echo x > beside; sleep 300'}\n"
        "  - {id: c, run: 'true', depends_on: [a]}\n",
    )
    process = project.start("run", "dag.yaml", "--run-id", "it")
    project.wait_for_file("begun")
    project.wait_for_file("beside")  # nothing makes files in it now
    shutil.rmtree(project.root / "logs/runs/it")
    project.write("go", "x")
    run = project.finish(process)
    assert run.code == 1
    assert "logs/runs/it/events.jsonl: it was removed" in run.err
    assert project.processes() == {}


def test_a_read_only_run_directory(project: Project) -> None:
    with mounted(project.root / "logs", "size=1m"):
        interrupted(project, "name: d\ntasks: [{id: a, run: 'true'}]\n")
        assert shutil.which("mount")
        import subprocess

        subprocess.run(["mount", "-o", "remount,ro", str(project.root / "logs")], check=True)
        for words in (["resume", "it"], ["cancel", "it"]):
            outcome = project.dagrun(*words)
            assert (outcome.code, outcome.out) == (1, "")
            assert outcome.err.startswith("Error: cannot write ")
            assert "Read-only file system" in outcome.err
        assert status(project)["status"] == "interrupted"


@pytest.mark.parametrize("mode", ["os", "batch", "fsync"])
def test_how_often_events_are_synced_to_the_disk(project: Project, mode: str) -> None:
    project.write("faults/sitecustomize.py", faults())
    project.write(
        "dag.yaml", "name: d\ntasks: [{id: a, run: 'true'}, {id: b, run: 'true', depends_on: [a]}]\n"
    )
    env = {
        "PYTHONPATH": str(project.root / "faults"), "FSYNCS": str(project.root / "counts"),
        "DAGRUN_DURABILITY": mode,
    }  # fmt: skip
    began = time.monotonic()
    assert project.dagrun("run", "dag.yaml", "-q", env=env).code == 0
    took = time.monotonic() - began
    counts = project.root / "counts"
    syncs, writes = map(int, counts.read_text().split()) if counts.exists() else (0, 0)
    if mode == "os":
        assert syncs == 0
    elif mode == "batch":
        assert 1 <= syncs <= 2 + took  # at its beginning and its end, and each second in between
    else:
        assert syncs == (writes + 1) // 2  # every write to the journal, none to the stream


# --- what is wrong with a request, or with a record --------------------------------------------------------------


def test_requests_that_are_refused(project: Project) -> None:
    project.write("dag.yaml", "name: d\ntasks: [{id: a, run: 'echo x > begun; sleep 300'}]\n")
    interrupted(project, "name: d\ntasks: [{id: a, run: 'echo x > begun; sleep 300'}]\n", "one-a")
    interrupted(project, "name: d\ntasks: [{id: a, run: 'echo x > begun; sleep 300'}]\n", "one-b")
    process = project.start("run", "dag.yaml", "--run-id", "live", "-q")
    project.wait_for_file("begun")
    files = project.files()
    for words, why in (
        (["resume", "live"], "run 'live' is being run by another process"),
        (["resume", "ghost"], "run 'ghost' not found"),
        (["cancel", "ghost"], "run 'ghost' not found"),
        (["rerun", "ghost"], "run 'ghost' not found"),
        (["resume", "one"], "'one' names 2 runs"),
        (["cancel", "one"], "'one' names 2 runs"),
        (["rerun", "one-a", "--run-id", "live"], "the run id 'live' is taken"),
        (["rerun", "one-a", "--from", "ghost"], "task 'ghost' not found"),
        (["resume", "one-a", "--use-current", "extra"], "extra"),
    ):
        outcome = project.answer(*words)
        assert (outcome.code, outcome.out) == (2, ""), outcome
        assert why in outcome.err
    assert project.files() - files == set()
    assert project.answer("cancel", "live").code == 0
    project.finish(process)


def test_a_workflow_that_is_gone(project: Project) -> None:
    project.workflows("@workflow('here')\ndef here(): return {}\n")
    interrupted(project, "name: d\ntasks: [{id: a, workflow_ref: here}, {id: b, workflow_ref: gone}]\n")
    journal = (project.root / "logs/runs/it/events.jsonl").read_bytes()
    outcome = project.answer("resume", "it")
    assert (outcome.code, outcome.out) == (2, "")
    assert "RunnerError: Unknown workflow: gone" in outcome.err
    assert (project.root / "logs/runs/it/events.jsonl").read_bytes() == journal
    assert project.answer("rerun", "it", "--run-id", "again").code == 2
    assert not (project.root / "logs/runs/again").exists()


def test_a_run_that_ended_well_has_nothing_left(project: Project) -> None:
    project.write("dag.yaml", "name: d\ntasks: [{id: a, run: 'true'}]\n")
    assert project.answer("run", "dag.yaml", "--run-id", "it", "-q").code == 0
    journal = (project.root / "logs/runs/it/events.jsonl").read_bytes()
    outcome = project.answer("resume", "it")
    assert (outcome.code, outcome.out) == (0, "Run it succeeded: nothing is left to resume.\n")
    assert (project.root / "logs/runs/it/events.jsonl").read_bytes() == journal


@pytest.mark.parametrize("damage", [b"{broken", b"\x00" * 50, b"[]", b'{"event": "task_ok"}', b"12"])
def test_a_journal_with_a_corrupt_line_in_the_middle(project: Project, damage: bytes) -> None:
    project.write(
        "dag.yaml",
        "name: d\ntasks:\n  - {id: a, run: 'echo a >> ran; echo k=v > $DAGRUN_OUTPUT'}\n"
        "  - {id: b, run: 'echo b$DAGRUN_PARAM_A__K >> ran; test -e ok', depends_on: [a]}\n",
    )
    assert project.answer("run", "dag.yaml", "--run-id", "it", "-q").code == 1
    journal = project.root / "logs/runs/it/events.jsonl"
    lines = journal.read_bytes().splitlines()
    journal.write_bytes(b"\n".join([*lines[:3], damage, *lines[3:]]) + b"\n")
    reported = project.answer("status", "it")
    assert reported.code == 0
    assert "1 line" in reported.out + reported.err
    project.write("ok", "x")
    assert project.answer("resume", "it", "-q").code == 0
    assert (project.root / "ran").read_text() == "a\nbv\nbv\n"


def test_resume_of_a_half_done_run_of_ten_thousand_tasks_reads_its_journal_once(project: Project) -> None:
    count = 10_000
    text = json.dumps({"name": "big", "tasks": [
        {"id": f"t{n}", "run": "true", **({"depends_on": ["last"]} if n >= count // 2 else {})} for n in range(count)
    ] + [{"id": "last", "run": "echo x >> ran; exit 1"}]})  # fmt: skip
    runs = interrupted(project, text)
    journal = project.root / "logs/runs/it/events.jsonl"
    encoder = Encoder("it", "big", "local-dev")
    with journal.open("ab") as file:
        for n in range(count // 2):
            begun = TaskStart(timestamp=NOW, task_id=f"t{n}", attempt=1, kind="shell")
            done = TaskOk(
                timestamp=NOW, task_id=f"t{n}", attempt=1, duration_seconds=0.1, outputs={"k": "v" * 100}
            )
            file.write(encoder.encode(begun)[0] + encoder.encode(done)[0])
    size = journal.stat().st_size
    project.write("faults/sitecustomize.py", COUNTS)
    env = {"PYTHONPATH": str(project.root / "faults"), "COUNTS": str(project.root / "counts")}
    begun_at = time.monotonic()
    assert project.dagrun("resume", "it", "-q", env=env).code == 1
    took = time.monotonic() - begun_at
    read = int((project.root / "counts").read_text())
    assert size <= read <= size + 4096, f"{read / size:.2f} times"
    assert (project.root / "ran").read_text() == "x\n"
    assert took < 120
    assert runs.read("it").events[-1].name == "dag_done"
    print(
        f"resume of 5,000 of 10,000 tasks: {took:.2f} s, journal of {size} bytes read {read / size:.2f} times"
    )


COUNTS = """
import atexit, os

_read = 0
_fdopen, _pread = os.fdopen, os.pread


def fdopen(fd, mode="r", *args, **kwargs):
    global _read
    if "r" in mode and os.readlink(f"/proc/self/fd/{fd}").endswith("/events.jsonl"):
        _read += os.fstat(fd).st_size
    return _fdopen(fd, mode, *args, **kwargs)


def pread(fd, size, offset):
    global _read
    data = _pread(fd, size, offset)
    if os.readlink(f"/proc/self/fd/{fd}").endswith("/events.jsonl"):
        _read += len(data)
    return data


def write():
    with open(os.environ["COUNTS"], "w") as file:
        file.write(str(_read))


os.fdopen, os.pread = fdopen, pread
atexit.register(write)
"""


def test_use_current_with_a_document_that_has_changed(project: Project) -> None:
    project.write(
        "dag.yaml",
        "name: d\nmax_parallel: 1\ntasks:\n  - {id: kept, run: 'echo kept >> ran; echo k=v > $DAGRUN_OUTPUT'}\n"
        "  - {id: removed, run: 'echo removed >> ran'}\n"
        "  - {id: edited, run: 'echo old >> ran; exit 1', depends_on: [kept, removed]}\n",
    )
    assert project.answer("run", "dag.yaml", "--run-id", "it", "-q").code == 1
    project.write(
        "dag.yaml",
        "name: d\nmax_parallel: 1\ntasks:\n  - {id: added, run: 'echo added >> ran'}\n"
        "  - {id: kept, run: 'echo kept >> ran; echo k=w > $DAGRUN_OUTPUT'}\n"
        "  - {id: edited, run: 'echo new$DAGRUN_PARAM_KEPT__K >> ran', depends_on: [kept, added]}\n",
    )
    plain = project.answer("resume", "it", "-q")
    assert plain.code == 1
    assert "dag.yaml has changed since; the recorded DAG is used" in plain.err
    current = project.answer("resume", "it", "--use-current", "-q")
    assert (current.code, current.err) == (0, "")
    assert (project.root / "ran").read_text() == "kept\nremoved\nold\nold\nadded\nnewv\n"
    reported = project.answer("status", "it")
    assert "line" not in reported.err  # events of a task that was removed are no damage
    assert [task["id"] for task in status(project)["tasks"]] == ["added", "kept", "edited"]
    again = project.answer("resume", "it", "--use-current")
    assert (again.code, again.out) == (0, "Run it succeeded: nothing is left to resume.\n")


def test_a_partial_run_and_one_from_another_directory_are_resumed_without_a_warning(
    project: Project,
) -> None:
    project.write(
        "sub/dag.yaml", "name: d\ntasks: [{id: a, run: test -e ok}, {id: b, run: 'true', depends_on: [a]}]\n"
    )
    assert project.answer("run", "sub/dag.yaml", "--run-id", "part", "--only", "a", "-q").code == 1
    below = project.start("run", "dag.yaml", "--run-id", "below", "-q", cwd=project.root / "sub")
    assert project.finish(below).code == 1
    assert {event["dag_path"] for run in ("part", "below") for event in project.events(run)[:1]} == {
        "sub/dag.yaml"
    }
    project.write("ok", "x")
    for run in ("part", "below"):
        resumed = project.answer("resume", run, "-q")
        assert (resumed.code, resumed.err) == (0, "")
    assert [task["id"] for task in status(project, "part")["tasks"]] == ["a"]


def test_rerun_reuses_large_outputs_and_can_itself_be_resumed(project: Project) -> None:
    project.write(
        "dag.yaml",
        "name: d\ntasks:\n"
        '  - {id: large, run: \'echo large >> ran; echo "k=$(head -c 100000 /dev/zero | tr "\\\\0" x)" > $DAGRUN_OUTPUT\'}\n'
        "  - {id: size, run: 'echo size >> ran; wc -c < $DAGRUN_PARAM_LARGE__K_FILE; test -e ok', depends_on: [large]}\n",
    )
    assert project.answer("run", "dag.yaml", "--run-id", "first", "-q").code == 1
    assert project.answer("rerun", "first", "--from", "size", "--run-id", "second", "-q").code == 1
    shutil.rmtree(project.root / "logs/runs/first")
    project.write("ok", "x")
    assert project.answer("resume", "second", "-q").code == 0
    assert (project.root / "ran").read_text() == "large\nsize\nsize\nsize\n"
    start: Mapping[str, Any] = project.events("second")[0]
    assert (start["trigger"], start["parent_run_id"]) == ("rerun", "first")
