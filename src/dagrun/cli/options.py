"""Options and arguments that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer

from dagrun.cli.completion_candidates import complete_dag, complete_run


class Form(StrEnum):
    """How a command prints its answer."""

    TEXT = "text"
    JSON = "json"


def at_least(least: int) -> Callable[[str], int]:
    """A parser for a whole number."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise typer.BadParameter(f"'{text}' is not a whole number of at least {least}")
        return min(number, 1_000_000_000)  # more of anything there is not

    return parse


Output = Annotated[
    Form, typer.Option("-o", "--output", help="Output format: `text` for people, `json` for scripts.")
]
Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="The id of a run, a unique prefix of it, or `latest`.",
        autocompletion=complete_run,
    ),
]
DagArgument = Annotated[
    str | None,
    typer.Argument(metavar="FILE", help="The DAG, by path or by name.", autocompletion=complete_dag),
]
DagOption = Annotated[
    str | None,
    typer.Option("--dag", metavar="FILE", help="The same as the argument FILE.", autocompletion=complete_dag),
]
Workflows = Annotated[
    list[str] | None,
    typer.Option(
        "--workflows",
        metavar="MODULE",
        help="A Python module, or a .py file, that registers workflows. Repeatable.  "
        "[default: the setting `workflows`, or $DAGRUN_WORKFLOWS]",
    ),
]


def setting_flags(workflows: list[str] | None) -> dict[str, list[str]]:
    """The settings that these options override. Files are relative to the current directory."""
    from pathlib import Path

    if not workflows:
        return {}
    return {
        "workflows": [
            str(Path(name).resolve()) if name.endswith(".py") and Path(name).exists() else name
            for name in workflows
        ]
    }
