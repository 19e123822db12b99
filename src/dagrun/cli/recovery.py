"""Commands about existing runs that change something: cancel, resume, rerun."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from dagrun.cli import output
from dagrun.cli.options import Form, Output, Run, setting_flags
from dagrun.cli.run_options import RerunOptions, ResumeOptions, takes
from dagrun.cli.running import close, request_from_stdin


def cancel(
    run: Run,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="The reason, which is recorded with the run.")
    ] = "",
    form: Output = Form.TEXT,
) -> int:
    """Cancel a run and end its processes.

    Works from any terminal, whichever process drives the run. A queued or an interrupted run can be cancelled too.

    Examples:
      dagrun cancel latest
      dagrun cancel 20251003-1000 --reason "wrong input"

    Exit codes:
      0  the run has ended
      1  the run has not ended within the timeout
      2  there is no such run

    Environment:
      DAGRUN_CANCEL_TIMEOUT_MS   time limit for a cancel (default: 10000)
      DAGRUN_KILL_GRACE_MS       time between SIGTERM and SIGKILL (default: 5000)
    """
    from dagrun import settings
    from dagrun.app import wiring
    from dagrun.cli.run_signals import login

    with wiring.service(settings.load()) as service:
        before = service.status(run)
        view = service.cancel(before.run_id, login(), reason)
    with output.enduring():
        if form is Form.JSON:
            output.print_json(view.to_json())
        elif before.finished_at is not None:
            print(f"Run {view.run_id} had ended already: {view.status}. Nothing was changed.")
        elif view.finished_at is None:
            print(f"Run {view.run_id} has been asked to end, but it has not ended yet.")
        elif any(hook.status == "cancelled" for hook in view.hooks) and view.cancel is None:
            print(f"All tasks of run {view.run_id} had ended ({view.status}); its hooks were cancelled.")
        elif view.status != "cancelled":
            print(f"Run {view.run_id} ended by itself before it could be cancelled: {view.status}.")
        else:
            print(f"Run {view.run_id} is {view.status}.")
        sys.stdout.flush()
    output.report_lost()
    return 0 if view.finished_at is not None else 1


@takes(ResumeOptions)
def resume(options: ResumeOptions) -> int:
    """Continue a run: keep what succeeded, run the rest.

    For runs that failed, were cancelled or were interrupted. A parameter that contained a secret was not recorded: give
    it again.

    Examples:
      dagrun resume                          the newest run
      dagrun resume 20251003 --use-current   with the document as it is now
      dagrun resume latest -p token=...      with a value that was not recorded

    Exit codes: those of `dagrun run`; 2 also when another process drives the run.
    """
    from dagrun import settings
    from dagrun.app import wiring
    from dagrun.app.run_inputs import GivenParams
    from dagrun.cli.progress import progress
    from dagrun.cli.run_signals import drive

    kept = request_from_stdin().values if options.request_from_stdin else {}
    given = GivenParams(params=options.param or (), params_file=options.params_file, kept=kept)
    with wiring.service(settings.load(flags=setting_flags(options.workflows)), runs=True) as service:
        graph = service.graph_of(options.run)
        with output.enduring(), progress(graph, quiet=not options.shows_progress) as observer:
            ended, signum = drive(
                lambda cancellation: service.resume(
                    options.run, use_current=options.use_current, given=given, observer=observer, cancellation=cancellation,
                    notice=output.say,
                )
            )  # fmt: skip
        if ended is None:
            view = service.status(options.run)
            if options.form is Form.JSON:
                output.print_json(view.to_json())
            else:
                print(f"Run {view.run_id} succeeded: nothing is left to resume.")
            return 0
    return close(ended, signum, options)


@takes(RerunOptions)
def rerun(options: RerunOptions) -> int:
    """Start a new run that reuses results of an earlier one.

    Tasks that are not selected keep the results of the earlier run, which is not changed. Without --from and --only every
    task runs again. A parameter that contained a secret was not recorded: give it again.

    Examples:
      dagrun rerun latest                    everything again
      dagrun rerun latest --from transform   this task and all that depend on it
      dagrun rerun latest --only report      this task alone
      dagrun rerun latest --from load/check  in the child run of `load`

    Exit codes: those of `dagrun run`.
    """
    from dagrun import settings
    from dagrun.app import wiring
    from dagrun.cli.progress import progress
    from dagrun.cli.run_signals import drive
    from dagrun.core.selection import Selection

    again = Selection(only=options.only or (), start=options.start or ())
    with (
        wiring.service(settings.load(flags=setting_flags(options.workflows)), runs=True) as service,
        output.enduring(),
        progress(service.graph_of(options.run), quiet=not options.shows_progress) as observer,
    ):
        ended, signum = drive(
            lambda cancellation: service.rerun(
                options.run,
                again,
                options.run_id,
                given=options.given,
                observer=observer,
                cancellation=cancellation,
            )
        )
    return close(ended, signum, options)
