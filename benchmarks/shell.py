"""Shell tasks that run `true`: the cost of one more, and of the whole command."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks.measure import Row, Spread, beyond, turns
from benchmarks.workspace import NotDone, Workspace, chain, document

ACTION = "run: 'true'"


def shell(workspace: Workspace) -> Iterator[Row]:
    """Two and sixteen at once, compared with xargs; a chain, compared with a loop."""
    tasks = workspace.sized(1_000)
    many = workspace.write("wide.yaml", document(tasks, ACTION))
    for workers in (2, 16):
        yield from _rows(
            workspace,
            f"{tasks:,} shell tasks, {workers} at once",
            (1.5, f"`xargs -P {workers}` of `sh -c true`"),
            workspace.running(many, tasks, workers),
            _xargs(workspace, tasks, workers),
            _xargs(workspace, 1, workers),
        )
    tasks = workspace.sized(200)
    many = workspace.write("chain.yaml", document(tasks, ACTION, chain(tasks)))
    yield from _rows(
        workspace,
        f"{tasks:,} chained shell tasks",
        (1.8, "an `os.posix_spawn` loop of `sh -c true`"),
        workspace.running(many, tasks),
        workspace.other("spawn", tasks, does=tasks),
        workspace.other("spawn", 1, does=1),
    )


def _rows(
    workspace: Workspace,
    work: str,
    goal: tuple[float, str],
    dagrun: Callable[[], float],
    floor: Callable[[], float],
    floor_one: Callable[[], float],
) -> Iterator[Row]:
    one = workspace.write("one.yaml", document(1, ACTION))
    rounds = turns(workspace.runs, dagrun, floor, workspace.running(one, 1), floor_one)
    limit, against = goal
    yield Row(
        work=f"one more of {work}",
        goal=limit,
        against=against,
        measured=Spread.of(beyond(ours, one) / beyond(theirs, alone) for ours, theirs, one, alone in rounds),
    )
    yield Row(
        work=f"the whole command, {work}",
        against=against,
        measured=Spread.of(ours / theirs for ours, theirs, _, _ in rounds),
    )


def _xargs(workspace: Workspace, tasks: int, workers: int) -> Callable[[], float]:
    command = ["xargs", "-P", str(workers), "-I{}", "sh", "-c", "{}"]
    # `true` prints nothing; `echo` shows once that each line becomes one shell.
    seen = workspace.process(*command, stdin=workspace.write(f"echo.{tasks}", "echo\n" * tasks)).out
    if seen.count("\n") != tasks:
        raise NotDone(f"xargs ran {seen.count(chr(10))} of {tasks} shells")
    true = workspace.write(f"true.{tasks}", "true\n" * tasks)
    return lambda: workspace.process(*command, stdin=true).seconds
