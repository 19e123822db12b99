"""A run with faults at random moments, which is resumed until it ends; and what must be true of it then."""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagrun.app.queued_runs import QueuedRuns
from dagrun.app.run_queries import RunQueries
from dagrun.clock import SteadyClock
from dagrun.errors import NotFoundError
from dagrun.storage.files import FileRuns
from tests.acceptance.harness import PATIENCE, Outcome, Project

LIVES = 40  # processes at most: on a busy machine a task may run out of time on each of its attempts

WORKFLOWS = """
    @workflow("works")
    def works(ctx: TaskContext, **params):
        fd = os.open("effects", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, f"{ctx.task_id} {ctx.attempt}\\n".encode())
        os.close(fd)
        for name, value in params.items():
            assert name == f"{value}__k", f"{name} is {value}"
        if ctx.task_id.endswith("5") and ctx.attempt % 2:
            raise RuntimeError("odd")
        time.sleep(0.05)
        return {"k": ctx.task_id}

    @workflow("quick")
    def quick(ctx: TaskContext, item):
        fd = os.open("effects", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, f"{ctx.task_id} {ctx.attempt}\\n".encode())
        os.close(fd)
        if item == 100 and ctx.attempt % 2:
            raise RuntimeError("odd")
        return {"k": item}

    @workflow("counts")
    def counts(ctx: TaskContext, q__k, m__k):
        fd = os.open("effects", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, f"{ctx.task_id} {ctx.attempt}\\n".encode())
        os.close(fd)
        assert q__k == {str(n): n for n in range(300)} and len(m__k) == 3, (q__k, m__k)
"""

QUICK = 300  # tiny bodies, one for each item of a list

#: Tasks that wait for a person, a time and a signal; and one that needs all of them.
WAITING = ("gate", "nap", "go")
#: Tasks that run another DAG.
CHILDREN = ("sub", "sub[n=1]", "sub[n=2]", "sub[n=3]")
TASKS = 40 + QUICK + 3 + 1 + len(WAITING) + 1 + 3

SCRIPT = """\
echo "$DAGRUN_TASK_ID $DAGRUN_ATTEMPT" >> effects
{checks}
case "$DAGRUN_TASK_ID$(( DAGRUN_ATTEMPT % 2 ))" in *81) sleep 300;; *31) exit 1;; esac
sleep 0.05
echo "k=$DAGRUN_TASK_ID" >> "$DAGRUN_OUTPUT"
"""


#: The DAG of the child runs: a chain beside a list, each of whose bodies leaves a trace with the id of its run.
CHILD = """
    name: child
    max_parallel: 2
    outputs: {k: "${{ tasks.c3.outputs.k }}"}
    defaults: {retries: 2, retry: {initial: 5ms, factor: 1}, timeout: 5s}
    tasks:
      - &task
        id: c1
        run: |
          echo "$DAGRUN_RUN_ID $DAGRUN_TASK_ID $DAGRUN_ATTEMPT" >> child_effects
          case "$DAGRUN_TASK_ID$(( DAGRUN_ATTEMPT % 2 ))" in c21) exit 1;; esac
          sleep 0.05
          echo "k=$DAGRUN_TASK_ID" >> "$DAGRUN_OUTPUT"
      - {<<: *task, id: c2, depends_on: [c1]}
      - {<<: *task, id: c3, depends_on: [c2]}
      - {<<: *task, id: each, for_each: [1, 2, 3]}
    hooks: {on_exit: {run: 'echo "$DAGRUN_RUN_ID $DAGRUN_HOOK $DAGRUN_ATTEMPT" >> hook_effects'}}
"""
CHILD_TASKS = 6

#: Hooks for every end, each of which leaves a trace.
HOOKS = {
    key: [
        {"run": 'echo "$DAGRUN_RUN_ID $DAGRUN_HOOK $DAGRUN_ATTEMPT" >> hook_effects; sleep 0.05'}
        for _ in range(count)
    ]
    for key, count in (("on_success", 2), ("on_failure", 1), ("on_cancel", 1), ("on_exit", 2))
}

