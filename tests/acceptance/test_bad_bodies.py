"""Bodies that misbehave: each fails alone, in words that say why, and leaves nothing behind."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.harness import Outcome, Project

# What each body does, the type of its error, and a part of what the user reads.
BAD: dict[str, tuple[str, str, str]] = {
    "raises": ("raise ValueError('no such customer')", "ValueError", "ValueError: no such customer"),
    "asserts": ("assert 1 == 2", "AssertionError", "AssertionError"),
    "unspeakable": (
        "class Odd(Exception):\n    def __str__(self): raise SystemExit\nraise Odd",
        "Odd", "Odd: (its message cannot be shown)",
    ),
    "segfaults": ("ctypes.string_at(0)", "WorkerDied", "the worker process was killed by SIGSEGV"),
    "exits_hard": ("os._exit(3)", "WorkerDied", "the worker process exited with code 3"),
    "exits": ("sys.exit('enough')", "SystemExit", "SystemExit: enough"),
    "interrupts": ("raise KeyboardInterrupt", "KeyboardInterrupt", "KeyboardInterrupt"),
    "kills_itself": ("os.kill(os.getpid(), signal.SIGKILL)", "WorkerDied", "the worker process was killed by SIGKILL"),
    "returns_a_set": ("return {'fine': 1, 'odd': {1, 2}}", "BadCall", "output 'odd' is not JSON-serialisable"),
    "returns_nan": ("return {'odd': float('nan')}", "BadCall", "output 'odd' is not JSON-serialisable"),
    "returns_itself": ("a = {}; a['a'] = a; return a", "BadCall", "output 'a' is not JSON-serialisable"),
    "returns_depths": (
        "a = []\nfor _ in range(100_000): a = [a]\nreturn {'odd': a}",
        "BadCall", "output 'odd' is not JSON-serialisable: it is nested too deeply",
    ),
    "returns_just_too_much_depth": (
        "a = []\nfor _ in range(960): a = [a]\nreturn {'odd': a}",
        "BadCall", "output 'odd' is not JSON-serialisable: it is nested too deeply",
    ),
    "returns_depths_it_made_room_for": (
        "sys.setrecursionlimit(10**6)\na = []\nfor _ in range(5_000): a = [a]\nreturn {'odd': a}",
        "BadCall", "output 'odd' is not JSON-serialisable: it is nested too deeply",
    ),
    "returns_odd_keys": ("return {('a', 1): 2}", "BadCall", "output key ('a', 1) is not a string"),
    "returns_half_a_character": ("return {'odd': 'x\\ud800'}", "BadCall", "output 'odd' is not JSON-serialisable"),
    "returns_too_much": ("return {'odd': 'x' * 2_000_000}", "BadCall", "at most 1000000 are allowed (max_output_bytes)"),
    "returns_nothing_ever": ("while True: time.sleep(300)", "Timeout", "timed out after 1s"),
    "spins": ("while True: pass", "Timeout", "timed out after 1s"),
    "ignores_term": (
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(300)", "Timeout", "timed out after 1s",
    ),
    "catches_everything": (
        "while True:\n    try: time.sleep(300)\n    except BaseException: print('no')", "Timeout", "timed out after 1s",
    ),
    "swallows_the_end": (
        "try: time.sleep(300)\nexcept BaseException: return {'fine': True}", "Timeout", "timed out after 1s",
    ),
    "never_awakes": ("async def wait():\n    await asyncio.sleep(300)\nasyncio.run(wait())", "Timeout", "timed out after 1s"),
    "eats_memory": (
        "import resource\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * 4096\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 50_000_000, resource.RLIM_INFINITY))\n"
        "a = []\n"
        "while True: a.append(bytearray(1_000_000))",
        "MemoryError", "MemoryError",
    ),
    "wants_a_number": ("TAKES count: int", "BadCall", "parameter 'count': Input should be a valid integer"),
}  # fmt: skip

# Bodies that are odd, but do what they promise.
FINE: dict[str, str] = {
    "sibling": "time.sleep(0.1)\nreturn {'fine': True}",
    "prints_a_lot": "for _ in range(20): sys.stdout.write('x' * 999_999 + '\\n')",
    "closes_its_streams": "sys.stdout.close(); sys.stderr.close()",
    "closes_its_descriptors": "os.close(0); os.close(1); os.close(2)",
    "comes_back_twice": "os.fork()\nreturn {'pid': os.getpid()}",
    "fails_in_its_fork": "if os.fork() == 0: raise ValueError('in the child')\nos.wait()",
    "leaves_a_thread": "threading.Thread(target=time.sleep, args=(300,)).start()",
    "leaves_a_child": "subprocess.Popen(['sleep', '300'])",
    "leaves_a_daemon": (
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0: os.execvp('env', ['env', '-i', 'sleep', '300'])\n"
        "    os._exit(0)\n"
        "os.wait()"
    ),
    "leaves_a_stubborn_child": (
        "if os.fork() == 0:\n"
        "    os.setsid(); signal.signal(signal.SIGTERM, signal.SIG_IGN); open('stubborn', 'w').write('x')\n"
        "    while True: time.sleep(300)\n"
        "while not os.path.exists('stubborn'): time.sleep(0.01)"
    ),
    "ends_its_own_child": (
        "import multiprocessing\n"
        "child = multiprocessing.get_context('fork').Process(target=time.sleep, args=(300,))\n"
        "child.start(); child.terminate(); child.join()\n"
        "return {'code': child.exitcode}"
    ),
}


def source(name: str, body: str) -> str:
    takes = "ctx: TaskContext" if name == "ends_its_own_child" else ""
    if body.startswith("TAKES "):
        takes, body = body.removeprefix("TAKES "), "pass"
    lines = "\n".join("    " + line for line in body.splitlines())
    return f"@workflow({name!r})\ndef {name}({takes}):\n{lines}\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, Outcome]]:
    """One run of them all, side by side."""
    project = Project(tmp_path_factory.mktemp("bodies"))
    project.workflows("\n".join(source(name, what[0]) for name, what in BAD.items()) + "\n".join(
        source(name, body) for name, body in FINE.items()
    ))  # fmt: skip
    tasks: list[dict[str, Any]] = [{"id": name, "workflow_ref": name} for name in (*FINE, *BAD)]
    for task in tasks:
        if task["id"] == "wants_a_number":
            task["params"] = {"count": "many"}
        if task["id"] in BAD and BAD[task["id"]][1] == "Timeout":
            task["timeout"] = "1s"
    project.write(
        "dag.yaml", json.dumps({"name": "dag", "on_error": "continue", "max_parallel": 8, "tasks": tasks})
    )
    try:
        outcome = project.dagrun("run", "dag.yaml", "-o", "json", env={"DAGRUN_MAX_OUTPUT_BYTES": "1000000"})
        project.assert_clean()
        yield project, outcome
    finally:
        project.tidy()


@pytest.mark.parametrize("name", BAD)
def test_a_bad_body_fails_alone_and_says_why(run: tuple[Project, Outcome], name: str) -> None:
    project, outcome = run
    _, error_type, words = BAD[name]
    task = outcome.task(name)
    assert task["status"] == ("timed_out" if error_type == "Timeout" else "failed")
    assert words in task["error"]
    events = [event for event in project.events() if event.get("task_id") == name]
    assert [each["event"] for each in events] == ["task_start", "task_fail"]
    assert events[1]["error_type"] == error_type


@pytest.mark.parametrize("name", FINE)
def test_an_odd_body_that_does_its_work_succeeds(run: tuple[Project, Outcome], name: str) -> None:
    task = run[1].task(name)
    assert (task["status"], task["error"]) == ("success", None)


def test_the_report_says_what_failed(run: tuple[Project, Outcome]) -> None:
    project, outcome = run
    assert outcome.code == 1
    assert outcome.json["status"] == "partial"
    assert outcome.err.count("Error: RunnerError: Task ") == len(BAD)
    assert "Error: RunnerError: Task 'exits_hard' failed after 1 attempt: " in outcome.err
    assert outcome.task("ends_its_own_child")["outputs"] == {"code": -15}
    assert len((project.run_dir() / "logs/prints_a_lot.1.log").read_bytes()) == 20_000_000


def test_a_traceback_in_the_log_shows_the_users_lines_only(run: tuple[Project, Outcome]) -> None:
    log = run[0].log("raises")
    assert "raise ValueError('no such customer')" in log
    assert "src/dagrun" not in log
    assert "workflows.py" in run[0].log("segfaults")  # where the interpreter crashed


def test_what_a_body_changes_is_put_back_before_the_next_one(project: Project) -> None:
    project.workflows(
        """
        def surroundings():
            mask = os.umask(0); os.umask(mask)
            return {
                "pid": os.getpid(), "cwd": os.getcwd(), "umask": mask, "env": os.environ.get("LEFT"),
                "own": os.environ.get("OWN"), "handlers": [repr(signal.getsignal(s)) for s in (2, 10, 12)],
                "blocked": len(signal.pthread_sigmask(signal.SIG_BLOCK, ())), "depth": sys.getrecursionlimit(),
                "timer": signal.getitimer(signal.ITIMER_REAL),
            }

        @workflow("look")
        def look():
            print("from", os.environ["DAGRUN_TASK_ID"])
            return surroundings()

        @workflow("upset")
        def upset():
            before = surroundings()
            os.chdir("/"); os.umask(0o077); os.environ["LEFT"] = "behind"; del os.environ["HOME"]
            for signum in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM):
                signal.signal(signum, lambda *_: None)
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
            sys.setrecursionlimit(50_000)
            signal.alarm(300)
            sys.stdout = open(os.devnull, "w")
            return before
        """
    )
    project.write(
        "dag.yaml",
        """
        name: dag
        max_parallel: 1
        tasks:
          - {id: before, workflow_ref: look}
          - {id: upset, workflow_ref: upset, env: {OWN: "1"}}
          - {id: after, workflow_ref: look}
        """,
    )
    run = project.dagrun("run", "dag.yaml", "-o", "json")
    assert run.code == 0
    before, after = run.task("before")["outputs"], run.task("after")["outputs"]
    assert run.task("upset")["outputs"] == {**before, "own": "1"}
    assert after == before  # the same worker, too
    assert (after["cwd"], after["env"], after["own"], after["blocked"]) == (str(project.root), None, None, 0)
    assert project.log("after") == "from after\n"


def test_large_outputs_lie_in_a_file_and_reach_the_dependent(project: Project, tmp_path: Path) -> None:
    project.workflows(
        """
        @workflow("large")
        def large():
            return {"text": "\N{SNOWMAN}" * 30_000}

        @workflow("small")
        def small(large__text: str, script__text: str):
            return {"python": len(large__text), "script": len(script__text)}
        """
    )
    project.write(
        "dag.yaml",
        """
        name: dag
        tasks:
          - {id: large, workflow_ref: large}
          - {id: script, run: 'printf "text=%070000d" 7 > "$DAGRUN_OUTPUT"'}
          - {id: small, workflow_ref: small, depends_on: [large, script]}
          - {id: shell, run: 'wc -m < "$DAGRUN_PARAM_LARGE__TEXT_FILE"', depends_on: [large]}
        """,
    )
    run = project.dagrun("run", "dag.yaml", "-o", "json", env={"LC_ALL": "C.UTF-8"})
    assert run.code == 0, run.err
    assert run.task("small")["outputs"] == {"python": 30_000, "script": 70_000}
    assert project.log("shell").splitlines()[1:] == ["30000"]
    for task_id in ("large", "script"):
        end = next(e for e in project.events() if e["event"] == "task_ok" and e["task_id"] == task_id)
        assert "outputs" not in end
        data = (project.run_dir() / "outputs" / end["outputs_file"]["file"]).read_bytes()
        assert end["outputs_file"]["size"] == len(data) > 64 * 1024
        assert end["outputs_file"]["sha256"] == hashlib.sha256(data).hexdigest()


def test_a_body_that_takes_a_context_may_end_in_its_own_way(project: Project) -> None:
    project.workflows(
        """
        @workflow("polite")
        def polite(ctx: TaskContext):
            while not ctx.cancelled:
                time.sleep(0.01)
            print("putting things away")
            return {"half": "done"}

        @workflow("tidy")
        async def tidy():
            try:
                await asyncio.sleep(300)
            finally:
                print("tidied up")
        """
    )
    project.write(
        "dag.yaml",
        """
        name: dag
        on_error: continue
        tasks:
          - {id: polite, workflow_ref: polite, timeout: 5s}
          - {id: tidy, workflow_ref: tidy, timeout: 5s}
        """,
    )
    run = project.dagrun("run", "dag.yaml", "-o", "json", env={"DAGRUN_KILL_GRACE_MS": "100000"})
    assert [task["status"] for task in run.json["tasks"]] == ["timed_out", "timed_out"]
    assert project.log("polite") == "putting things away\n"
    assert "tidied up\n" in project.log("tidy")
