"""Large inputs: the time of one unit, compared with a tenth of the units; and the memory that a unit takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from benchmarks.measure import Row, Spread, beyond
from benchmarks.scale import scale
from benchmarks.workspace import NotDone, Timing, Workspace
from dagrun.core.events import DagDone, DagStart, TaskOk, TaskStart
from dagrun.core.model import Dag, Task
from dagrun.kinds.noop import NoAction
from dagrun.storage.files import FileRuns

KB = 1_000
MINUTE = "2031-05-05T12:00"  # at which nothing in `_schedules` is due
#: Turns a number of units into a contestant, which is then timed.
Command = Callable[[int], Callable[[], Timing]]


def growth(workspace: Workspace) -> Iterator[Row]:
    """Tasks, the items of a list, the bytes of a journal, schedules."""
    yield from scale(workspace)
    items = workspace.sized(100_000)
    yield from _compared(workspace, items, "items of one `for_each`, no-op workflow tasks", _list(workspace))
    megabytes = workspace.sized(1_000)
    for work, command in _journals(workspace):
        yield from _compared(workspace, megabytes, f"MB of a journal, {work}", command)
    schedules = workspace.sized(10_000)
    for work, command in _schedules(workspace):
        yield from _compared(workspace, schedules, f"schedules, {work}", command)


def _compared(workspace: Workspace, units: int, work: str, command: Command) -> Iterator[Row]:
    """Two rows about `units` of something, compared with a tenth of them and with one."""
    tenth = max(2, units // 10)
    contestants = [command(size) for size in (1, tenth, units)]
    rounds = [tuple(turn() for turn in contestants) for _ in range(max(1, workspace.runs // 5))]
    yield Row(
        work=f"time of each of {units:,} {work}",
        goal=2,
        against=f"that of {tenth:,}",
        measured=Spread.of(
            (beyond(large.seconds, one.seconds) / units) / (beyond(small.seconds, one.seconds) / tenth)
            for one, small, large in rounds
        ),
    )
    yield Row(
        work=f"the same: time of each of {units:,}",
        unit=" ms",
        measured=Spread.of(1000 * beyond(large.seconds, one.seconds) / units for one, _, large in rounds),
    )
    yield Row(
        work=f"the same: memory of each of {units:,}",
        unit=" KB",
        measured=Spread.of((large.peak - one.peak) / units / KB for one, _, large in rounds),
    )


def _list(workspace: Workspace) -> Command:
    """A run of a task for each item of a list. The list is a parameter: as an output of a dependency, each task would get all of it."""

    def run(items: int) -> Callable[[], Timing]:
        text = (
            f"params: {{numbers: {list(range(items))}}}\ntasks:\n  - id: each\n    workflow_ref: noop\n"
            "    for_each: ${{ params.numbers }}\n"
        )
        name = workspace.write(f"each.{items}.yaml", text)
        return lambda: workspace.run(name, items + 1)  # and the end of the group

    return run


def _journals(workspace: Workspace) -> Iterator[tuple[str, Command]]:
    """Commands that read a run whose outputs, just small enough to stay in the journal, make it large."""

    def reading(*command: str) -> Command:
        def read(megabytes: int) -> Callable[[], Timing]:
            name = _journal(workspace, megabytes)
            return lambda: workspace.dagrun(*(name if word == "RUN" else word for word in command))

        return read

    yield "`status`", reading("status", "RUN")
    yield "the last 20 events", reading("events", "--run", "RUN", "--limit", "20")
    yield "`runs`", reading("runs")


def _journal(workspace: Workspace, megabytes: int) -> str:
    """A run with a journal of this size; each task has an output of 50 KB."""
    name = f"journal-{megabytes}"
    store = FileRuns(workspace.root / "logs/runs", workspace.root / "journals.jsonl")
    if store.has(name):
        return name
    tasks, now, text = megabytes * 20, time.time(), "x" * 49_600
    dag = Dag(name=name, tasks=tuple(Task(id=f"t{i}", action=NoAction()) for i in range(tasks)))
    run = store.create(dag, now, name)
    run.append(
        DagStart(
            timestamp=now, task_count=tasks, dag_path="", dag_hash=run.dag_hash, params={}, trigger="manual"
        )
    )
    for i in range(tasks):
        run.append(TaskStart(timestamp=now, task_id=f"t{i}", attempt=1, kind="noop"))
        run.append(
            TaskOk(timestamp=now, task_id=f"t{i}", attempt=1, duration_seconds=0.1, outputs={"text": text})
        )
        run.flush()
    run.append(
        DagDone(
            timestamp=now + 1, status="success", reason="Completed", tasks_succeeded=tasks, tasks_failed=0,
            tasks_skipped=0, tasks_cancelled=0, duration_seconds=1.0,
        )
    )  # fmt: skip
    run.close()
    return name


def _schedules(workspace: Workspace) -> Iterator[tuple[str, Command]]:
    """Commands over the schedules of one file."""
    workspace.write("scheduled.yaml", "tasks:\n  - id: t\n    run: 'true'\n")

    def over(*command: str, proof: str = "") -> Command:
        def show(schedules: int) -> Callable[[], Timing]:
            directory = workspace.root / f"schedules.{schedules}"
            directory.mkdir(exist_ok=True)
            lines = (
                f"- {{id: s{i}, cron: '{i % 60} {i // 60 % 12} * * *', dag: scheduled.yaml}}\n"
                for i in range(schedules)
            )
            (directory / "all.yaml").write_text("".join(lines))

            def turn() -> Timing:
                took = workspace.dagrun(*command, "--dir", directory.name)
                if proof and took.out.count(proof) < schedules:
                    raise NotDone(f"{' '.join(command)} showed fewer than {schedules} schedules")
                return took

            return turn

        return show

    yield "`schedules`", over("schedules", proof="scheduled")
    yield "one tick of the scheduler with nothing due", over("scheduler", "--once", "--at", MINUTE)
