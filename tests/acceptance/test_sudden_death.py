"""kill -9 of dagrun, of its keeper, of a worker: nothing is left running and nothing on record is lost."""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.acceptance.harness import Project, wait_for
from tests.acceptance.survival import left_behind

WORKFLOWS = """
    @workflow("works")
    def works():
        return {"text": "x" * 100}

    @workflow("spreads")
    def spreads():
        subprocess.Popen(["sleep", "300"])
        subprocess.Popen([sys.executable, "-c", "import os, time; os.setsid(); time.sleep(300)"])
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(300)
            os._exit(0)
        open("spread", "w").write("x")
        time.sleep(300)

    @workflow("dies_once")
    def dies_once(ctx: TaskContext):
        open("pid", "w").write(str(os.getpid()))
        if ctx.attempt == 1:
            time.sleep(300)
"""

SHELL = "sleep 300 & setsid sleep 301 & (trap '' TERM; sleep 302; sleep 303) & echo x > shell; sleep 304"

DAG = f"""
    name: dag
    max_parallel: 6
    tasks:
      - {{id: spread, workflow_ref: spreads}}
      - {{id: shell, run: "{SHELL}"}}
      - {{id: chatty, run: "while true; do seq 1000; done"}}
      - {{id: a, workflow_ref: works}}
      - {{id: b, workflow_ref: works, depends_on: [a]}}
      - {{id: c, run: "exit 1", depends_on: [b], retries: 100, retry: {{initial: 5ms, factor: 1}}}}
"""

ROUNDS = 20


def test_kill_9_of_dagrun_leaves_no_process_and_no_broken_record(tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    chance = random.Random(seed)
    delays = [chance.uniform(0.0, 0.6) for _ in range(ROUNDS)]
    with ThreadPoolExecutor(4) as pool:
        problems = list(pool.map(lambda n: one_round(tmp_path / str(n), delays[n]), range(ROUNDS)))
    assert not any(problems), f"seed {seed}: {[problem for problem in problems if problem]}"


def one_round(root: Path, delay: float) -> str:
    """Start a run, kill dagrun after the delay, look around; what is wrong, or nothing.

    Of four rounds three count the delay from the run's first event, one from dagrun's start.
    """
    project = Project(root)
    try:
        project.workflows(WORKFLOWS)
        project.write(
            "dag.yaml", DAG.replace("retries: 100", "retries: 1000000")
        )  # it does not end by itself
        process = project.start("run", "dag.yaml", "--run-id", "it", stdout=subprocess.DEVNULL)
        if int(root.name) % 4:
            wait_for("the run's beginning", (root / "logs/runs/it/events.jsonl").exists)
        time.sleep(delay)
        if process.poll() is not None:
            return f"dagrun ended by itself: {project.finish(process)}"
        process.kill()
        process.wait()
        if left := left_behind(project):
            return f"after {delay:.3f} s: {left}"
        return broken_record(project, delay)
    finally:
        project.tidy()


def broken_record(project: Project, delay: float) -> str:
    journal = project.root / "logs/runs/it/events.jsonl"
    stream = project.root / "logs/orchestrator_events.jsonl"
    for path in (journal, stream):
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []  # the last may be torn
        for line in lines:
            if not isinstance(json.loads(line), dict):
                return f"after {delay:.3f} s: {line!r} in {path}"
    if journal.exists() and journal.stat().st_size:
        status = project.dagrun("status", "it", "-o", "json")
        if status.code or status.json["status"] != "interrupted":
            return f"after {delay:.3f} s: status {status}"
    return ""


def test_kill_9_of_the_keeper_fails_what_was_running_and_leaves_nothing(project: Project) -> None:
    project.workflows(WORKFLOWS)
    project.write("dag.yaml", DAG.replace("name: dag", "name: dag\n    on_error: continue"))
    process = project.start("run", "dag.yaml", "-o", "json")
    project.wait_for_file("spread")
    project.wait_for_file("shell")
    wait_for("the end of another task", lambda: "task_ok a" in project.names())
    [keeper] = children(process.pid)
    os.kill(keeper, signal.SIGKILL)
    outcome = project.finish(process)
    assert project.processes() == {}
    assert outcome.code == 1
    for task_id in ("spread", "shell", "chatty"):
        assert outcome.task(task_id)["error"] == "the keeper process died"
    assert outcome.json["status"] == "partial"


def test_after_kill_9_of_the_keeper_retries_run_under_a_new_one(project: Project) -> None:
    project.workflows(WORKFLOWS)
    project.write(
        "dag.yaml",
        "name: dag\ntasks:\n"
        "  - {id: python, workflow_ref: dies_once, retries: 1}\n"
        "  - {id: shell, run: 'echo x > shell; test $DAGRUN_ATTEMPT = 2 || sleep 300', retries: 1}\n",
    )
    process = project.start("run", "dag.yaml", "-o", "json")
    project.wait_for_file("pid")
    project.wait_for_file("shell")
    [keeper] = children(process.pid)
    os.kill(keeper, signal.SIGKILL)
    outcome = project.finish(process)
    assert (outcome.code, project.processes()) == (0, {})
    assert [outcome.task(task_id)["attempt"] for task_id in ("python", "shell")] == [2, 2]


def test_kill_9_of_a_worker_fails_its_task_alone_and_a_retry_succeeds(project: Project) -> None:
    project.workflows(WORKFLOWS)
    project.write(
        "dag.yaml",
        "name: dag\non_error: continue\ntasks:\n"
        "  - {id: victim, workflow_ref: spreads}\n"
        "  - {id: sibling, run: 'while ! test -e done; do sleep 0.02; done'}\n"
        "  - {id: again, workflow_ref: dies_once, retries: 1}\n",
    )
    process = project.start("run", "dag.yaml", "-o", "json")
    project.wait_for_file("spread")
    os.kill(int(project.wait_for_file("pid")), signal.SIGKILL)
    wait_for("the second attempt", lambda: "task_ok again" in project.names())
    os.kill(wait_for("the victim's worker alone", lambda: the_only_parent(project)), signal.SIGKILL)
    wait_for("the end of the victim", lambda: "task_fail victim" in project.names())
    wait_for(
        "the end of its children",
        lambda: project.named(Path(sys.executable).name) == [process.pid] and not has_strays(project),
    )
    project.write("done", "x")
    outcome = project.finish(process)
    assert outcome.task("victim")["error"] == "the worker process was killed by SIGKILL"
    failed = next(event for event in project.events() if event["event"] == "task_fail")
    assert failed["error_type"] == "WorkerDied"
    assert [outcome.task(name)["status"] for name in ("victim", "sibling", "again")] == [
        "failed",
        "success",
        "success",
    ]


def children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:  # it has ended just now
        return []


def the_only_parent(project: Project) -> int | None:
    """The worker that has children, once it is the only one: the body's own fork has some too until it ends."""
    parents = [pid for pid in project.named("dagrun-w...") if children(pid)]
    return parents[0] if len(parents) == 1 else None


def has_strays(project: Project) -> bool:
    """Whether a fork of the body is still there beside the idle worker."""
    return len(project.named("dagrun-w...")) > 1