WIDE = 150  # commands that may run at once, each with a large environment


def forty(*, wide: bool = False, secret: bool = False) -> str:
    """A DAG of 40 tasks, in turn workflows and scripts; each checks what it is given and leaves a trace of every attempt.

    Beside them tiny bodies, which workers begin from a queue, and a matrix; and one task that counts what those put out.
    One task waits for a person, one for a time, and then one for a signal.
    With `wide` also many commands that run at once; with `secret` every script reads a declared secret.
    """
    tasks: list[dict[str, Any]] = [
        {
            "id": "q",
            "for_each": list(range(QUICK)),
            "workflow_ref": "quick",
            "params": {"item": "${{ item }}"},
        },
        {"id": "m", "matrix": {"n": [1, 2, 3]}, "max_parallel": 2, "run": SCRIPT.format(checks="")},
        {"id": "sub", "matrix": {"n": [1, 2, 3]}, "dag": "child.yaml"},
        {"id": "counted", "depends_on": ["q", "m"], "workflow_ref": "counts"},
    ]
    if wide:
        script = SCRIPT.format(checks="").replace("exit 1", ":").replace("sleep 300", ":")
        many: dict[str, Any] = {"id": "w", "for_each": list(range(WIDE)), "run": script}
        tasks.append(many | {"env": {"PAD": "x" * 1_500}})
    for each in tasks:
        each.update(retries=2, timeout="60s" if each["id"] in ("w", "sub") else "5s")
    for number in range(40):
        needs = [f"t{n}" for n in (number - 7, number - 4) if n >= 0]
        task: dict[str, Any] = {"id": f"t{number}", "depends_on": needs, "retries": 2, "timeout": "5s"}
        if number % 10 == 8:
            task["timeout"] = "500ms"
        if number % 2:
            task["workflow_ref"] = "works"
        else:
            checks = [f'test "$DAGRUN_PARAM_{need.upper()}__K" = {need} || exit 9' for need in needs]
            task["run"] = SCRIPT.format(checks="\n".join(checks))
        tasks.append(task)
    check = 'test "$DAGRUN_PARAM_GATE__K$DAGRUN_PARAM_GO__K" = gatego || exit 9'
    tasks += [
        {
            "id": "gate",
            "depends_on": ["t1"],
            "approval": {"required_role": "Viewer", "inputs": {"k": "gate"}},
        },
        {"id": "nap", "wait": {"seconds": 0.3}},
        {"id": "go", "depends_on": ["nap"], "wait": {"signal": "go"}},
        {"id": "gated", "depends_on": ["gate", "go"], "retries": 2, "run": SCRIPT.format(checks=check)},
    ]
    dag: dict[str, Any] = {"name": "forty", "on_error": "continue", "tasks": tasks, "hooks": HOOKS}
    dag["max_parallel"] = WIDE if wide else 8
    for task in tasks:
        task["retry"] = {"initial": "5ms", "factor": 1}
        if secret and "run" in task:
            task.setdefault("env", {})["S"] = "${{ secrets.WORD }}"
            task["run"] = 'echo "$S"\n' + task["run"]
    if secret:
        dag["secrets"] = ["WORD"]
    return json.dumps(dag)


# --- faults -----------------------------------------------------------------------------------------------------


def kill(project: Project, process: subprocess.Popen[str]) -> None:
    """SIGKILL of dagrun."""
    process.kill()


def terminate(project: Project, process: subprocess.Popen[str]) -> None:
    """SIGTERM to dagrun."""
    process.terminate()


def cancel(project: Project, process: subprocess.Popen[str]) -> None:
    """`dagrun cancel` from another process."""
    outcome = project.dagrun("cancel", "it")
    assert outcome.code == 0 or "not found" in outcome.err, outcome


def kill_keeper(project: Project, process: subprocess.Popen[str]) -> None:
    """SIGKILL of the keeper."""
    send_signal(project, "dagrun-keeper", signal.SIGKILL)


