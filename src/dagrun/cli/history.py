"""Commands that show runs: status, runs, logs."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dagrun.cli import output, watching
from dagrun.cli.completion_candidates import complete_dag, complete_log
from dagrun.cli.options import Form, Output, Run, at_least
from dagrun.cli.watching import Follow
from dagrun.views.waiting import next_steps
from dagrun.views.wording import plain

if TYPE_CHECKING:
    from pathlib import Path

    from dagrun.views.status import DamagedRun, RunView, TaskView


class StatusForm(StrEnum):
    """How `status` prints its answer."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


def status(
    run: Run = "latest",
    watch: Annotated[bool, typer.Option("--watch", help="Update the output until the run ends.")] = False,
    form: Annotated[
        StatusForm,
        typer.Option(
            "-o",
            "--output",
            help="Output format: `text` for people, `json` for scripts, `yaml` as an OrchestrationRun.",
        ),
    ] = StatusForm.TEXT,
) -> int:
    """Show one run: its tasks, their states and durations.

    Examples:
      dagrun status
      dagrun status latest --watch
      dagrun status 20251003 -o json

    Exit codes:
      0  the run was found, whatever its state
      2  there is no such run
    """
    from dagrun import settings
    from dagrun.app import wiring

    with wiring.service(settings.load()) as service:
        if watch:
            shape = Form.JSON if form is StatusForm.JSON else Form.TEXT
            return watching.watch_status(
                service, run, shape, status_lines, lambda view: service.status_below(view, MAX_CHILD_RUNS)
            )
        view = service.status(run)
        below = service.status_below(view, MAX_CHILD_RUNS) if form is StatusForm.TEXT else {}
    if form is StatusForm.JSON:
        output.print_json(view.to_json())
    elif form is StatusForm.YAML:
        from dagrun.documents.yaml import dump
        from dagrun.views.orchestration_run import orchestration_run

        print(dump(orchestration_run(view)), end="")
    else:
        _show(view, below)
    return 0


#: How many child runs are shown with their tasks.
MAX_CHILD_RUNS = 20


def _show(view: RunView, below: Mapping[str, RunView]) -> None:
    for line in status_lines(view, below=below):
        print(line)
    if view.corrupt:
        output.say(f"{view.corrupt} line(s) of the journal could not be read")


def status_lines(
    view: RunView, most: int | None = None, below: Mapping[str, RunView] | None = None
) -> list[str]:
    """A run as text; in at most `most` lines, with the most interesting tasks. `below` are child runs, by id."""
    reason = "" if view.reason in ("", "Completed") else f" ({view.reason})"
    resumed = "" if view.resumed_at is None else f"  Resumed: {_local(view.resumed_at)}"
    head = [
        f"Run: {view.run_id}",
        f"DAG: {view.dag.name}  (tenant {view.tenant})",
        *([] if view.parent_run_id is None else [f"Child run of: {view.parent_run_id}"]),
        f"Status: {output.paint(view.status, view.status)}{reason}",
        *([] if view.late is None else [f"Late: {view.late}"]),
        f"Started: {_local(view.started_at)}{resumed}  Duration: {output.seconds(view.duration)}",
        "",
    ]
    room = None if most is None else most - len(head) - 1
    shown, rest = _fitting(view, room)
    with_below = list(_with_child_runs(shown, below or {}))
    if room is not None and len(with_below) > len(shown):
        with_below = with_below[: max(len(shown), room - len(rest))]
    table = output.table_lines(
        ("TASK", "STATUS", "ATTEMPT", "DURATION", "CHANGED", "WHY"),
        (
            (
                name, task.status, str(task.attempt or "-"), output.seconds(task.duration),
                {True: "yes", False: "no", None: "-"}[task.changed], _why(task),
            )
            for name, task in with_below
        ),
        styled=1,
    )  # fmt: skip
    more = (*_hooks(view), *_outputs(view), *_next_steps(view)) if most is None else ()
    return [*head, *table, *rest, *more]


def _hooks(view: RunView) -> list[str]:
    """The hooks of the run, one per line."""
    if not view.hooks:
        return []
    table = output.table_lines(
        ("HOOK", "STATUS", "DURATION", "WHY"),
        (
            (hook.name, hook.status, output.seconds(hook.duration), output.one_line(hook.error or ""))
            for hook in view.hooks
        ),
        styled=1,
    )
    return ["", *table]


def _next_steps(view: RunView) -> list[str]:
    """What to type where the run waits for a person or a signal."""
    lines = list(next_steps(view.run_id, view.waits)) if view.finished_at is None else []
    return ["", *lines] if lines else []


