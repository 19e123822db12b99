"""The command that looks back: why."""

from __future__ import annotations

from typing import Annotated

import typer

from dagrun.cli import output
from dagrun.cli.history import Run
from dagrun.cli.output import Form, Output
from dagrun.cli.shell_completion import complete_task


def register(app: typer.Typer) -> None:
    """Add this group's command."""
    app.command()(why)


def why(
    run: Run,
    task: Annotated[
        str, typer.Argument(metavar="TASK", help="One of the run's tasks.", autocompletion=complete_task)
    ],
    form: Output = Form.TEXT,
) -> int:
    """Tell why a task ran, failed, was skipped or waits.

    From the recorded facts, back to the first cause.
    """
    from dagrun import settings
    from dagrun.app import wiring

    with wiring.service(settings.load()) as service:
        answer, now = service.why(run, task), service.clock.now()
    if form is Form.JSON:
        output.print_json(answer.to_json())
    else:
        print(answer.to_text(now))
    return 0
