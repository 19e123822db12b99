"""Thousands of tiny bodies, which workers begin from a queue: each once, each alone, each on record, whatever happens meanwhile."""

from __future__ import annotations

import json
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.acceptance.harness import Project, wait_for
from tests.acceptance.survival import kill_keeper, kill_worker

WORKFLOWS = """
    HOME = os.path.dirname(os.path.abspath(__file__))

    def as_it_was():
        umask = os.umask(0)
        os.umask(umask)
        handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGUSR1)
        return os.getcwd(), umask, handlers, os.environ.get("LEFT"), sys.stdout.closed

    FIRST = as_it_was()

    @workflow("tiny")
    def tiny(ctx: TaskContext, does="", **_):
        fd = os.open(HOME + "/effects", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, f"{ctx.task_id} {ctx.attempt}\\n".encode())
        os.close(fd)
        assert as_it_was() == FIRST, as_it_was()
        match does:
            case "wait":
                while not os.path.exists(HOME + "/go"):
                    time.sleep(0.01)
            case "exit": os._exit(3)
            case "raise": raise RuntimeError("no")
            case "leave": subprocess.Popen(["sleep", "300"])
            case "print":
                print("out", ctx.task_id)
                print("err", ctx.task_id, file=sys.stderr)
            case "mess":
                os.chdir("/")
                os.umask(0o777)
                os.environ["LEFT"] = "behind"
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                signal.signal(signal.SIGUSR1, signal.SIG_IGN)
                sys.stdout.close()
        return {"k": ctx.task_id}

    @workflow("where")
    def where(wait=False):
        while wait and not os.path.exists(HOME + "/go"):
            time.sleep(0.01)
        return os.path.basename(os.getcwd())
"""


def many(project: Project, count: int, does: Mapping[int, str] | None = None, **more: Any) -> Project:
    """So many tasks without dependencies, some of which do something else than nothing."""
    tasks = [
        {
            "id": f"t{n}",
            "workflow_ref": "tiny",
            **({"params": {"does": does[n]}} if does and n in does else {}),
        }
        for n in range(count)
    ]
    project.workflows(WORKFLOWS)
    project.write("dag.yaml", json.dumps({"name": "many", "on_error": "continue", "tasks": tasks, **more}))
    return project


def effects(project: Project) -> Counter[str]:
    """How often each attempt has left its trace."""
    path = project.root / "effects"
    return Counter(path.read_text().splitlines() if path.exists() else [])


def begun(project: Project) -> list[str]:
    """The attempts on record, as `task attempt`."""
    return [
        f"{event['task_id']} {event['attempt']}"
        for event in project.events()
        if event["event"] == "task_start"
    ]


def ends(project: Project) -> Counter[str]:
    """How often each task has ended for good."""
    names = ("task_ok", "task_fail", "task_skip", "task_cancel")
    return Counter(event["task_id"] for event in project.events() if event["event"] in names)


def most_at_once(project: Project) -> int:
    """How many attempts ran at once, as the journal has it."""
    running, most = 0, 0
    for event in project.events():
        running += event["event"] == "task_start"
        running -= event["event"] in ("task_ok", "task_fail", "task_retry") or (
            event["event"] == "task_cancel" and "attempt" in event
        )
        most = max(most, running)
    return most


def assert_accounted(project: Project, count: int) -> None:
    """Every task has one end; what ran is on record, and ran once."""
    assert ends(project) == Counter(f"t{n}" for n in range(count))
    assert set(effects(project).values()) <= {1}
    assert effects(project).keys() <= set(begun(project))
    assert len(set(begun(project))) == len(begun(project))


def under_way(project: Project, process: subprocess.Popen[str], after: int = 100) -> None:
    """Until some of them have run; the run cannot have ended where one of them waits."""
    wait_for("some bodies", lambda: len(effects(project)) > after)
    assert process.poll() is None, "it has ended before anything could happen to it"


def test_thousands_run_once_each_and_never_more_at_once_than_may(project: Project) -> None:
    many(project, 6000, max_parallel=3)
    assert project.dagrun("run", "dag.yaml", "-q").code == 0
    assert_accounted(project, 6000)
    assert len(effects(project)) == 6000
    assert most_at_once(project) <= 3


def test_what_is_queued_behind_a_long_body_goes_to_the_worker_that_is_idle(project: Project) -> None:
    many(project, 3000, {40: "wait"}, max_parallel=2)
    process = project.start("run", "dag.yaml", "-q")
    wait_for("all the others", lambda: len(effects(project)) == 3000)
    wait_for("their ends on record", lambda: len(ends(project)) == 2999)
    assert process.poll() is None
    project.write("go", "")
    assert project.finish(process).code == 0
    assert project.names()[-2:] == ["task_ok t40", "dag_done"]
    assert_accounted(project, 3000)


