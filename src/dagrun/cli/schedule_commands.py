"""Commands about schedules: scheduler, schedules."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dagrun.cli import output
from dagrun.cli.options import Form, Output, at_least
from dagrun.cli.streams import unhurried

if TYPE_CHECKING:
    from dagrun.app.service import Service
    from dagrun.core.work import Json
    from dagrun.scheduling.schedule import SkippedFires
    from dagrun.scheduling.schedule_files import Loaded
    from dagrun.scheduling.schedule_queries import CheckedFiles, Preview
    from dagrun.scheduling.scheduler import Scheduler

MAX_FIRES = 10_000  # of one schedule
DRAIN_TIMEOUT = 1.0  # seconds that a scheduler waits at its end until its output is read

Directory = Annotated[
    Path | None,
    typer.Option(
        "--dir",
        metavar="DIR",
        help="The directory of schedules.  [default: configs/schedules, or $DAGRUN_SCHEDULES_DIR]",
    ),
]


def scheduler(
    directory: Directory = None,
    once: Annotated[
        bool, typer.Option("--once", help="Fire what is due in this minute, wait for the runs, and exit.")
    ] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Fire what is due until Ctrl-C or SIGTERM; SIGHUP reloads.")
    ] = False,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="TIME", help="With --once: this minute instead, e.g. 2026-11-20T09:00Z."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be fired. Nothing is written.")
    ] = False,
    form: Output = Form.TEXT,
) -> int:
    """Run what the schedules request, once or continuously.

    Give either --once or --serve. A schedule fires at most once per minute, however many schedulers there are.

    Examples:
      dagrun scheduler --serve
      dagrun scheduler --once --dry-run
      dagrun scheduler --once --at 2026-11-20T09:00Z

    Exit codes:
      0  --once: every started run succeeded; --serve: stopped by a signal
      1  --once: a run did not succeed; or there are no schedules
      2  the request is wrong, or with --dry-run a schedule is invalid

    Environment:
      SCHED_MAX_PARALLEL      maximum number of concurrent runs (default: 3)
      SCHED_TICK_MS           time between two checks (default: 1000)
      DAGRUN_SCHED_GRACE_MS   time for runs to end after SIGTERM (default: 30000)
      STATE_STORE_PATH        the record of fires and runs
                              (default: logs/orchestrator_state.jsonl)
    """
    from dagrun import settings
    from dagrun.app import wiring
    from dagrun.cli.signal_bell import SignalBell
    from dagrun.clock import process_start
    from dagrun.errors import UsageError

    now = process_start()  # --once fires the minute in which the command was started
    if once == serve:
        raise UsageError("give either --once or --serve" + (", not both" if once else ""))
    if at is not None and serve:
        raise UsageError("--at needs --once: --serve fires every minute at its time")
    minute = None if at is None else _minute(at)
    chosen = settings.load()
    with wiring.service(chosen) as service:
        files = service.schedules.files(directory)
        if dry_run:
            return _preview(service, files, now, minute, form)
        loaded = files.load()
        if not loaded.schedules:
            _print_findings(loaded)
            return _none_found(files, form)
        lines = _TickOutput(form, streaming=serve)
        with output.enduring():
            with (
                unhurried(DRAIN_TIMEOUT),
                wiring.scheduler(service, files, lines.print, output.say, SignalBell) as scheduler,
            ):
                scheduler.load()
                code = _serve(scheduler, files) if serve else _once(scheduler, now, minute)
            if once:
                lines.close(minute or _text(now))
                sys.stdout.flush()
        output.report_lost()
    return code


def _once(scheduler: Scheduler, now: float, minute: str | None) -> int:
    tally = scheduler.once(now, minute)
    return 0 if tally.all_succeeded and not scheduler.enqueuer.failed else 1


def _serve(scheduler: Scheduler, files: CheckedFiles) -> int:
    count = len(scheduler.fire_queue.schedules)
    scheduler.report(f"Serving {count} schedule{'s'[: count != 1]} of {files.shown}; press Ctrl-C to stop")
    scheduler.serve()
    return 0


def _none_found(files: CheckedFiles, form: Form) -> int:
    if form is Form.JSON:
        output.print_json({"schedules": [], "runs": [], "skipped": []})
        output.say(f"No schedules found in {files.shown}")
    else:
        print(f"No schedules found in {files.shown}")
    return 1


def _preview(service: Service, files: CheckedFiles, now: float, minute: str | None, form: Form) -> int:
    loaded = files.load()
    code = _print_findings(loaded)
    if not loaded.schedules:
        return code or _none_found(files, form)
    found = service.schedules.preview(loaded.schedules, now, minute)
    if form is Form.JSON:
        output.print_json({"minute": minute or _text(now), "fires": [_fire_json(each) for each in found]})
        return code
    print(f"DRY RUN: {minute or _text(now)} UTC")
    for each in found:
        print(f"  {output.one_line(_sentence(each))}")
    if not found:
        print("  Nothing is due.")
    return code


def _print_findings(loaded: Loaded) -> int:
    """Print every finding. Returns the exit code: 2 when there is an error."""
    from dagrun.documents.yaml import render

    for finding, text in loaded.findings:
        output.say(render(finding, text))
    return 2 if any(finding.level == "error" for finding, _ in loaded.findings) else 0


def _fire_json(each: Preview) -> Json:
    what = each.what
    shape: dict[str, Json] = {
        "schedule_id": what.schedule.id, "minute": what.minute, "dag": what.schedule.dag,
        "reason": each.reason or None,
    }  # fmt: skip
    if (span := _passed_over(each)) is not None:
        shape |= {"count": span.count, "first": span.first, "last": span.last}
    return shape


def _sentence(each: Preview) -> str:
    what, span = each.what, _passed_over(each)
    if not each.reason:
        return f"{what.schedule.id}: would run {what.schedule.dag} for {what.minute}"
    minutes = what.minute if span is None else _span(span.count, span.first, span.last)
    return f"{what.schedule.id}: would skip {minutes} ({each.reason})"


def _passed_over(each: Preview) -> SkippedFires | None:
    from dagrun.scheduling.schedule import SkippedFires

    return each.what if isinstance(each.what, SkippedFires) else None


def _span(count: int, first: str, last: str) -> str:
    return last if count == 1 else f"{count} fires from {first} to {last}"


class _TickOutput:
    """Prints the lines that a scheduler writes to the state store."""

    def __init__(self, form: Form, *, streaming: bool) -> None:
        self.form = form
        self.streaming = streaming
        self.runs: list[Json] = []
        self.skipped: list[Json] = []

    def print(self, line: Mapping[str, Json]) -> None:
        """Print a line at once, or keep it for the JSON object of `--once`."""
        if self.streaming and self.form is Form.JSON:
            output.print_json(dict(line))
            sys.stdout.flush()
            return
        if not self.streaming:
            if line["event"] == "run_finished":
                self.runs.append({name: value for name, value in line.items() if name != "event"})
            elif line["event"] == "schedule_skipped":
                self.skipped.append({name: value for name, value in line.items() if name != "event"})
        if self.form is Form.TEXT:
            print(output.one_line(_line_text(line)), flush=True)

    def close(self, minute: str) -> None:
        """Print the result of `--once`."""
        if self.form is Form.JSON:
            output.print_json({"minute": minute, "runs": self.runs, "skipped": self.skipped})
        elif not self.runs and not self.skipped:
            print(f"Nothing is due at {minute} UTC.")


def _line_text(line: Mapping[str, Json]) -> str:
    """A line of the state store as a sentence."""
    name, run = line["schedule_id"], line.get("run_id")
    match line["event"]:
        case "schedule_enqueued":
            return f"{name}: {line['minute']} is due (run {run})"
        case "run_started":
            return f"{name}: started (run {run})"
        case "run_finished":
            took = line["duration_seconds"]
            status = output.paint(line["status"], line["status"])
            why = f": {line['error']}" if line.get("error") else ""
            return f"{name}: {status}{f' in {output.seconds(took)}' if took is not None else ''} (run {run}){why}"
        case _:
            span = _span(line.get("count", 1), line.get("first", ""), line["minute"])
            why = f": {line['error']}" if line.get("error") else ""
            return f"{name}: skipped {span} ({line['reason']}){why}"


def schedules(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[reset ID]", help="Let a schedule fire again from now on (see above)."),
    ] = None,
    count: Annotated[
        int,
        typer.Option("--next", metavar="N", parser=at_least(0), help="How many fires to show per schedule."),
    ] = 1,
    directory: Directory = None,
    form: Output = Form.TEXT,
) -> int:
    """List the schedules and their next fires.

    Also shows the result of the last run of each. `schedules reset ID` is for a schedule that does not fire because the
    clock was once wrong: it fires again from now on, except for minutes that have become runs.

    Examples:
      dagrun schedules --next 5
      dagrun schedules reset nightly

    Exit codes:
      0  there are schedules, and all are valid
      1  there are no schedules
      2  a schedule is invalid
    """
    from dagrun import settings
    from dagrun.app import wiring

    with wiring.service(settings.load()) as service:
        files = service.schedules.files(directory)
        if words:
            return _reset(service, files, words, form)
        loaded = files.load()
        found = service.schedules.views(loaded.schedules, time.time(), min(count, MAX_FIRES))
    if form is Form.JSON:
        output.print_json({"schedules": [each.to_json() for each in found]})
    code = _print_findings(loaded)
    if not found:
        if form is Form.JSON:
            output.say(f"No schedules found in {files.shown}")
            return code or 1
        return code or _none_found(files, form)
    if form is Form.JSON:
        return code
    rows = []
    for each in found:
        schedule, zone = each.schedule, each.schedule.timetable.zone.name
        fires = [_text(moment) for moment in each.next] or ["disabled" if not schedule.enabled else "never"]
        last = each.last.status if each.last else ("no records" if each.last_id else "-")
        rows.append((schedule.id, schedule.timetable.cron.text, zone, schedule.dag, fires[0], last))
        rows += [("", "", "", "", moment, "") for moment in fires[1:]]
    output.table(("SCHEDULE", "CRON", "TIMEZONE", "DAG", "NEXT (UTC)", "LAST RUN"), rows)
    for each in found:
        if each.settled_until:
            print(
                f"{each.schedule.id} is settled until {each.settled_until} UTC, which is still to come: a clock was wrong, or"
                f" was put back. `dagrun schedules reset {each.schedule.id}` moves that back to now."
            )
    return code


def _reset(service: Service, files: CheckedFiles, words: list[str], form: Form) -> int:
    from dagrun.errors import UsageError

    if words[0] != "reset" or len(words) != 2:
        raise UsageError(
            f"schedules: '{' '.join(words)}' is not a valid request",
            hint="use `dagrun schedules` or `dagrun schedules reset ID`",
        )
    schedule_id, now = words[1], time.time()
    known = [schedule.id for schedule in files.load().schedules] if files.directory.is_dir() else []
    before = service.schedules.reset(schedule_id, now, known)
    if form is Form.JSON:
        output.print_json({"schedule_id": schedule_id, "settled_until": _text(now), "before": before or None})
    elif before:
        print(f"{schedule_id} was settled until {before} UTC and fires again from now on.")
    else:
        print(f"{schedule_id} is not settled beyond now: nothing was changed.")
    return 0


def _minute(text: str) -> str:
    """The minute that the user gave, in UTC unless it has an offset."""
    from dagrun.clock import from_rfc3339
    from dagrun.errors import UsageError
    from dagrun.scheduling.timezones import FIRST_YEAR, LAST_YEAR

    try:
        minute = _text(from_rfc3339(text))
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"--at: '{text}' is not a time", hint="write it as 2026-11-20T09:00Z, or with another offset"
        ) from None
    if not FIRST_YEAR <= int(minute[:4]) < LAST_YEAR:
        hint = f"give a year from {FIRST_YEAR} to {LAST_YEAR - 1}"
        raise UsageError(f"--at: '{text}' is out of range", hint=hint)
    return minute


def _text(moment: float) -> str:
    from dagrun.scheduling.schedule import minute_text

    return minute_text(int(moment // 60))
