"""Output that is updated until a run ends: events, `status --watch`, `logs -f`."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from dagrun.cli import output
from dagrun.cli.completion_candidates import complete_event, complete_run
from dagrun.cli.options import Form, Output, at_least
from dagrun.cli.streams import OWN_COLOURS, visible

if TYPE_CHECKING:
    from types import FrameType

    from dagrun.app.following import Watch
    from dagrun.app.service import Service
    from dagrun.core.work import Json
    from dagrun.storage.run_store import EventTail
    from dagrun.views.status import RunView

POLL_INTERVAL = 0.1  # seconds
PAST = 20  # events of all runs that are printed before the first new one

Follow = Annotated[bool, typer.Option("-f", "--follow", help="Keep printing until the run ends.")]


def events(
    follow: Follow = False,
    run: Annotated[
        str | None,
        typer.Option(
            "--run", metavar="RUN", help="Print all events of this run.", autocompletion=complete_run
        ),
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(
            "--event",
            metavar="NAME",
            help="Only events of this name, such as `task_fail`. Repeatable.",
            autocompletion=complete_event,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            parser=at_least(0),
            help="The number of past events to print.  [default: 20; with --run, all]",
        ),
    ] = None,
    form: Output = Form.TEXT,
) -> int:
    """Print the recorded events of one run or of all runs.

    Without --run, --follow never ends: press Ctrl-C.

    Examples:
      dagrun events --run latest
      dagrun events -f --event task_fail -o json

    Exit codes:
      0  the events were printed
      2  there is no such run or event

    Environment:
      ORCH_EVENTS_PATH   the file with the events of all runs
                         (default: logs/orchestrator_events.jsonl)
    """
    from dagrun import settings
    from dagrun.app import wiring

    with wiring.service(settings.load()) as service:
        run_id = None if run is None else service.run_id(run)
        tail = service.events(run_id, event or ())
        show = print_events if form is Form.JSON else EventLines().print
        try:
            if limit is None and run_id is None:
                limit = PAST
            past = [] if limit is None else tail.last(limit)
            if not follow and limit is not None:
                show([*past, *tail.finish()][-limit:] if limit else [])
                return 0
            show(past)
            ended = _ended(service, run_id) if follow else lambda: True
            for found in follow_events(tail, ended):
                show(found)
        finally:
            if tail.corrupt:
                output.say(f"{tail.corrupt} line(s) could not be read")
            tail.close()
    return 0


def _ended(service: Service, run_id: str | None) -> Callable[[], bool]:
    """Returns whether nothing more will come. The stream of all runs has no end."""
    return lambda: run_id is not None and not service.is_live(run_id)


def follow_events(tail: EventTail, ended: Callable[[], bool]) -> Iterator[list[dict[str, Json]]]:
    """New events as they are recorded, until `ended` was true before a poll that found nothing."""
    while True:
        over = ended()  # before the poll, so that events written before the end are still read
        while found := tail.poll():
            yield found
        if over:
            yield tail.finish()
            return
        time.sleep(POLL_INTERVAL)


def print_events(found: list[dict[str, Json]]) -> None:
    """One JSON object per line, as recorded."""
    for event in found:
        output.print_json(event)
    sys.stdout.flush()


#: Fields of an event that are not printed for people.
_NOISE = frozenset({
    "timestamp", "event", "run_id", "task_id", "dag_name", "tenant", "dag_hash", "max_parallel", "outputs", "items",
    "request_id",
})  # fmt: skip
_STYLES = {
    "task_ok": "success", "task_fail": "failed", "task_retry": "retrying", "task_skip": "skipped",
    "task_cancel": "cancelled", "cancel_requested": "cancelled", "task_start": "running",
    "task_wait": "waiting", "dag_pause": "waiting",
    "hook_start": "running",
}  # fmt: skip
_LONGEST_VALUE = 200


class EventLines:
    """Prints events as lines for people: time, run, task, event, fields. Columns are as wide as the longest name so far."""

    def __init__(self) -> None:
        self._run, self._task = 0, 8

    def print(self, found: list[dict[str, Json]]) -> None:
        """One line for each event."""
        for event in found:
            self._widen(event)
        for event in found:
            print(self.line(event))
        sys.stdout.flush()

    def _widen(self, event: dict[str, Json]) -> tuple[str, str]:
        """Make room for the names in an event. Returns its run and its task."""
        run_id, task_id = str(event.get("run_id", "-")), str(event.get("task_id", "-"))
        self._run = max(self._run, min(len(run_id), output.WIDEST))
        self._task = max(self._task, min(len(task_id), output.WIDEST))
        return run_id, task_id

    def line(self, event: dict[str, Json]) -> str:
        """The line for one event."""
        run_id, task_id = self._widen(event)
        name = str(event["event"])
        style = str(event.get("status", "")) if name == "dag_done" else _STYLES.get(name, "")
        head = (
            f"{output.paint(_local(event.get('timestamp')), 'dim')}  {output.one_line(run_id):<{self._run}}  "
        )
        head += f"{output.one_line(task_id):<{self._task}}  {output.paint(output.one_line(name).ljust(12), style)}"
        return f"{head}  {output.one_line(_fields(event))}".rstrip()


def _local(timestamp: Json) -> str:
    from dagrun.clock import from_rfc3339

    try:
        moment = from_rfc3339(timestamp)
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment)) + f".{round(moment % 1 * 1000):03d}"
    except (TypeError, ValueError, OverflowError, OSError):
        return output.one_line(str(timestamp))


def _fields(event: dict[str, Json]) -> str:
    """The fields as `name=value`, without empty ones."""
    shown = {key: value for key, value in event.items() if key not in _NOISE}
    if event["event"].startswith("dag_"):
        shown = {"dag": event.get("dag_name"), **shown}
    return " ".join(
        f"{key.removesuffix('_seconds')}={_value(key, value)}"
        for key, value in shown.items()
        if value not in (None, False, "", {}, []) or key in ("changed", "count")
    )


def _value(key: str, value: Json) -> str:
    if isinstance(value, int | float) and key.endswith("_seconds"):
        return output.seconds(value)
    plain = isinstance(value, str) and value.isprintable() and not set(value) & {" ", '"', "="}
    text = value if plain else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def follow_logs(service: Service, run: str, task: str | None, form: Form) -> int:
    """Print the output of a run's tasks until the run ends."""
    follower = service.follow_logs(run, task)
    try:
        while True:
            for line in follower.poll():
                if form is Form.JSON:
                    output.print_json({"task_id": line.task_id, "attempt": line.attempt, "line": line.text})
                else:
                    output.print_as_is(f"{line.task_id}.{line.attempt} | {line.text}\n")
            sys.stdout.flush()
            if not follower.live:
                return 0
            time.sleep(POLL_INTERVAL)
    finally:
        follower.close()