def test_each_is_as_if_it_were_the_first_whatever_the_others_do(project: Project) -> None:
    does = {
        200: "exit",
        250: "raise",
        300: "leave",
        350: "mess",
        400: "print",
        401: "print",
        402: "exit",
        403: "print",
    }
    many(project, 600, does, max_parallel=2)
    outcome = project.dagrun("run", "dag.yaml", "-o", "json")
    assert outcome.code == 1
    failed = {task["id"]: task["error"] for task in outcome.json["tasks"] if task["status"] != "success"}
    assert failed == {
        "t200": "the worker process exited with code 3 before the body ended",
        "t250": "RuntimeError: no",
        "t402": "the worker process exited with code 3 before the body ended",
    }
    assert_accounted(project, 600)
    assert len(effects(project)) == 600
    logs = {
        path.name: path.read_text() for path in (project.run_dir() / "logs").iterdir() if path.stat().st_size
    }
    assert logs.pop("t250.1.log").endswith("RuntimeError: no\n")
    assert logs.pop("t300.1.log").startswith("dagrun: ended 1 process that the task left running: ")
    assert logs == {f"t{n}.1.log": f"out t{n}\nerr t{n}\n" for n in (400, 401, 403)}
    assert project.answer("logs", "latest", "t401").out == "out t401\nerr t401\n"


def test_each_runs_in_its_own_directory_also_where_others_were_taken_back(project: Project) -> None:
    tasks = [
        {
            "id": f"t{n}",
            "workflow_ref": "where",
            "working_dir": "ab"[n // 10 % 2],
            "params": {"wait": n == 50},
        }
        for n in range(1000)
    ]
    for name in "ab":
        (project.root / name).mkdir()
    project.workflows(WORKFLOWS)
    project.write("dag.yaml", json.dumps({"name": "where", "max_parallel": 2, "tasks": tasks}))
    process = project.start("run", "dag.yaml", "-q")
    wait_for("all the others", lambda: len(ends(project)) == 999)
    project.write("go", "")
    assert project.finish(process).code == 0
    reported = project.answer("status", "-o", "json").json["tasks"]
    assert [task["outputs"]["result"] for task in reported] == (["a"] * 10 + ["b"] * 10) * 50


def terminate(project: Project, process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)


def cancel(project: Project, process: subprocess.Popen[str]) -> None:
    project.dagrun("cancel", "latest")


@pytest.mark.parametrize(("fault", "code"), [(terminate, 143), (cancel, 1)])
def test_a_signal_or_a_cancel_in_the_middle_ends_the_run(
    project: Project, fault: Callable[[Project, subprocess.Popen[str]], None], code: int
) -> None:
    many(project, 4_000, {3600: "wait"}, max_parallel=2)
    process = project.start("run", "dag.yaml", "-q")
    under_way(project, process)
    fault(project, process)
    assert project.finish(process).code == code
    assert_accounted(project, 4_000)
    assert project.events()[-1]["status"] == "cancelled"


@pytest.mark.parametrize(
    ("more", "reason"), [({"on_error": "stop_all"}, "TaskFailed"), ({"timeout": "600ms"}, "RunTimeout")]
)
def test_an_end_in_the_middle_leaves_every_task_with_one(
    project: Project, more: dict[str, Any], reason: str
) -> None:
    does = {2000: "raise"} if "on_error" in more else {1000: "wait"}
    many(project, 4000, does, max_parallel=2, **more)
    assert project.dagrun("run", "dag.yaml", "-q").code == 1
    assert_accounted(project, 4000)
    assert (project.events()[-1]["status"], project.events()[-1]["reason"]) == ("failed", reason)


def test_killed_in_the_middle_and_resumed_what_is_on_record_ran_once_and_all_else_at_most_twice(
    project: Project,
) -> None:
    many(project, 4_000, {3600: "wait"}, max_parallel=2)
    process = project.start("run", "dag.yaml", "-q")
    under_way(project, process, after=1000)
    process.kill()
    project.finish(process)
    wait_for("the end of its processes", lambda: not project.processes())
    good = {event["task_id"] for event in project.events() if event["event"] == "task_ok"}
    assert 0 < len(good) < 4_000
    project.write("go", "")
    assert project.dagrun("resume", "latest", "-q").code == 0
    runs = Counter(line.split()[0] for line in effects(project).elements())
    assert runs.keys() == {f"t{n}" for n in range(4_000)}
    assert {runs[task] for task in good} == {1}
    assert set(runs.values()) <= {1, 2}


@pytest.mark.parametrize("fault", [kill_worker, kill_keeper])
def test_a_process_that_is_killed_in_the_middle_costs_the_attempts_that_ran_there_and_no_other(
    project: Project, fault: Callable[[Project, subprocess.Popen[str]], None]
) -> None:
    many(project, 4_000, {3600: "wait"}, max_parallel=2, defaults={"retries": 1})
    process = project.start("run", "dag.yaml", "-q")
    under_way(project, process)
    fault(project, process)
    project.write("go", "")
    assert project.finish(process).code == 0
    assert_accounted(project, 4_000)
    lost = [event for event in project.events() if event["event"] == "task_retry"]
    assert len(lost) <= 2
    assert {event["error_type"] for event in lost} <= {"WorkerDied", "KeeperDied"}
    assert most_at_once(project) <= 2
