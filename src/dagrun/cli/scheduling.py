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
    from dagrun.app.service import Service
    from dagrun.core.work import Json
    from dagrun.scheduling.schedule import SkippedFires
    from dagrun.scheduling.schedule_files import Loaded
    from dagrun.scheduling.schedule_queries import CheckedFiles, Preview
    from dagrun.scheduling.scheduler import Scheduler

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
    from dagrun import settings
    from dagrun.app import wiring
    from dagrun.clock import process_start
    from dagrun.errors import UsageError

    now = process_start()  # the minute of --once is the one in which it was started
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
        loaded = files.load()
        if not loaded.schedules:
            _report(loaded)
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
    return 0 if tally.all_succeeded and not scheduler.enqueuer.failed else 1


def _serve(scheduler: Scheduler, files: CheckedFiles) -> int:
    count = len(scheduler.fire_queue.schedules)
    scheduler.report(f"Serving {count} schedule{'s'[: count != 1]} of {files.shown}; Ctrl-C ends it")
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
    code = _report(loaded)
    if not loaded.schedules:
        return code or _none_found(files, form)
    found = service.preview_schedules(loaded.schedules, now, minute)
    if form is Form.JSON:
        output.print_json({"minute": minute or _text(now), "fires": [_fire_json(each) for each in found]})
        return code
    print(f"DRY RUN: {minute or _text(now)} UTC")
    for each in found:
        print(f"  {output.one_line(_sentence(each))}")
    if not found:
        print("  Nothing is due.")
    return code


def _report(loaded: Loaded) -> int:
    """Every finding, and the exit code that they come to."""
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
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[reset ID]", help="Move the watermark of a schedule back to now."),
    ] = None,
    count: Annotated[
        int, typer.Option("--next", min=0, max=10_000, help="How many fires to tell of each.")
    ] = 1,
    directory: Directory = None,
    form: Output = Form.TEXT,
) -> int:
    """List the schedules and when each fires next.

    Also how its last run ended. After a clock was wrong, `schedules reset ID` lets a schedule fire again from now on; a
    minute that has become a run is still not fired again.
    """
    from dagrun import settings
    from dagrun.app import wiring

    with wiring.service(settings.load()) as service:
        files = service.schedule_files(directory)
        if words:
            return _reset(service, files, words, form)
        loaded = files.load()
        found = service.schedules(loaded.schedules, time.time(), count)
    if form is Form.JSON:
        output.print_json({"schedules": [each.to_json() for each in found]})
    code = _report(loaded)
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
            f"schedules: '{' '.join(words)}' is no request",
            hint="`dagrun schedules reset ID`, or no word at all",
        )
    schedule_id, now = words[1], time.time()
    known = [schedule.id for schedule in files.load().schedules] if files.directory.is_dir() else []
    before = service.reset_schedule(schedule_id, now, known)
    if form is Form.JSON:
        output.print_json({"schedule_id": schedule_id, "settled_until": _text(now), "before": before or None})
    elif before:
        print(f"{schedule_id} was settled until {before} UTC and fires again from now on.")
    else:
        print(f"{schedule_id} is not settled beyond now: nothing was changed.")
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