ChildViews = Mapping[str, "RunView"]
#: Formats a run with its child runs, in at most so many rows.
Lines = Callable[["RunView", int | None, ChildViews], list[str]]


def watch_status(
    service: Service, run: str, form: Form, lines: Lines, below: Callable[[RunView], ChildViews]
) -> int:
    """Show the status of a run until no process drives it any more. `below` gives its child runs, by id."""
    watch = service.watch(run)
    try:
        if form is Form.JSON:
            for changed in _polls(watch):
                if changed:
                    print_events([watch.view().to_json()])
        elif output.is_colourful(sys.stdout):
            _redraw(watch, lines, below)
        else:
            _blocks(watch, lines, below)
    finally:
        watch.close()
    return 0


def _polls(watch: Watch) -> Iterator[bool]:
    """Whether each poll found anything new. The last poll is after the end of the run.

    When drawing takes long, polls are less frequent: watching a large run must not keep a processor busy.
    """
    before = None
    while True:
        began = time.monotonic()
        found = watch.poll()
        yield bool(found) or watch.state.status != before
        before = watch.state.status
        if not watch.live:
            return
        time.sleep(max(POLL_INTERVAL, 4 * (time.monotonic() - began)))


def _blocks(watch: Watch, lines: Lines, below: Callable[[RunView], ChildViews]) -> None:
    """Print a block whenever something has changed, in a child run too, with empty lines between blocks."""
    before: object = None
    for changed in _polls(watch):
        view = watch.view()
        children = below(view)
        now = [(child.run_id, child.status, child.counts()) for child in children.values()]
        if changed or now != before:
            print("\n".join([""] * (before is not None) + lines(view, None, children)), flush=True)
            before = now


def _redraw(watch: Watch, lines: Lines, below: Callable[[RunView], ChildViews]) -> None:
    """Draw the status over and over in the same place; at the end print all of it."""
    from rich.live import Live
    from rich.text import Text

    console = output.console(sys.stdout)
    with _terminable(), Live(console=console, auto_refresh=False, transient=True) as live:
        for _ in _polls(watch):
            view = watch.view()
            text = "\n".join(lines(view, console.height - 1, below(view)))
            live.update(
                Text.from_ansi(visible(text, OWN_COLOURS), no_wrap=True, overflow="ellipsis"), refresh=True
            )
    view = watch.view()
    print("\n".join(lines(view, None, below(view))))


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Within the block signals raise SystemExit, so that the cursor of the terminal is restored."""

    def leave(signum: int, _frame: FrameType | None) -> None:
        sys.exit(128 + signum)

    before = {
        signum: signal.signal(signum, leave)
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(signum) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