def kill_both(project: Project, process: subprocess.Popen[str]) -> None:
    """SIGKILL of dagrun and of its keeper, at once: neither sees the other's end."""
    keepers = project.named("dagrun-keeper")
    for signum in (signal.SIGSTOP, signal.SIGKILL):
        process.send_signal(signum)
        for pid in keepers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signum)


def kill_worker(project: Project, process: subprocess.Popen[str]) -> None:
    """SIGKILL of a worker."""
    send_signal(project, "dagrun-w...", signal.SIGKILL)


def stop_worker(project: Project, process: subprocess.Popen[str]) -> None:
    """SIGSTOP of a worker."""
    send_signal(project, "dagrun-w...", signal.SIGSTOP)


def send_signal(project: Project, name: str, signum: int) -> None:
    for pid in project.named(name)[:1]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signum)


FAULT_KINDS: list[Callable[[Project, subprocess.Popen[str]], None]] = [
    kill, kill, terminate, cancel, kill_keeper, kill_both, kill_worker, stop_worker,
]  # fmt: skip


# --- what dagrun finds around it -----------------------------------------------------------------------------------

#: Secrets that look like dagrun's own words, or like parts of what it records.
WORDS = [
    "success",
    "task_ok",
    "task_start",
    "dag_done",
    "2026",
    "null",
    "true",
    "local-dev",
    "forty",
    "shell",
    "0.05",
    "events",
]


@dataclass
class Surroundings:
    """What one round draws besides its faults."""

    wide: bool
    secret: str
    streams: str
    #: The largest size in bytes of a file of the first process, as on a disk that is full; None: no limit.
    most_bytes: int | None

    @classmethod
    def drawn(cls, chance: random.Random) -> Surroundings:
        return cls(
            wide=chance.random() < 0.3,
            secret=chance.choice(WORDS) if chance.random() < 0.4 else "",
            streams=chance.choice(["read", "read", "closed", "full", "broken", "no stderr"]),
            most_bytes=chance.randint(10_000, 150_000) if chance.random() < 0.25 else None,
        )

    def __str__(self) -> str:
        parts = [f"streams {self.streams}"]
        if self.wide:
            parts.append("wide")
        if self.secret:
            parts.append(f"secret {self.secret}")
        if self.most_bytes is not None:
            parts.append(f"files of {self.most_bytes} bytes")
        return ", ".join(parts)

    def start(self, project: Project, *words: str) -> subprocess.Popen[str]:
        """Start dagrun like this; what is full is full for the first process only."""
        limit, self.most_bytes = self.most_bytes, None

        def before() -> None:
            if self.streams == "closed":
                os.close(1)
            if self.streams == "no stderr":
                os.close(2)
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        more: dict[str, Any] = {"preexec_fn": before}
        env = {"WORD": self.secret} if self.secret else None
        if self.streams == "full":
            with open("/dev/full", "w") as full:
                return project.start(*words, env=env, stdout=full, stderr=full, **more)
        if self.streams == "broken":
            reader, writer = os.pipe()
            os.close(reader)
            try:
                return project.start(*words, env=env, stdout=writer, **more)
            finally:
                os.close(writer)
        return project.start(*words, env=env, **more)


# --- a round -----------------------------------------------------------------------------------------------------


