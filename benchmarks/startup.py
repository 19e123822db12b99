"""Start-up: how long short commands take, in times that Python itself needs to start."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure import Row, Spread, turns
from benchmarks.place import Place, document


def startup(place: Place) -> Iterator[Row]:
    """The goal stands beside each command."""
    shell = place.write("shell.yaml", document(3, "run: 'true'"))
    calls = place.write("calls.yaml", document(3, "workflow_ref: noop"))
    one = place.write("one.yaml", document(1, "workflow_ref: noop"))
    commands = [
        ("`--version`", 2.5, ["--version"]),
        ("`--help`", 6, ["--help"]),
        ("`dagrun validate`, 3 shell tasks", 17, ["validate", shell]),
        ("`dagrun validate`, 3 workflow tasks", 17, ["validate", calls]),
        ("`dagrun run`, one no-op", 25, None),
    ]

    def contestant(arguments: list[str] | None) -> float:
        return (place.run(one, 1) if arguments is None else place.dagrun(*arguments)).seconds

    # Short, so noisy: they have more turns than the rest.
    rounds = turns(
        3 * place.runs,
        lambda: place.python("-c", "pass").seconds,
        *(lambda arguments=arguments: contestant(arguments) for _, _, arguments in commands),
    )
    for i, (work, goal, _) in enumerate(commands, 1):
        yield Row(
            work=work,
            goal=goal,
            against="`python -c pass`",
            measured=Spread.of(took[i] / took[0] for took in rounds),
        )
