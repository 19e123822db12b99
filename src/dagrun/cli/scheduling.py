"""Commands about schedules: scheduler, schedules."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dagrun.cli import output
from dagrun.cli.output import Form, Output
from dagrun.cli.streams import unhurried

if TYPE_CHECKING:
    from dagrun.schedules.listing import CheckedFiles
    from dagrun.schedules.loop import Scheduler
    from dagrun.schedules.model import Due, Skip
    from dagrun.service import Service
    from dagrun.work import Json

PATIENCE = 1.0  # seconds that a scheduler that has ended waits for whoever reads what it printed

Directory = Annotated[
    Path | None, typer.Option("--dir", metavar="DIR", help="The schedules (default: configs/schedules).")
]


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command()(scheduler)
    app.command()(schedules)


def scheduler(
    directory: Directory = None,
    once: Annotated[bool, typer.Option("--once", help="One tick: run what is due now, then exit.")] = False,
    serve: Annotated[bool, typer.Option("--serve", help="Run what is due until Ctrl-C or SIGTERM.")] = False,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="With --once: that minute instead of this one.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would fire; write nothing.")] = False,
    form: Output = Form.TEXT,
) -> int:
    """Run what the schedules say: one tick, or until stopped."""
    now = time.time()  # the minute of --once is the one in which it was started
    from dagrun import settings, wiring
    from dagrun.errors import UsageError

    if once == serve:
        raise UsageError("give either --once or --serve" + (", not both" if once else ""))
    if at is not None and serve:
        raise UsageError("--at goes with --once: --serve fires every minute in its time")
    minute = None if at is None else _minute(at)
    chosen = settings.load()
    with wiring.service(chosen) as service:
        files = service.schedule_files(directory)
        if dry_run:
            return _preview(service, files, now, minute, form)
        if not files.load().schedules:
            _report(files)
            return _none_found(files, form)
        told = _Told(form, streaming=serve)
        with output.enduring():
            with (
                unhurried(PATIENCE),
                wiring.scheduler(service, files, told.line, output.say) as scheduler,
            ):
                scheduler.load()
                code = _serve(scheduler, files) if serve else _once(scheduler, now, minute)
            if once:
                told.close(minute or _text(now))
                sys.stdout.flush()
        output.report_lost()
    return code


def _once(scheduler: Scheduler, now: float, minute: str | None) -> int:
    tally = scheduler.once(now, minute)
    return 0 if tally.all_good and not scheduler.firing.failed else 1


def _serve(scheduler: Scheduler, files: CheckedFiles) -> int:
    count = len(scheduler.agenda.schedules)
    output.say(f"Serving {count} schedule{'s'[: count != 1]} of {files.shown}; Ctrl-C ends it")
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
    _report(files)
    if not loaded.schedules:
        return _none_found(files, form)
    found = service.preview_schedules(loaded.schedules, now, minute)
    if form is Form.JSON:
        output.print_json({"minute": minute or _text(now), "fires": [_fire_json(each) for each in found]})
        return 0
    print(f"DRY RUN: {minute or _text(now)} UTC")
    for each in found:
        print(f"  {output.one_line(_sentence(each))}")
    if not found:
        print("  Nothing is due.")
    return 0


def _report(files: CheckedFiles) -> None:
    from dagrun.source import render

    for finding, text in files.load().findings:
        output.say(render(finding, text))


def _fire_json(each: Due | Skip) -> Json:
    from dagrun.schedules.model import Skip

    shape: dict[str, Json] = {
        "schedule_id": each.schedule.id, "minute": each.minute, "dag": each.schedule.dag, "reason": None,
    }  # fmt: skip
    if isinstance(each, Skip):
        shape |= {"reason": str(each.reason), "count": each.count, "first": each.first, "last": each.last}
    return shape


def _sentence(each: Due | Skip) -> str:
    from dagrun.schedules.model import Skip

    if not isinstance(each, Skip):
        return f"{each.schedule.id}: would run {each.schedule.dag} for {each.minute}"
    return f"{each.schedule.id}: would skip {_span(each.count, each.first, each.last)} ({each.reason})"


def _span(count: int, first: str, last: str) -> str:
    return last if count == 1 else f"{count} fires from {first} to {last}"


class _Told:
    """Prints what a scheduler records, as it does so."""

    def __init__(self, form: Form, *, streaming: bool) -> None:
        self.form = form
        self.streaming = streaming
        self.runs: list[Json] = []
        self.skipped: list[Json] = []

    def line(self, line: Mapping[str, Json]) -> None:
        """A line of the state store."""
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
            print(output.one_line(_told(line)), flush=True)

    def close(self, minute: str) -> None:
        """The end of `--once`."""
        if self.form is Form.JSON:
            output.print_json({"minute": minute, "runs": self.runs, "skipped": self.skipped})
        elif not self.runs and not self.skipped:
            print(f"Nothing is due at {minute} UTC.")


def _told(line: Mapping[str, Json]) -> str:
    """What a line of the state store says, in words."""
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
    count: Annotated[
        int, typer.Option("--next", min=0, max=10_000, help="How many fires to tell of each.")
    ] = 1,
    directory: Directory = None,
    form: Output = Form.TEXT,
) -> int:
    """List the schedules and when each fires next.

    Also how its last run ended.
    """
    from dagrun import settings, wiring

    with wiring.service(settings.load()) as service:
        files = service.schedule_files(directory)
        loaded = files.load()
        found = service.schedules(loaded.schedules, time.time(), count)
    if form is Form.JSON:
        output.print_json({"schedules": [each.to_json() for each in found]})
        _report(files)
        return 0
    _report(files)
    if not found:
        return _none_found(files, form)
    rows = []
    for each in found:
        schedule, zone = each.schedule, each.schedule.timetable.zone.name
        fires = [_text(moment) for moment in each.next] or ["disabled" if not schedule.enabled else "never"]
        last = each.last.status if each.last else ("no records" if each.last_id else "-")
        rows.append((schedule.id, schedule.timetable.cron.text, zone, schedule.dag, fires[0], last))
        rows += [("", "", "", "", moment, "") for moment in fires[1:]]
    output.table(("SCHEDULE", "CRON", "TIMEZONE", "DAG", "NEXT (UTC)", "LAST RUN"), rows)
    return 0


def _minute(text: str) -> str:
    """The minute that somebody typed, in UTC unless it says otherwise."""
    from dagrun.clock import from_rfc3339
    from dagrun.errors import UsageError

    try:
        return _text(from_rfc3339(text))
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"--at: '{text}' is no time", hint="write it as 2026-11-20T09:00Z, or with another offset"
        ) from None


def _text(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(moment))
