"""The command that runs a DAG, and the end of every command that has driven a run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from dagrun.cli import output
from dagrun.cli.options import Form, setting_flags
from dagrun.cli.run_options import OutputOptions, RunOptions, takes

if TYPE_CHECKING:
    from dagrun.app.service import Service
    from dagrun.app.stretch import RunResult
    from dagrun.runtime.prepared_run import PreparedRun
    from dagrun.runtime.run_request import RunRequest


@takes(RunOptions)
def run(options: RunOptions) -> int:
    """Run a DAG to its end.

    The first Ctrl-C, SIGTERM or SIGHUP cancels the run; a second one kills its processes.

    Examples:
      dagrun run backup                           a DAG by its name
      dagrun run etl.yaml -p region=us            a file, with a parameter
      dagrun run etl.yaml --from load --dry-run   what a part of it would do

    Exit codes:
      0    the run succeeded
      1    the run failed, was cancelled, or could not be recorded
      2    the request is wrong; nothing was run
      130  the run was cancelled by Ctrl-C (143: by SIGTERM, 129: by SIGHUP)

    Environment:
      DAGRUN_DAGS_DIR    where names of DAGs are looked up (default: configs/dags)
      DAGRUN_RUNS_DIR    where runs are recorded (default: logs/runs)
      DAGRUN_WORKFLOWS   modules that register workflows, separated by commas
    """
    from dagrun import settings
    from dagrun.app import wiring
    from dagrun.cli.progress import progress
    from dagrun.cli.run_signals import drive

    request = request_from_stdin() if options.request_from_stdin else _request(options)
    in_this_process = not (options.dry_run or options.detach)
    with wiring.service(
        settings.load(flags=setting_flags(options.workflows)), runs=in_this_process
    ) as service:
        if options.detach and not options.dry_run:
            return _detach(service, request, options)
        prepared = service.documents.prepare(request, may_write=not options.dry_run)
        if options.dry_run:
            return _dry_run(service, prepared, options)
        with output.enduring(), progress(prepared.graph, quiet=not options.shows_progress) as observer:
            ended, signum = drive(
                lambda cancellation: service.run(prepared, options.run_id, observer, cancellation)
            )
    return close(ended, signum, options)


def _request(options: RunOptions) -> RunRequest:
    from dagrun.runtime.run_request import RunRequest

    return RunRequest(
        dag=options.named, params=options.param or (), params_file=options.params_file, tenant=options.tenant,
        max_parallel=options.max_parallel, on_error=options.on_error, selection=options.selection,
    )  # fmt: skip


def request_from_stdin() -> RunRequest:
    """The request that a launcher passes to its process, whose stdin is empty from then on. Raises UsageError."""
    import os

    from dagrun.errors import UsageError
    from dagrun.runtime.run_request import RunRequest

    try:
        request = RunRequest.from_json(sys.stdin.buffer.read())
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UsageError(
            "--request-from-stdin is only for processes that dagrun starts", hint="leave it out"
        ) from None
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return request


def _dry_run(service: Service, prepared: PreparedRun, options: RunOptions) -> int:
    from dagrun.views import plan

    evaluated = service.evaluated(prepared, options.run_id)
    if options.form is Form.JSON:
        estimate = service.estimate(prepared.graph, evaluated.params)
        output.print_json({**plan.as_json(estimate), "params": evaluated.params})
    else:
        params = {name: evaluated.params[name] for name in sorted(prepared.deferred)}
        print("\n".join(map(output.one_line, plan.dry_run(prepared.graph, params).splitlines())))
    return 0


def _detach(service: Service, request: RunRequest, options: RunOptions) -> int:
    modules = setting_flags(options.workflows).get("workflows", [])
    flags = [word for name in modules for word in ("--workflows", name)]
    run_id = service.launch(request, options.run_id, flags)
    with output.enduring():
        if options.form is Form.JSON:
            output.print_json({"run_id": run_id})
        else:
            print(
                f"Run {run_id} continues in the background: `dagrun status {run_id}`, `dagrun logs {run_id} -f`"
            )
        sys.stdout.flush()
    output.report_lost()
    return 0


def close(ended: RunResult, signum: int | None, options: OutputOptions) -> int:
    """Print the report of a run that was driven here; its exit code. `signum` is the signal that cancelled it."""
    from dagrun.core.outcomes import RunStatus
    from dagrun.views.report import failures, hook_warnings, report

    with output.enduring():
        if options.form is Form.JSON:
            output.print_json(ended.view.to_json())
        elif not options.quiet:
            print(report(ended.view))
        sys.stdout.flush()
    output.report_lost()
    for sentence in hook_warnings(ended.view):
        output.say(output.one_line(f"Warning: {sentence}"))
    if ended.status in (RunStatus.SUCCESS, RunStatus.WAITING):
        return 0
    for sentence in failures(ended.view):
        output.say("\n".join(map(output.one_line, f"Error: {sentence}".splitlines())))
    return 1 if signum is None else 128 + signum