class Reader:
    """Reads the run all the time; `problem` says what went wrong in that."""

    def __init__(self, project: Project, torn: int) -> None:
        logs = project.root / "logs"
        self.torn = torn
        runs = FileRuns(logs / "runs", logs / "orchestrator_events.jsonl")
        self.history = RunQueries(runs, SteadyClock(), QueuedRuns(runs, logs / "schedules"))
        self.looks = 0
        self.problem = ""
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._read)

    def _read(self) -> None:
        while not self._done.wait(0.02):
            try:
                with contextlib.suppress(NotFoundError):  # not begun yet
                    view = self.history.status("it")
                    assert view.corrupt <= self.torn, "corrupt lines"
                    tail = self.history.events("it")
                    tail.last(1000)
                    assert tail.corrupt <= self.torn, "corrupt events"
                    tail.close()
                    self.looks += 1
            except Exception as error:
                self.problem = f"a reader failed: {type(error).__name__}: {error}"

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def one_round(root: Path, seed: int) -> str:
    """One run with one or two faults; what is wrong with it, or nothing."""
    chance = random.Random(seed)
    project = Project(root)
    faults = [chance.choice(FAULT_KINDS)] + [kill] * (chance.random() < 0.4)
    around = Surroundings.drawn(chance)
    torn = sum(fault in (kill, kill_both) for fault in faults) + (around.most_bytes is not None)
    title = f"seed {seed} ({', '.join(each.__name__ for each in faults)}; {around})"
    tasks = TASKS + around.wide * WIDE
    try:
        project.workflows(WORKFLOWS)
        project.write("child.yaml", CHILD)
        project.write("dag.yaml", forty(wide=around.wide, secret=bool(around.secret)))
        with Reader(project, torn) as reader:
            problem = survive(project, faults, around, chance)
        problem = problem or reader.problem or wrong_with(project, tasks, torn=torn)
        return f"{title}: {problem}" if problem else ""
    except Exception as error:
        return f"{title}: {type(error).__name__}: {error}"
    finally:
        project.tidy()


def survive(
    project: Project,
    faults: list[Callable[[Project, subprocess.Popen[str]], None]],
    around: Surroundings,
    chance: random.Random,
) -> str:
    """Begin the run, cause the faults, resume until it has succeeded; what went wrong, or nothing."""
    for _ in range(LIVES):
        words = next_words(project)
        process = around.start(project, *words)
        if faults:
            if chance.random() < 0.7:  # else count from the process's own start
                wait_for_effects(project, process)
            time.sleep(chance.uniform(0, 0.6))
            faults.pop(0)(project, process)
        try:
            outcome = project.finish(process)
        except subprocess.TimeoutExpired:
            return f"{words[0]} hangs: {project.processes()}"
        if outcome.code == 0 and left_behind(project):
            return left_behind(project)
        if outcome.code == 0 and has_succeeded(
            project
        ):  # it may have paused, and been cancelled right after that
            return ""
        if outcome.code not in (0, 1, -9, 143, -15) and not unread(outcome, around):
            return f"{words[0]} ended with {outcome}"
    return f"it does not end; the last {words[0]}: {outcome}"


def next_words(project: Project) -> list[str]:
    """The command that continues the run: what a person types who looks at it."""
    if not (project.root / "logs/runs/it/dag.json").exists():
        return ["run", "dag.yaml", "--run-id", "it", "-q"]
    view = project.dagrun("status", "it", "-o", "json").json
    if view["status"] == "waiting":
        for task in view["tasks"]:
            if task["reason"] == "WaitingForApproval":
                return ["approve", "it", task["id"], "-q"]
            if task["reason"] == "WaitingForSignal":
                return ["signal", "it", "go", "--set", "k=go", "-q"]
    return ["resume", "it", "-q"]


def has_succeeded(project: Project) -> bool:
    """Whether the last event is the end of a run that succeeded."""
    *_, last = lines_of(project.root / "logs/runs/it/events.jsonl", torn=9)
    return bool(last["event"] == "dag_done" and last["status"] == "success")


def unread(outcome: Outcome, around: Surroundings) -> bool:
    """Whether the worker was killed, or stopped, while it imported workflows: nothing has begun, and the file is reported.

    What is reported is lost where stderr is full or closed.
    """
    is_lost = around.streams in ("full", "no stderr") and not outcome.err
    return outcome.code == 2 and (is_lost or outcome.err.startswith("Error: cannot read workflows from"))


def wait_for_effects(project: Project, process: subprocess.Popen[str]) -> None:
    wait_until(lambda: (project.root / "effects").exists() or process.poll() is not None)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.005)


def left_behind(project: Project) -> str:
    wait_until(lambda: not project.processes())
    left = project.processes()
    return f"left behind: {left}" if left else ""


