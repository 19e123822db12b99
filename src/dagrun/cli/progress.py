"""What `run` shows while it runs: plain lines anywhere, and on a terminal also what is running now."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dagrun.app.stretch import RunObserver
from dagrun.cli import output
from dagrun.cli.streams import OWN_COLOURS, unhurried, visible
from dagrun.core.events import (
    CancelRequested,
    DagResume,
    DagStart,
    Event,
    TaskCancel,
    TaskExpand,
    TaskFail,
    TaskOk,
    TaskRetry,
    TaskSkip,
    TaskStart,
)
from dagrun.core.graph import Graph, Node
from dagrun.core.outcomes import FINAL
from dagrun.core.state import RunState
from dagrun.storage.run_store import RunStore

if TYPE_CHECKING:
    from rich.text import Text

MOST_SHOWN = 256 * 1024  # bytes of one attempt's output that are shown while it runs; the log has them all


class PlainProgress(RunObserver):
    """One line on stderr for each thing that happens, and the tasks' output as it comes, with the task before it."""

    def __init__(self, graph: Graph) -> None:
        self.width = min(output.WIDEST, max(map(_width, graph.nodes), default=0))
        self.tails: dict[str, _Tail] = {}
        self.troubles: Counter[int] = Counter()
        self.run_id = ""
        self.runs: RunStore | None = None

    def begin(self, run_id: str, runs: RunStore) -> None:
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
                if self._is_told(event, state):
                    self.line(event, event.task_id, f"started{again}")
            case DagResume():
                kept, left = _counted(event.reused, state), _counted(event.rerun, state)
                self.line(event, "", f"run {self.run_id} resumed: {kept} kept, {left} to run")
            case TaskExpand():
                members = state.nodes[state.index[event.task_id]].members or ()
                self.line(event, event.task_id, f"has {output.count(len(members), 'variant')}")
            case TaskOk() if event.reused_from:
                if self._is_told(event, state):
                    self.line(event, event.task_id, f"taken over from {event.reused_from}")
            case TaskOk():
                changed = "" if event.changed else ", unchanged"
                passed = f"{event.summary} " if event.summary else ""
                what = f"{passed}in {event.duration_seconds:.2f}s{changed}"
                self.done(event, event.task_id, "ok", "success", what, told=self._is_told(event, state))
            case TaskRetry():
                what = (
                    f"{_first_line(event.error)}; attempt {event.attempt + 1} in {event.delay_seconds:.1f}s"
                )
                told = self._is_told(event, state, trouble=True)
                self.done(event, event.task_id, "failed:", "retrying", what, told=told)
            case TaskFail():
                what = _first_line(event.error) + (f" ({event.summary})" if event.summary else "")
                if state.nodes[state.index[event.task_id]].task.tolerates(event.exit_code):
                    what += "; this is tolerated"
                told = self._is_told(event, state, trouble=True)
                self.done(event, event.task_id, "failed:", "failed", what, told=told)
            case TaskSkip():
                told = self._is_told(event, state)
                self.done(event, event.task_id, "skipped:", "skipped", _why(event), told=told)
            case TaskCancel():
                told = self._is_told(event, state)
                self.done(event, event.task_id, "cancelled", "cancelled", _why(event), told=told)
            case CancelRequested():
                self.line(event, "", f"cancelling ({event.reason}); press Ctrl-C again to kill immediately")

    def tick(self) -> None:
        for task_id, tail in self.tails.items():
            self._show(task_id, tail)
        sys.stderr.flush()  # what its reader had no room for

    def done(
        self, event: Event, task_id: str, word: str, style: str, what: str, *, told: bool = True
    ) -> None:
        """An attempt is over: show the rest of its output first."""
        tail = self.tails.pop(task_id, None)
        if tail is not None:
            self._show(task_id, tail, last=True)
        if told:
            self.line(event, task_id, f"{output.paint(word, style, sys.stderr)} {what}".rstrip())

    def line(self, event: Event, task_id: str, text: str) -> None:
        """One line about one moment."""
        clock = time.strftime("%H:%M:%S", time.localtime(event.timestamp))
        self.write(f"{output.paint(clock, 'dim', sys.stderr)} {task_id + ' ' if task_id else ''}{text}")

    def write(self, text: str) -> None:
        """A line on stderr."""
        output.say(text)

    def _is_told(self, event: _TaskEvent, state: RunState, *, trouble: bool = False) -> bool:
        """Whether the event has a line: of many variants only some have, and their group has one at its end."""
        variant = state.nodes[state.index[event.task_id]].variant
        if variant is None or len(state.nodes[variant.group].members or ()) <= output.MANY_VARIANTS:
            return True
        self.troubles[variant.group] += trouble
        return trouble and self.troubles[variant.group] <= output.MANY_VARIANTS

    def _open(self, event: TaskStart) -> None:
        if self.runs is not None:
            path = self.runs.log_path(self.run_id, event.task_id, event.attempt)
            self.tails[event.task_id] = _Tail(path)

    def _show(self, task_id: str, tail: _Tail, *, last: bool = False) -> None:
        for line in tail.lines(last=last):
            self.write(f"{output.paint(task_id.ljust(self.width) + ' |', 'dim', sys.stderr)} {line}")


_TaskEvent = TaskStart | TaskOk | TaskRetry | TaskFail | TaskSkip | TaskCancel


def _width(node: Node) -> int:
    """Of a for_each what its first variants take."""
    return len(node.task.id) + (0 if node.each is None else len("[0]"))


def _why(event: TaskSkip | TaskCancel) -> str:
    summary = f" ({event.summary})" if event.summary else ""
    return f"{event.reason} {event.detail}".rstrip() + summary


def _counted(ids: Sequence[str], state: RunState) -> int:
    """How many tasks they are, without the groups of variants that are among them."""
    return sum(1 for task_id in ids if state.nodes[state.index[task_id]].members is None)


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


class LiveProgress(PlainProgress):
    """Plain lines, and below them what is running now, redrawn as it changes."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        from rich.live import Live

        self.state: RunState | None = None
        self.console = output.console(sys.stderr)
        self.console.soft_wrap = True
        self.live = Live(
            console=self.console, refresh_per_second=10, transient=True, get_renderable=self._picture
        )

    def event(self, event: Event, state: RunState) -> None:
        self.state = state
        super().event(event, state)

    def write(self, text: str) -> None:
        from rich.text import Text

        self.console.print(Text.from_ansi(visible(text, OWN_COLOURS)))

    def _picture(self) -> Text:
        from rich.text import Text

        if self.state is None:
            return Text("")
        now = time.time()
        running = [
            f"{node.task.id} {output.seconds(max(0.0, now - (task.started_at or now)))}"
            for node, task in zip(self.state.nodes, self.state.tasks, strict=True)
            if task.status == "running"
        ]
        counts = self.state.counts()
        ended = sum(number for status, number in counts.items() if status in FINAL)
        more = f" and {len(running) - 5} more" if len(running) > 5 else ""
        return Text(
            f"{ended}/{sum(counts.values())} done; running: {', '.join(running[:5]) or '-'}{more}",
            style="cyan",
        )


@contextmanager
def progress(graph: Graph, *, quiet: bool) -> Iterator[RunObserver]:
    """The progress that suits where stderr goes. The run that it shows waits for nobody who reads it."""
    with unhurried():
        if quiet:
            yield RunObserver()
        elif output.is_colourful(sys.stderr):
            live = LiveProgress(graph)
            with live.live:
                yield live
        else:
            yield PlainProgress(graph)