def _with_child_runs(
    tasks: Sequence[TaskView], below: Mapping[str, RunView], indent: str = ""
) -> Iterator[tuple[str, TaskView]]:
    """The tasks with their names, and below each that runs another DAG those of its child run."""
    for task in tasks:
        yield indent + task.id, task
        child = below.get(task.child_run_id or "")
        if child is not None:
            yield from _with_child_runs(list(_notable(child.tasks)), below, indent + "  ")


def _outputs(view: RunView) -> list[str]:
    """The outputs of the run, one per line."""
    if not view.outputs:
        return []
    lines = (
        f"  {name}: {plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))}"
        for name, value in view.outputs.items()
    )
    return ["", output.paint("Outputs:", "bold"), *lines]


#: Which tasks of a large run are shown first when not all fit on the screen.
_PRIORITY = (
    "running",
    "retrying",
    "waiting",
    "failed",
    "timed_out",
    "cancelled",
    "success",
    "skipped",
    "pending",
)


def _fitting(view: RunView, rows: int | None) -> tuple[list[TaskView], list[str]]:
    """The tasks that fit into so many rows, in the order of the document, and a line about the others."""
    tasks = list(_notable(view.tasks))
    if rows is None or len(tasks) <= rows:
        unlisted = len(view.tasks) - len(tasks)
        return tasks, [
            f"... and {output.count(unlisted, 'variant')} more; -o json lists all"
        ] if unlisted else []
    ranks = {status: rank for rank, status in enumerate(_PRIORITY)}
    first = sorted(range(len(tasks)), key=lambda i: ranks.get(tasks[i].status, 0))[: max(0, rows - 1)]
    left = len(view.tasks) - len(first)
    counts = ", ".join(f"{count} {status}" for status, count in view.counts().items() if count)
    return [tasks[i] for i in sorted(first)], [f"... and {left} more; of all: {counts}"]


def _notable(tasks: Sequence[TaskView]) -> Iterator[TaskView]:
    """The tasks without the unremarkable variants of large groups, whose own line has the counts."""
    many = {task.id for task in tasks if task.variants and len(task.variants.results) > output.MANY_VARIANTS}
    shown: Counter[str] = Counter()
    for task in tasks:
        if task.group in many:
            special = task.status not in ("success", "skipped", "pending")
            shown[task.group] += special
            if not special or shown[task.group] > output.MANY_VARIANTS:
                continue
        yield task


def _why(task: TaskView) -> str:
    parts = [] if task.reason in ("", "Completed", "TaskFailed", "TimedOut") else [task.reason]
    if task.detail:
        parts.append(task.detail)
    if task.error:
        parts.append(task.error)
    if task.child_run_id is not None and not any(task.child_run_id in part for part in parts):
        parts.append(f"child run {task.child_run_id}")
    if task.variants is not None:
        parts.insert(0, task.variants.summary)
    return ": ".join(parts) + (" (tolerated)" if task.tolerated else "")


def _local(moment: float | None) -> str:
    return "-" if moment is None else time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(moment))


def runs(
    dag: Annotated[
        str | None,
        typer.Option("--dag", metavar="NAME", help="Only runs of this DAG.", autocompletion=complete_dag),
    ] = None,
    status: Annotated[
        str | None,
        typer.Option("--status", metavar="STATE", help="Only runs in this state, such as `failed`."),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="NAME", help="Only runs of this tenant.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="TIME",
            help="Only runs that began after this date or time (2025-10-03, 2025-10-03T10:00; local time, "
            "unless it ends in Z or an offset), or that are not older than this (2h, 7d).",
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", parser=at_least(1), help="The maximum number of runs.")
    ] = 20,
    offset: Annotated[
        int, typer.Option("--offset", metavar="N", parser=at_least(0), help="Skip the N newest runs.")
    ] = 0,
    children: Annotated[
        bool, typer.Option("--children", help="List child runs too, which are tasks of other runs.")
    ] = False,
    form: Output = Form.TEXT,
) -> int:
    """List runs, newest first.

    Examples:
      dagrun runs
      dagrun runs --children
      dagrun runs --dag backup --status failed --since 7d

    Exit codes:
      0  also when no run matches
      2  the request is wrong
    """
    from dagrun import settings
    from dagrun.app import wiring
    from dagrun.core.outcomes import RunStatus
    from dagrun.views.status import RunView

    if status is not None:
        _one_of("--status", status, [*map(str, RunStatus), "damaged"])
    with wiring.service(settings.load()) as service:
        moment = None if since is None else since_moment(since, service.clock.now())
        found = service.history(
            dag=dag, status=status, tenant=tenant, since=moment, limit=limit, offset=offset, children=children
        )
    if form is Form.JSON:
        shapes = [
            each.to_json(tasks=False) if isinstance(each, RunView) else each.to_json() for each in found
        ]
        output.print_json({"runs": shapes})
    elif found:
        output.table(
            ("RUN", "DAG", "STATUS", "STARTED", "DURATION", "TASKS"),
            map(_run_cells, found),
            styled=2,
        )
        for each in found:
            if not isinstance(each, RunView):
                output.say(each.reason)
    else:
        print("No runs." if not any((dag, status, tenant, since, offset)) else "No runs match.")
    return 0


