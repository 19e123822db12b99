"""The command that looks ahead: plan."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from dagrun.cli import output
from dagrun.cli.documents import Workflows, flags
from dagrun.cli.output import Form, Output
from dagrun.cli.shell_completion import complete_dag


class Drawing(StrEnum):
    """What `--graph` can print."""

    MERMAID = "mermaid"
    DOT = "dot"
    JSON = "json"


def register(app: typer.Typer) -> None:
    """Add this group's command."""
    app.command()(plan)


def plan(
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE", help="A DAG, by path or name.", autocompletion=complete_dag),
    ] = None,
    dag: Annotated[
        str | None, typer.Option("--dag", help="The same as FILE.", autocompletion=complete_dag)
    ] = None,
    graph: Annotated[Drawing | None, typer.Option("--graph", help="Print the graph alone.")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Override the document's tenant.")] = None,
    max_parallel: Annotated[
        int | None, typer.Option("--max-parallel", min=1, max=output.MOST, help="Attempts at once.")
    ] = None,
    workflows: Workflows = None,
    form: Output = Form.TEXT,
) -> int:
    """Show waves, critical path, expected duration.

    Expected times are the medians of each task's newest 20 successes in the newest 50 runs of all DAGs.
    """
    from dagrun import settings
    from dagrun.app import wiring
    from dagrun.app.documents import RunRequest
    from dagrun.errors import UsageError
    from dagrun.views import drawing
    from dagrun.views import plan as plans

    if (file is None) == (dag is None):
        raise UsageError(
            "which DAG? give one FILE (or --dag FILE)" if file is None else "give FILE or --dag, not both"
        )
    if graph not in (None, Drawing.JSON) and form is Form.JSON:
        raise UsageError(f"--graph {graph} is no JSON: give --graph json, or leave out -o json")
    request = RunRequest(dag=file or dag or "", tenant=tenant, max_parallel=max_parallel)
    with wiring.service(settings.load(flags=flags(workflows))) as service:
        found = service.documents.graph(request)
        if graph is not None:
            print(drawing.FORMS[graph](found))
            return 0
        estimate, now = service.estimate(found), service.clock.now()
    if form is Form.JSON:
        output.print_json(plans.as_json(estimate))
    else:
        print(plans.as_text(estimate, now))
    return 0