def lines_of(path: Path, torn: int = 0) -> Iterator[dict[str, Any]]:
    """Every line; of those that a kill has torn, in the middle of a large write, at most so many.

    Each is the last line of its process: a resume follows it.
    """
    data = path.read_bytes()
    assert data.endswith(b"\n"), f"the last line of {path} is torn"
    was_torn = False
    for line in data.split(b"\n")[:-1]:
        try:
            event: dict[str, Any] = json.loads(line)
        except ValueError:
            torn, was_torn = torn - 1, True
            assert torn >= 0, f"a line that no kill has torn: {line[:80]!r}"
            continue
        # A resume follows it, or a cancel by another process.
        follows = event["event"] in (
            "dag_resume", "cancel_requested", "approval_granted", "signal_received", "task_cancel", "hooks_start",
            "hook_start", "hook_end", "dag_done",
        )  # fmt: skip
        assert not was_torn or follows, f"torn before {event}"
        was_torn = False
        yield event


def wrong_with(
    project: Project, tasks: int = TASKS, lives: int = 3, torn: int = 0, child_tasks: int = CHILD_TASKS
) -> str:
    """What is wrong with a run that suffered faults and succeeded: lost, repeated or unrecorded work."""
    events = list(lines_of(project.root / "logs/runs/it/events.jsonl", torn))
    list(lines_of(project.root / "logs/orchestrator_events.jsonl", torn))
    names = [event["event"] for event in events]
    last = max(i for i, name in enumerate(names) if name in ("dag_start", "dag_resume"))
    if names[last:].count("dag_done") != 1 or names.count("dag_start") != 1:
        return f"{names[last:].count('dag_done')} ends after the last beginning"
    if events[names.index("dag_done", last)]["status"] != "success":
        return "it did not end well"
    ended = [event for event in events if event["event"] == "task_ok"]
    good = [(event["task_id"], event["attempt"]) for event in ended if "summary" not in event]
    if repeated := Counter(event["task_id"] for event in ended) - Counter(
        {event["task_id"] for event in ended}
    ):
        return f"successes that are recorded twice: {repeated}"
    if sorted(Counter(task for task, _ in good).values()) != [1] * tasks:
        return f"successes are lost or repeated: {Counter(task for task, _ in good)}"
    begun = {(event["task_id"], event["attempt"]) for event in events if event["event"] == "task_start"}
    effects = Counter(
        (line.split()[0], int(line.split()[1]))
        for line in (project.root / "effects").read_text().splitlines()
    )
    # A prefetched body may have ended before dagrun received that: then it runs once more after the resume.
    most = {attempt: lives if attempt[0].startswith("q[") else 1 for attempt in effects}
    if again := [attempt for attempt, count in effects.items() if count > most[attempt]]:
        return f"attempts that ran twice: {again}"
    if unknown := set(effects) - begun:
        return f"attempts that ran and are not on record: {unknown}"
    if after := [(task, number) for task, number in effects if number > dict(good)[task]]:
        return f"tasks that ran after their success: {after}"
    if lost := {each for each in good if each[0] not in (*WAITING, *CHILDREN)} - set(effects):
        return f"successes that never ran: {lost}"
    return wrong_with_hooks(project, events, torn) or wrong_with_children(
        project, events, dict(good), torn, child_tasks
    )


def wrong_with_hooks(project: Project, events: list[dict[str, Any]], torn: int) -> str:
    """What is wrong with the hooks: each attempt ran once, and those of the last end all ran, unless they were cancelled."""
    path = project.root / "hook_effects"
    effects = Counter(tuple(line.split()) for line in path.read_text().splitlines()) if path.exists() else {}
    if again := [each for each, count in effects.items() if count > 1]:
        return f"attempts of hooks that ran twice: {again}"
    begun: set[tuple[str, ...]] = set()
    for journal in (project.root / "logs/runs").glob("*/events.jsonl"):
        found = lines_of(journal, torn)
        starts = [each for each in found if each["event"] == "hook_start"]
        begun |= {(each["run_id"], each["hook"], str(each["attempt"])) for each in starts}
    if unknown := set(effects) - begun:
        return f"attempts of hooks that ran and are not on record: {unknown}"
    names = [event["event"] for event in events]
    last = max(i for i, name in enumerate(names) if name == "hooks_start")
    due, after = events[last]["hooks"], events[last:]
    ended = [each["hook"] for each in after if each["event"] == "hook_end"]
    if ended != (due[: len(ended)] if "cancel_requested" in names[last:] else due):
        return f"of the hooks {due} these ended: {ended}"
    ran = [each["hook"] for each in after if each["event"] == "hook_end" and each["status"] == "success"]
    if lost := {hook for hook in ran if not any(each[1] == hook for each in effects)}:
        return f"hooks that never ran: {lost}"
    return ""