def _run_cells(run: RunView | DamagedRun) -> tuple[str, ...]:
    from dagrun.views.status import RunView

    if not isinstance(run, RunView):
        return (run.run_id, "-", run.status, "-", "-", "-")
    counts = run.counts()
    duration = output.seconds(run.duration)
    done = f"{counts['success']}/{sum(counts.values())}"
    return (run.run_id, run.dag.name, run.status, _local(run.started_at), duration, done)


def _one_of(flag: str, value: str, choices: list[str]) -> None:
    from dagrun.errors import UsageError, did_you_mean

    if value not in choices:
        raise UsageError(
            f"{flag} {value!r} is none of {', '.join(choices)}", hint=did_you_mean(value, choices)
        )


def since_moment(text: str, now: float) -> float:
    """The time that `--since` gives: an age, or a date or time, which is local unless it has a zone. Raises UsageError."""
    from datetime import datetime

    from dagrun.core.model import seconds
    from dagrun.errors import UsageError

    age = re.fullmatch(r"(?:(\d{1,9}(?:\.\d+)?)d)?(.*)", text.strip())
    if age is not None and any(age.groups()):
        days, rest = float(age[1] or 0), age[2]
        with contextlib.suppress(ValueError):
            return now - days * 86400 - (seconds(rest) if rest else 0)
    try:
        return datetime.fromisoformat(text.strip()).timestamp()  # of a naive time: a local one
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"--since {text!r} is neither a date or time (2025-10-03, 2025-10-03T10:00, 2025-10-03T10:00Z) "
            "nor an age (90s, 2h, 7d)"
        ) from None


def logs(
    run: Run = "latest",
    task: Annotated[
        str | None,
        typer.Argument(metavar="TASK", help="Only the output of this task.", autocompletion=complete_log),
    ] = None,
    follow: Follow = False,
    tail: Annotated[
        int | None,
        typer.Option(
            "--tail", metavar="N", parser=at_least(0), help="Only the last N lines of each attempt."
        ),
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only the output of tasks that failed.")] = False,
    form: Output = Form.TEXT,
) -> int:
    """Print the output of a run's tasks.

    Examples:
      dagrun logs                       of the newest run
      dagrun logs latest load -f        of one task, until the run ends
      dagrun logs latest --failed --tail 20

    Exit codes:
      0  the run was found
      2  there is no such run or task
    """
    from dagrun import settings
    from dagrun.app import wiring
    from dagrun.errors import UsageError

    if follow and (failed or tail is not None):
        raise UsageError("--follow prints all new output: it cannot be combined with --tail or --failed")
    with wiring.service(settings.load()) as service:
        if follow:
            return watching.follow_logs(service, run, task, form)
        run_id = service.run_id(run)
        found = list(service.logs(run_id, task))
        if failed:
            names = {
                each.id for each in service.status(run_id).tasks if each.status in ("failed", "timed_out")
            }
            found = [log for log in found if log[0] in names]
    alone = task is not None and len(found) == 1
    for task_id, attempt, path in found:
        try:
            _print_log(task_id, attempt, path, tail, form, alone=alone)
        except BrokenPipeError:
            raise
        except OSError as problem:
            if problem.filename is None:  # about stdout
                raise
            output.say(f"Error: {path}: {problem.strerror}")
    return 0


def _print_log(task_id: str, attempt: int, path: Path, tail: int | None, form: Form, *, alone: bool) -> None:
    """Print one log in blocks, however large it is. Raises OSError."""
    from dagrun.storage.log_position import prefixed, tail_start, text_blocks

    texts = text_blocks(path, 0 if tail is None else tail_start(path, tail))
    if form is Form.JSON:
        output.print_json_text({"task_id": task_id, "attempt": attempt, "path": str(path)}, "text", texts)
        return
    for text in texts if alone else prefixed(texts, f"{task_id}.{attempt} | "):
        output.print_as_is(text)
