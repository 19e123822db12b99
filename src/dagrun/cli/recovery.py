"""Commands about runs that something happened to: cancel, resume, rerun."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dagrun.cli import output
from dagrun.cli.documents import Workflows, flags
from dagrun.cli.output import Form, Output
from dagrun.cli.running import close
from dagrun.cli.shell_completion import complete_run, complete_task

if TYPE_CHECKING:
    from dagrun.core.work import Json

Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="A run's id, a unique prefix of it, or `latest`.", autocompletion=complete_run
    ),
]
Param = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="NAME=VALUE", help="Set a parameter anew; repeatable."),
]
ParamsFile = Annotated[
    Path | None, typer.Option("--params-file", help="A YAML mapping of parameters to set anew.")
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
    from dagrun import settings
    from dagrun.app import wiring
    from dagrun.runtime.driver import login

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
    param: Param = None,
    params_file: ParamsFile = None,
    workflows: Workflows = None,
    quiet: Quiet = False,
    fire: Annotated[
        Path | None, typer.Option("--fire", hidden=True, help="What a scheduler keeps of the run.")
    ] = None,
    form: Output = Form.TEXT,
) -> int:
    """Go on with a run: what ended well is kept, the rest runs.

    A value that held a secret is not recorded: give it again.
    """
    from dagrun import settings
    from dagrun.app import wiring
    from dagrun.app.documents import Given
    from dagrun.cli.progress import progress

    given = Given(params=param or (), params_file=params_file, kept=_kept(fire))

    with wiring.service(settings.load(flags=flags(workflows)), runs=True) as service:
        graph = service.graph_of(run)
        with output.enduring(), progress(graph, quiet=quiet or form is Form.JSON) as shown:
            ended = service.resume(run, use_current=use_current, given=given, shown=shown, notice=output.say)
        if ended is None:
            view = service.status(run)
            if form is Form.JSON:
                output.print_json(view.to_json())
            else:
                print(f"Run {view.run_id} ended well: nothing is left to resume.")
            return 0
    return close(ended, form, quiet=quiet)


def _kept(fire: Path | None) -> Mapping[str, Json]:
    """The values of parameters that a scheduler has kept."""
    if fire is None:
        return {}
    from dagrun.scheduling.open_runs import OpenRun

    run = OpenRun.read(fire)
    return {} if run is None else run.params


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
    param: Param = None,
    params_file: ParamsFile = None,
    run_id: Annotated[str | None, typer.Option("--run-id", help="The new run's id.")] = None,
    workflows: Workflows = None,
    quiet: Quiet = False,
    form: Output = Form.TEXT,
) -> int:
    """Run again, with an earlier run's results.

    --from and --only say what runs; all else is taken over. Without them everything runs. A value that held a secret is
    not recorded: give it again.
    """
    from dagrun import settings
    from dagrun.app import wiring
    from dagrun.app.documents import Given
    from dagrun.cli.progress import progress
    from dagrun.core.selection import Selection

    silent = quiet or form is Form.JSON
    given = Given(params=param or (), params_file=params_file)
    with (
        wiring.service(settings.load(flags=flags(workflows)), runs=True) as service,
        output.enduring(),
        progress(service.graph_of(run), quiet=silent) as shown,
    ):
        ended = service.rerun(run, Selection(only=only or (), start=start or ()), run_id, shown, given)
    return close(ended, form, quiet=quiet)
