"""The command that runs a DAG."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dagrun.cli import output
from dagrun.cli.documents import Workflows, flags
from dagrun.cli.output import Form, Output
from dagrun.cli.shell_completion import complete_dag, complete_document_task
from dagrun.core.outcomes import OnError, RunStatus

if TYPE_CHECKING:
    from dagrun.app.documents import RunRequest
    from dagrun.app.service import RunResult, Service


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command()(run)


def run(
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE", help="A DAG, by path or name.", autocompletion=complete_dag),
    ] = None,
    dag: Annotated[
        str | None, typer.Option("--dag", help="The same as FILE.", autocompletion=complete_dag)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would run; write nothing.")] = False,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="Set a parameter; repeatable."),
    ] = None,
    params_file: Annotated[
        Path | None, typer.Option("--params-file", help="A YAML mapping of parameters.")
    ] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Override the document's tenant.")] = None,
    max_parallel: Annotated[
        int | None, typer.Option("--max-parallel", min=1, max=output.MOST, help="Attempts at once.")
    ] = None,
    on_error: Annotated[
        OnError | None, typer.Option("--on-error", help="Override the document's on_error.")
    ] = None,
    workflows: Workflows = None,
    run_id: Annotated[str | None, typer.Option("--run-id", help="The run's id; it must be new.")] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="TASK",
            help="Run this task, or this variant of one, alone; repeatable.",
            autocompletion=complete_document_task,
        ),
    ] = None,
    start: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="TASK",
            help="Run this task and all below it.",
            autocompletion=complete_document_task,
        ),
    ] = None,
    until: Annotated[
        list[str] | None,
        typer.Option(
            "--until",
            metavar="TASK",
            help="Run this task and all above it.",
            autocompletion=complete_document_task,
        ),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Run in the background; prints the run's id.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="No progress and no report; errors only.")
    ] = False,
    fire: Annotated[Path | None, typer.Option("--fire", hidden=True, help="What a scheduler wants.")] = None,
    params_from_stdin: Annotated[bool, typer.Option("--params-from-stdin", hidden=True)] = False,
    form: Output = Form.TEXT,
) -> int:
    """Run a DAG to its end."""
    from dagrun import settings
    from dagrun.app import wiring
    from dagrun.app.documents import RunRequest
    from dagrun.cli.progress import progress
    from dagrun.core.selection import Selection
    from dagrun.errors import UsageError

    if (file is None) == (dag is None):
        raise UsageError(
            "which DAG? give one FILE (or --dag FILE)" if file is None else "give FILE or --dag, not both"
        )
    if params_from_stdin:
        param = _params_from_stdin()
    request = RunRequest(
        dag=file or dag or "", params=param or (), params_file=params_file, tenant=tenant,
        max_parallel=max_parallel, on_error=on_error, selection=Selection(only or (), start or (), until or ()),
    )  # fmt: skip
    if fire is not None:
        request = _fired(fire, request)
    with wiring.service(settings.load(flags=flags(workflows)), runs=not (dry_run or detach)) as service:
        prepared = service.documents.prepare(request)
        if dry_run:
            from dagrun.views import plan

            foreseen = service.foresee(prepared, run_id)
            if form is Form.JSON:
                estimate = service.estimate(prepared.graph, foreseen.params)
                output.print_json({**plan.as_json(estimate), "params": foreseen.params})
            else:
                evaluated = {name: foreseen.params[name] for name in sorted(prepared.deferred)}
                print("\n".join(map(output.one_line, plan.dry_run(prepared.graph, evaluated).splitlines())))
            return 0
        if detach:
            words = _again(request, workflows)
            return _in_background(service, words, request.params, run_id, form)
        with output.enduring(), progress(prepared.graph, quiet=quiet or form is Form.JSON) as shown:
            ended = service.run(prepared, run_id, shown)
    return close(ended, form, quiet=quiet)


def _fired(path: Path, request: RunRequest) -> RunRequest:
    """The wish of a scheduler: its parameters and tenant come from the file in which it has the run in hand."""
    from dataclasses import replace

    from dagrun.errors import NotFoundError
    from dagrun.scheduling.open_runs import OpenRun

    run = OpenRun.read(path)
    if run is None:
        raise NotFoundError("fire", str(path))
    return replace(
        request, given=run.params, tenant=run.tenant, trigger=run.trigger, schedule_id=run.schedule_id,
        scheduled_at=run.scheduled_at,
    )  # fmt: skip


def _params_from_stdin() -> list[str]:
    """What `--detach` has left there for the process in the background. From then on its stdin is empty."""
    import json
    import os

    from dagrun.errors import UsageError

    try:
        params = [str(text) for text in json.loads(sys.stdin.buffer.read())]
    except (ValueError, TypeError, AttributeError):
        raise UsageError("--params-from-stdin is for dagrun itself: give --param or --params-file") from None
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return params


def _again(request: RunRequest, workflows: list[str] | None) -> list[str]:
    """The words that ask for the same run, but for its parameters."""
    words = [request.dag]
    for flag, values in (
        ("--workflows", workflows or ()), ("--only", request.selection.only),
        ("--from", request.selection.start), ("--until", request.selection.until),
    ):  # fmt: skip
        words += [word for value in values for word in (flag, value)]
    for flag, value in (
        ("--params-file", request.params_file), ("--tenant", request.tenant),
        ("--max-parallel", request.max_parallel), ("--on-error", request.on_error),
    ):  # fmt: skip
        words += [flag, str(value)] if value is not None else []
    return words


def _in_background(
    service: Service, words: list[str], params: Sequence[str], run_id: str | None, form: Form
) -> int:
    from dagrun.cli.detaching import detach
    from dagrun.storage.run_store import new_run_id

    name = run_id or new_run_id(service.clock.now())
    code = detach(service, words, params, name)
    with output.enduring():
        if code == 0 and form is Form.JSON:
            output.print_json({"run_id": name})
        elif code == 0:
            print(f"Run {name} goes on in the background: `dagrun status {name}`, `dagrun logs {name} -f`")
        sys.stdout.flush()
    output.report_lost()
    return code


def close(ended: RunResult, form: Form, *, quiet: bool = False) -> int:
    """The closing lines of a run that was driven here, and its exit code."""
    from dagrun.views.report import failures, report

    with output.enduring():
        if form is Form.JSON:
            output.print_json(ended.view.to_json())
        elif not quiet:
            print(report(ended.view))
        sys.stdout.flush()
    output.report_lost()
    ended_well = ended.status is RunStatus.SUCCESS
    for sentence in () if ended_well else failures(ended.view):
        output.say("\n".join(map(output.one_line, f"Error: {sentence}".splitlines())))
    if ended.signal is not None and not ended_well:
        return 128 + ended.signal
    return 0 if ended_well else 1
