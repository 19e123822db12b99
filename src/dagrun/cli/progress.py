"""What `run` shows while it runs: plain lines anywhere, and on a terminal also what is running now."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from dagrun.cli import output
from dagrun.events import (
    CancelRequested,
    DagResume,
    DagStart,
    Event,
    TaskCancel,
    TaskFail,
    TaskOk,
    TaskRetry,
    TaskSkip,
    TaskStart,
)
from dagrun.graph import Graph
from dagrun.runs.base import RunStore
from dagrun.service import Shown
from dagrun.state import RunState

if TYPE_CHECKING:
    from rich.text import Text

MOST_SHOWN = 256 * 1024  # bytes of one attempt's output that are shown while it runs; the log has them all


class PlainProgress(Shown):
    """One line on stderr for each thing that happens, and the tasks' output as it comes, with the task before it."""

    def __init__(self, graph: Graph) -> None:
        self.width = min(24, max((len(node.task.id) for node in graph.nodes), default=0))
        self.tails: dict[str, _Tail] = {}
        self.run_id = ""
        self.runs: RunStore | None = None

    def announce(self, run_id: str, runs: RunStore) -> None:
        self.run_id, self.runs = run_id, runs

    def event(self, event: Event, state: RunState) -> None:
        match event:
            case DagStart():
                self.line(
                    event,
                    "",
                    f"run {self.run_id} started: {event.task_count} task{'s'[: event.task_count != 1]}",
                )
            case TaskStart():
                self._open(event)
                again = f" (attempt {event.attempt})" if event.attempt > 1 else ""
                self.line(event, event.task_id, f"started{again}")
            case DagResume():
                kept, left = len(event.reused), len(event.rerun)
                self.line(event, "", f"run {self.run_id} resumed: {kept} kept, {left} to run")
            case TaskOk() if event.reused_from:
                self.line(event, event.task_id, f"taken over from {event.reused_from}")
            case TaskOk():
                changed = "" if event.changed else ", unchanged"
                self.done(event, event.task_id, "ok", "success", f"in {event.duration_seconds:.2f}s{changed}")
            case TaskRetry():
                what = (
                    f"{_first_line(event.error)}; attempt {event.attempt + 1} in {event.delay_seconds:.1f}s"
                )
                self.done(event, event.task_id, "failed:", "retrying", what)
            case TaskFail():
                self.done(event, event.task_id, "failed:", "failed", _first_line(event.error))
            case TaskSkip():
                self.line(event, event.task_id, f"skipped: {event.reason} {event.detail}".rstrip())
            case TaskCancel():
                self.done(
                    event, event.task_id, "cancelled", "cancelled", f"{event.reason} {event.detail}".rstrip()
                )
            case CancelRequested():
                self.line(event, "", f"cancelling ({event.reason}); once more to kill at once")

    def tick(self) -> None:
        for task_id, tail in self.tails.items():
            self._show(task_id, tail)

    def done(self, event: Event, task_id: str, word: str, style: str, what: str) -> None:
        """An attempt is over: show the rest of its output first."""
        tail = self.tails.pop(task_id, None)
        if tail is not None:
            self._show(task_id, tail, last=True)
        self.line(event, task_id, f"{output.paint(word, style, sys.stderr)} {what}".rstrip())

    def line(self, event: Event, task_id: str, text: str) -> None:
        """One line about one moment."""
        clock = time.strftime("%H:%M:%S", time.localtime(event.timestamp))
        self.write(f"{output.paint(clock, 'dim', sys.stderr)} {task_id + ' ' if task_id else ''}{text}")

    def write(self, text: str) -> None:
        """A line on stderr."""
        output.say(text)

    def _open(self, event: TaskStart) -> None:
        if self.runs is not None:
            path = self.runs.log_path(self.run_id, event.task_id, event.attempt)
            self.tails[event.task_id] = _Tail(path)

    def _show(self, task_id: str, tail: _Tail, *, last: bool = False) -> None:
        for line in tail.lines(last=last):
            self.write(f"{output.paint(task_id.ljust(self.width) + ' |', 'dim', sys.stderr)} {line}")


def _first_line(text: str) -> str:
    return output.one_line((text.splitlines() or [""])[0])


class _Tail:
    """What has been added to a log since the last look."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self.rest = b""

    def lines(self, *, last: bool) -> Iterator[str]:
        """The lines that are complete; with `last` also one that is not."""
        try:
            if self.path.stat().st_size > self.offset:
                if self.offset >= MOST_SHOWN:
                    return
                with self.path.open("rb") as file:
                    file.seek(self.offset)
                    data = file.read(MOST_SHOWN - self.offset)
                self.offset += len(data)
                self.rest += data
        except OSError:  # not there yet, or not there any more
            return
        *whole, self.rest = self.rest.split(b"\n")
        if last and self.rest:
            whole.append(self.rest)
            self.rest = b""
        for line in whole:
            yield _printable(line)
        if whole and self.offset >= MOST_SHOWN:
            yield f"... more in {self.path}"


def _printable(line: bytes) -> str:
    """A line as text; what would move a terminal's cursor is taken out (colours may stay on a terminal)."""
    text = line.decode("utf-8", "replace").rstrip("\r").rpartition("\r")[2]
    return "".join(
        char if char.isprintable() or char == "\t" else "\N{REPLACEMENT CHARACTER}" for char in text
    )


class _Heard:
    """A stream that nobody may be reading any more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with output.heard(self._stream):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with output.heard(self._stream):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class LiveProgress(PlainProgress):
    """Plain lines, and below them what is running now, redrawn as it changes."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        from rich.console import Console
        from rich.live import Live

        self.total = len(graph.nodes)
        self.state: RunState | None = None
        self.console = Console(
            file=cast("TextIO", _Heard(sys.stderr)), highlight=False, markup=False, soft_wrap=True
        )
        self.live = Live(
            console=self.console, refresh_per_second=10, transient=True, get_renderable=self._picture
        )

    def event(self, event: Event, state: RunState) -> None:
        self.state = state
        super().event(event, state)

    def write(self, text: str) -> None:
        from rich.text import Text

        self.console.print(Text.from_ansi(text))

    def _picture(self) -> Text:
        from rich.text import Text

        if self.state is None:
            return Text("")
        now = time.time()
        running = [
            f"{node.task.id} {output.seconds(max(0.0, now - (task.started_at or now)))}"
            for node, task in zip(self.state.graph.nodes, self.state.tasks, strict=True)
            if task.status == "running"
        ]
        ended = sum(1 for task in self.state.tasks if task.finished_at is not None)
        more = f" and {len(running) - 5} more" if len(running) > 5 else ""
        return Text(
            f"{ended}/{self.total} done; running: {', '.join(running[:5]) or '-'}{more}", style="cyan"
        )


@contextmanager
def progress(graph: Graph, *, quiet: bool) -> Iterator[Shown]:
    """The progress that suits where stderr goes."""
    if quiet:
        yield Shown()
    elif output.colourful(sys.stderr):
        live = LiveProgress(graph)
        with live.live:
            yield live
    else:
        yield PlainProgress(graph)