def wrong_with_children(
    project: Project, events: list[dict[str, Any]], good: dict[str, int], torn: int, tasks: int
) -> str:
    """What is wrong with the child runs: in each of them nothing is lost, repeated or unrecorded either."""
    path = project.root / "child_effects"
    effects = Counter(tuple(line.split()) for line in path.read_text().splitlines()) if path.exists() else {}
    if again := [each for each, count in effects.items() if count > 1]:
        return f"attempts of child runs that ran twice: {again}"
    begun: set[tuple[str, ...]] = set()
    opened = {each["child_run_id"]: each for each in events if "child_run_id" in each}
    for run_id, opening in opened.items():
        journal = project.root / f"logs/runs/{run_id}/events.jsonl"
        found = list(lines_of(journal, torn)) if journal.exists() else []
        ends = [each for each in found if each["event"] == "task_ok" and "summary" not in each]
        if repeated := [
            task for task, count in Counter(each["task_id"] for each in ends).items() if count > 1
        ]:
            return f"successes of child run {run_id} that are recorded twice: {repeated}"
        begun |= {
            (run_id, each["task_id"], str(each["attempt"])) for each in found if each["event"] == "task_start"
        }
        is_last = good.get(opening["task_id"]) == opening["attempt"]
        if is_last and (len(ends) != tasks or found[-1].get("status") != "success"):
            return f"child run {run_id} did not end well"
    if unknown := set(effects) - begun:
        return f"attempts of child runs that ran and are not on record: {unknown}"
    return ""


def rounds(where: Path, seed: int, count: int, at_once: int = 3) -> list[str]:
    """The problems of so many rounds."""
    with ThreadPoolExecutor(at_once) as pool:
        found = pool.map(lambda n: one_round(where / str(n), seed + n), range(count))
        return [problem for problem in found if problem]


# --- stopped at every write -----------------------------------------------------------------------------------------

FAULTS = """
import os, signal

_point, _mode = os.environ.get("FAULT", "0:").split(":")
_left, _me, _counts = int(_point), os.getpid(), {"fsync": 0, "write": 0}
_write, _replace, _fsync = os.write, os.replace, os.fsync


def _ours(fd):
    try:
        return os.getpid() == _me and os.readlink(f"/proc/self/fd/{fd}").endswith((".jsonl", "lock"))
    except OSError:
        return False


def _faults():
    global _left
    _left -= 1
    return not _left


def _die():
    os.kill(_me, signal.SIGKILL)


def write(fd, data):
    if not _ours(fd):
        return _write(fd, data)
    _counts["write"] += 1
    if not _faults():
        return _write(fd, data)
    if _mode == "half":
        _write(fd, data[: len(data) // 2])
    if _mode == "after":
        _write(fd, data)
    _die()


def replace(old, new, **more):
    failing = os.getpid() == _me and str(new).endswith("dag.json") and _faults()
    if failing and _mode != "after":
        _die()
    _replace(old, new, **more)
    if failing:
        _die()


def fsync(fd):
    if _ours(fd):
        _counts["fsync"] += 1
        with open(os.environ["FSYNCS"], "w") as file:
            file.write(f"{_counts['fsync']} {_counts['write']}")
    return _fsync(fd)


if _left:
    os.write, os.replace = write, replace
if "FSYNCS" in os.environ:
    os.write, os.fsync = write, fsync
"""

