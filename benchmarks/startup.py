"""Start-up: the time of short commands, in multiples of the start of Python itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

from benchmarks.measure import Row, Spread, turns
from benchmarks.workspace import Workspace, document

Contestant = Callable[[], float]


def startup(workspace: Workspace) -> Iterator[Row]:
    """The short commands, each with its goal."""
    shell = document(3, "run: 'true'")
    known = workspace.write("shell.yaml", shell)
    calls = workspace.write("calls.yaml", document(3, "workflow_ref: noop"))
    one = workspace.write("one.yaml", document(1, "workflow_ref: noop"))
    alone = document(1, "run: 'true'")
    known_alone = workspace.write("alone.yaml", alone)
    workspace.run(known, 3)  # the latest run, for the commands that show one
    numbers = count()

    def command(*arguments: str) -> Contestant:
        return lambda: workspace.dagrun(*arguments).seconds

    def new(text: str) -> str:
        """A document that no command has read before."""
        number = next(numbers)
        return workspace.write(f"new.{number}.yaml", f"# {number}\n{text}")

    commands: list[tuple[str, float, Contestant]] = [
        ("`--version`", 2.5, command("--version")),
        ("`--help`", 6, command("--help")),
        ("`status` of a run of 3 tasks", 10, command("status", "latest")),
        ("`runs`", 10, command("runs")),
        ("`logs` of a run of 3 tasks", 10, command("logs", "latest")),
        ("`validate`, 3 shell tasks", 14, lambda: workspace.dagrun("validate", new(shell)).seconds),
        ("`validate`, 3 shell tasks, checked before", 9, command("validate", known)),
        ("`validate`, 3 workflow tasks", 17, command("validate", calls)),
        ("`run`, one shell task", 18, lambda: workspace.run(new(alone), 1).seconds),
        ("`run`, one shell task, checked before", 12, workspace.running(known_alone, 1)),
        ("`run`, one no-op workflow task", 25, workspace.running(one, 1)),
    ]
    # Short, so noisy: more rounds than the others.
    rounds = turns(
        3 * workspace.runs,
        lambda: workspace.python("-c", "pass").seconds,
        *(contestant for _, _, contestant in commands),
        lambda: workspace.python("-c", "import typer").seconds,
    )
    for i, (work, goal, _) in enumerate(commands, 1):
        yield Row(
            work=work,
            goal=goal,
            against="`python -c pass`",
            measured=Spread.of(took[i] / took[0] for took in rounds),
        )
    yield Row(
        work="`python -c 'import typer'`, for comparison",
        against="`python -c pass`",
        measured=Spread.of(took[-1] / took[0] for took in rounds),
    )
