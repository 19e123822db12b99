"""Start-up: the time of short commands, in multiples of the start of Python itself."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure import Row, Spread, turns
from benchmarks.workspace import Workspace, document


def startup(workspace: Workspace) -> Iterator[Row]:
    """The short commands, each with its goal."""
    shell = workspace.write("shell.yaml", document(3, "run: 'true'"))
    calls = workspace.write("calls.yaml", document(3, "workflow_ref: noop"))
    one = workspace.write("one.yaml", document(1, "workflow_ref: noop"))
    commands = [
        ("`--version`", 2.5, ["--version"]),
        ("`--help`", 6, ["--help"]),
        ("`dagrun validate`, 3 shell tasks", 17, ["validate", shell]),
        ("`dagrun validate`, 3 workflow tasks", 17, ["validate", calls]),
        ("`dagrun run`, one no-op", 25, None),
    ]

    def contestant(arguments: list[str] | None) -> float:
        return (workspace.run(one, 1) if arguments is None else workspace.dagrun(*arguments)).seconds

    # Short, so noisy: more rounds than the others.
    rounds = turns(
        3 * workspace.runs,
        lambda: workspace.python("-c", "pass").seconds,
        *(lambda arguments=arguments: contestant(arguments) for _, _, arguments in commands),
    )
    for i, (work, goal, _) in enumerate(commands, 1):
        yield Row(
            work=work,
            goal=goal,
            against="`python -c pass`",
            measured=Spread.of(took[i] / took[0] for took in rounds),
        )
