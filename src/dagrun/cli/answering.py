"""Commands that answer runs that wait: approve, reject, signal; and the list of open approvals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dagrun.cli import output
from dagrun.cli.completion_candidates import complete_task
from dagrun.cli.options import Form, Output, Run, setting_flags
from dagrun.cli.run_options import ContinueOptions, takes
from dagrun.cli.running import close

if TYPE_CHECKING:
    from collections.abc import Callable

    from dagrun.app.answering import RecordedAnswer
    from dagrun.app.service import Service

Gate = Annotated[
    str,
    typer.Argument(metavar="TASK", help="The task that waits for an approval.", autocompletion=complete_task),
]
Inputs = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A value to give with the answer. Repeatable."),
]


class ApproveOptions(ContinueOptions):
    """The options of `approve`."""

    run: Run
    task: Gate
    inputs: Inputs = None


class RejectOptions(ContinueOptions):
    """The options of `reject`."""

    run: Run
    task: Gate
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="The reason, which is recorded with the run.")
    ] = ""


class SignalOptions(ContinueOptions):
    """The options of `signal`."""

    run: Run
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the signal.")]
    inputs: Inputs = None


@takes(ApproveOptions)
def approve(options: ApproveOptions) -> int:
    """Approve a task that waits for it, and continue the run.

    Where no process drives the run, this one continues it in the foreground.

    Examples:
      dagrun approve latest gate
      dagrun approve 20251003-1000 gate --set ticket=OPS-7 --by ann
      dagrun approve latest 'gate[region=eu]' --no-resume
      dagrun approve latest deploy/gate       in the child run of `deploy`

    Exit codes: those of `dagrun run`; 2 also when the approval is refused: the wrong role, already decided, expired,
    or values that do not fit.

    Environment:
      USER_RBAC_ROLE   your role: Viewer, Operator or Admin (default: Viewer)
    """
    by = options.name_of_user
    return _answer(
        options,
        options.run,
        lambda service, run_id: service.answers.approve(
            *service.gate(run_id, options.task), by, options.inputs or ()
        ),
        f"Approved '{options.task}'",
    )


@takes(RejectOptions)
def reject(options: RejectOptions) -> int:
    """Reject a task that waits for an approval: it fails, and the run continues.

    Examples:
      dagrun reject latest gate --reason "not on a Friday"

    Exit codes: those of `dagrun run`, so mostly 1; 2 also when the rejection is refused.

    Environment:
      USER_RBAC_ROLE   your role: Viewer, Operator or Admin (default: Viewer)
    """
    by = options.name_of_user
    return _answer(
        options,
        options.run,
        lambda service, run_id: service.answers.reject(
            *service.gate(run_id, options.task), by, options.reason
        ),
        f"Rejected '{options.task}'",
    )


@takes(SignalOptions)
def signal(options: SignalOptions) -> int:
    """Send a signal to a run: tasks that wait for it end.

    Where no process drives the run, this one continues it in the foreground. The signal counts for waits that have not begun yet, too. The values become outputs of these tasks.

    Examples:
      dagrun signal latest deployed
      dagrun signal latest deployed --set version=1.4
      dagrun signal latest release/deployed   in the child run of `release`

    Exit codes: those of `dagrun run`; 2 also when nothing in the run waits for the signal.
    """
    by = options.name_of_user
    return _answer(
        options,
        options.run,
        lambda service, run_id: service.answers.signal(
            *service.gate(run_id, options.name), by, options.inputs or ()
        ),
        f"Sent the signal '{options.name}'",
    )


def _answer(
    options: ContinueOptions, run: str, record: Callable[[Service, str], RecordedAnswer], done: str
) -> int:
    """Record an answer, and continue the run unless another process does."""
    from dagrun import settings
    from dagrun.app import wiring
    from dagrun.cli.progress import progress
    from dagrun.cli.run_signals import drive

    with wiring.service(settings.load(flags=setting_flags(options.workflows)), runs=True) as service:
        run_id = service.run_id(run)
        answer = record(service, run_id)
        continues = not (answer.live or options.no_resume)
        if options.shows_progress or not continues:
            what = "the process that drives it continues" if answer.live else "it was not continued"
            output.say(f"{done} of run {run_id}{'' if continues else f': {what}'}")
        if not continues:
            if options.form is Form.JSON:
                output.print_json(service.status(run_id).to_json())
            return 0
        run_id = service.root_of(run_id)  # a child run is continued by the run above it
        graph = service.graph_of(run_id)
        with output.enduring(), progress(graph, quiet=not options.shows_progress) as observer:
            ended, signum = drive(
                lambda cancellation: service.resume(
                    run_id,
                    given=options.given,
                    observer=observer,
                    cancellation=cancellation,
                    notice=output.say,
                )
            )
    return 0 if ended is None else close(ended, signum, options)


def approvals(
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="NAME", help="Only runs of this tenant.")
    ] = None,
    form: Output = Form.TEXT,
) -> int:
    """List the approvals that runs wait for, oldest first.

    Those of child runs have the first run and the path below it.

    Examples:
      dagrun approvals
      dagrun approvals --tenant acme -o json

    Exit codes:
      0  also when there are none
    """
    from dagrun import settings
    from dagrun.app import wiring

    with wiring.service(settings.load()) as service:
        found = service.open_approvals(tenant)
    if form is Form.JSON:
        output.print_json({"approvals": [each.to_json() for each in found]})
        return 0
    if not found:
        print("No run waits for an approval.")
        return 0
    output.table(
        ("RUN", "TASK", "DAG", "TENANT", "ROLE", "EXPIRES", "PROMPT"),
        (
            (
                each.root_run_id, each.path, each.dag_name, each.tenant, each.view.wait.required_role or "-",
                "expired" if each.view.expired else each.view.wait.expires_at or "-", each.view.wait.prompt or "",
            )
            for each in found
        ),
    )  # fmt: skip
    return 0
