"""The command that explains a task: why."""

from __future__ import annotations

from typing import Annotated

import typer

from dagrun.cli import output
from dagrun.cli.completion_candidates import complete_task
from dagrun.cli.options import Form, Output, Run


def why(
    run: Run,
    task: Annotated[
        str,
        typer.Argument(
            metavar="TASK", help="A task of the run, or a variant of one.", autocompletion=complete_task
        ),
    ],
    form: Output = Form.TEXT,
) -> int:
    """Explain why a task ran, failed, was skipped or waits.

    The explanation goes back to the first cause, and uses only what was recorded.

    Examples:
      dagrun why latest deploy
      dagrun why latest 'test[os=linux]'

    Exit codes:
      0  the task was found
      2  there is no such run or task
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
