"""Commands about runs that something happened to: cancel, resume, rerun."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from dagrun.cli import output
from dagrun.cli.completion import complete_run, complete_task
from dagrun.cli.documents import Workflows, flags
from dagrun.cli.output import Form, Output
from dagrun.cli.running import close

Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="A run's id, a unique prefix of it, or `latest`.", autocompletion=complete_run
    ),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress and no report; errors only.")]


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command()(cancel)
    app.command()(resume)
    app.command()(rerun)


def cancel(
    run: Run,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is recorded.")] = "",
    form: Output = Form.TEXT,
) -> int:
    """End a run, whoever drives it, and what it started."""
    from dagrun import settings, wiring
    from dagrun.running import login

    with wiring.service(settings.load()) as service:
        before = service.status(run)
        view = service.cancel(before.run_id, login(), reason)
    with output.enduring():
        if form is Form.JSON:
            output.print_json(view.to_json())
        elif before.finished_at is not None:
            print(f"Run {view.run_id} had ended already: {view.status}. Nothing was changed.")
        elif view.finished_at is None:
            print(f"Run {view.run_id} has been asked to end; it has not yet.")
        elif view.status != "cancelled":
            print(f"Run {view.run_id} ended by itself before it could be cancelled: {view.status}.")
        else:
            print(f"Run {view.run_id} is {view.status}.")
        sys.stdout.flush()
    output.report_lost()
    return 0 if view.finished_at is not None else 1


def resume(
    run: Run = "latest",
    use_current: Annotated[
        bool, typer.Option("--use-current", help="Run the document as it is now, not as it was recorded.")
    ] = False,
    workflows: Workflows = None,
    quiet: Quiet = False,
    form: Output = Form.TEXT,
) -> int:
    """Go on with a run: what ended well is kept, the rest runs."""
    from dagrun import settings, wiring
    from dagrun.cli.progress import progress

    with wiring.service(settings.load(flags=flags(workflows)), runs=True) as service:
        graph = service.graph_of(run)
        with output.enduring(), progress(graph, quiet=quiet or form is Form.JSON) as shown:
            ended = service.resume(run, use_current=use_current, shown=shown, notice=output.say)
        if ended is None:
            view = service.status(run)
            if form is Form.JSON:
                output.print_json(view.to_json())
            else:
                print(f"Run {view.run_id} ended well: nothing is left to resume.")
            return 0
    return close(ended, form, quiet=quiet)


def rerun(
    run: Run = "latest",
    start: Annotated[
        list[str] | None,
        typer.Option(
            "--from", metavar="TASK", help="This task and all below it.", autocompletion=complete_task
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="TASK", help="This task alone.", autocompletion=complete_task),
    ] = None,
    run_id: Annotated[str | None, typer.Option("--run-id", help="The new run's id.")] = None,
    workflows: Workflows = None,
    quiet: Quiet = False,
    form: Output = Form.TEXT,
) -> int:
    """Run again, with an earlier run's results.

    --from and --only say what runs; all else is taken over. Without them everything runs.
    """
    from dagrun import settings, wiring
    from dagrun.cli.progress import progress
    from dagrun.selection import Selection

    silent = quiet or form is Form.JSON
    with (
        wiring.service(settings.load(flags=flags(workflows)), runs=True) as service,
        output.enduring(),
        progress(service.graph_of(run), quiet=silent) as shown,
    ):
        ended = service.rerun(run, Selection(only=only or (), start=start or ()), run_id, shown)
    return close(ended, form, quiet=quiet)