SMALL = """\
name: small
on_error: continue
tasks:
  - {id: t0, run: 'echo "t0 $DAGRUN_ATTEMPT" >> effects; echo k=t0 > $DAGRUN_OUTPUT'}
  - {id: t1, run: 'echo "t1 $DAGRUN_ATTEMPT" >> effects; test $(( DAGRUN_ATTEMPT % 2 )) = 0', retries: 1, retry: {initial: 1ms}}
  - {id: t2, run: 'echo "t2 $DAGRUN_ATTEMPT" >> effects; test "$DAGRUN_PARAM_T0__K" = t0', depends_on: [t0, t1]}
  - {id: nap, wait: {seconds: 0.02}}
  - {id: sub, dag: child.yaml, depends_on: [nap]}
hooks:
  on_success: {run: 'echo "$DAGRUN_RUN_ID $DAGRUN_HOOK $DAGRUN_ATTEMPT" >> hook_effects'}
  on_exit: {run: 'echo "$DAGRUN_RUN_ID $DAGRUN_HOOK $DAGRUN_ATTEMPT" >> hook_effects'}
"""

SMALL_CHILD = """\
name: child
tasks: [{id: c1, run: 'echo "$DAGRUN_RUN_ID c1 $DAGRUN_ATTEMPT" >> child_effects'}]
"""


def stopped_at(root: Path, point: int, mode: str, *, resuming: bool = False) -> str:
    """Stop dagrun at its write number `point`, or the first resume at its; resume. What is wrong, `past` past the last."""
    project = Project(root)
    try:
        project.write("faults/sitecustomize.py", FAULTS)
        project.write("dag.yaml", SMALL)
        project.write("child.yaml", SMALL_CHILD)
        path = f"{root / 'faults'}:{os.environ.get('PYTHONPATH', '')}"
        fault = {"PYTHONPATH": path, "FAULT": f"{point}:{mode}"}
        run = ["run", "dag.yaml", "--run-id", "it", "-q"]
        if resuming:
            project.dagrun(*run, env={**fault, "FAULT": "4:after"})
            words = ["resume", "it", "-q"]
        else:
            words = run
        outcome = project.dagrun(*words, env=fault)
        if outcome.code == 0:
            return "past"
        if outcome.code != -signal.SIGKILL:
            return f"it ended with {outcome}"
        resumed = project.dagrun("resume", "it", "-q")
        if resumed.code == 2 and "not found" in resumed.err:  # it had not begun: its id is free
            resumed = project.dagrun(*run)
        if resumed.code != 0:
            return f"resume: {resumed}"
        heal(project)
        return left_behind(project) or wrong_with(project, tasks=5, child_tasks=1)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        project.tidy()


def heal(project: Project) -> None:
    """Take out the torn lines that this loop makes on purpose, and see that readers take no harm from them."""
    logs = project.root / "logs"
    for path in (*logs.glob("runs/*/events.jsonl"), logs / "orchestrator_events.jsonl"):
        whole = []
        for line in path.read_bytes().split(b"\n"):
            with contextlib.suppress(ValueError):
                json.loads(line)
                whole.append(line)
        if whole:
            path.write_bytes(b"\n".join(whole) + b"\n")
        else:  # of a child run that has not begun
            path.unlink()


def every_write(
    where: Path, modes: Callable[[int], list[str]], *, resuming: bool = False
) -> tuple[int, list[str]]:
    """Stop at every write; how many there were, and the problems."""
    problems: list[str] = []
    point, past = 0, False
    with ThreadPoolExecutor(3) as pool:
        while not past:
            points = range(point + 1, point + 7)
            point += 6
            asked = [(each, mode) for each in points for mode in modes(each)]
            found = pool.map(
                lambda one: (one, stopped_at(where / f"{one[0]}{one[1]}", *one, resuming=resuming)), asked
            )
            for (each, mode), problem in found:
                past = past or problem == "past"
                if problem not in ("", "past"):
                    problems.append(f"write {each}, {mode}: {problem}")
    return point, problems
