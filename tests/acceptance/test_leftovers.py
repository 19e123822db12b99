"""After kill -9 of dagrun and its keeper at once: what the run has left is ended, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.harness import Project, wait_for
from tests.acceptance.test_sudden_death import children

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere no process shows where it comes from"
)

WORKFLOWS = """
    @workflow("spreads")
    def spreads():
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                open("daemon", "w").write(str(os.getpid()))
                time.sleep(300)
            os._exit(0)
        while not os.path.exists("resumed"): time.sleep(0.01)
"""

DAG = """
    name: dag
    tasks:
      - {id: python, workflow_ref: spreads}
      - {id: shell, run: "test -e resumed || { setsid sleep 300 & echo $! > sleeper; while ! test -e resumed; do sleep 0.05; done; }"}
"""


SLEEPS = """
import sys, time
from dagrun.executors.local import processes
processes.set_name(sys.argv[1])
print(flush=True)
time.sleep(300)
"""


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def kill_both(project: Project, process: subprocess.Popen[str]) -> None:
    """At once: neither sees the other's end."""
    pids = [process.pid, *set(project.named("dagrun-keeper")).intersection(children(process.pid))]
    assert len(pids) == 2
    for signum in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            os.kill(pid, signum)
    process.wait()


@contextmanager
def foreign(where: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that have nothing to do with dagrun: called as a worker is, and with a variable of a run's bodies."""
    environment = {**os.environ, "DAGRUN_RUN_DIR": str(where / "logs/runs/it"), "DAGRUN_RUN_ID": "it"}
    started = [
        subprocess.Popen([sys.executable, "-c", SLEEPS, name], env=environment, stdout=subprocess.PIPE)
        for name in ("dagrun-worker", "dagrun-wabcdefg")
    ]
    for process in started:
        assert process.stdout is not None
        process.stdout.readline()
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


@pytest.mark.parametrize("command", ["resume", "cancel"])
def test_only_processes_of_that_run_are_ended(project: Project, command: str, tmp_path: Path) -> None:
    project.workflows(WORKFLOWS)
    project.write("dag.yaml", DAG)
    project.write("other.yaml", DAG)
    process = project.start("run", "dag.yaml", "--run-id", "it")
    left = [int(project.wait_for_file(name)) for name in ("daemon", "sleeper")]
    for name in ("daemon", "sleeper"):
        (project.root / name).unlink()
    other = project.start("run", "other.yaml", "--run-id", "other")
    others = [int(project.wait_for_file(name)) for name in ("daemon", "sleeper")]
    others += [pid for pid in project.named("dagrun-w...") if pid not in left]
    kill_both(project, process)
    others = [pid for pid in others if alive(pid)]
    assert all(map(alive, [*left, *others[:2]]))
    with foreign(tmp_path) as strangers:
        project.write("resumed", "")
        outcome = project.dagrun(command, "it", "-o", "json")
        assert outcome.code == 0
        wait_for("the end of what the run has left", lambda: not any(map(alive, left)))
        assert all(stranger.poll() is None for stranger in strangers)
    assert project.finish(other).code == 0
    events = [event["event"] for event in project.events("other")]
    assert "task_retry" not in events
    assert events.count("task_ok") == 2
