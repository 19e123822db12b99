"""The progress of a run: plain lines anywhere, and on a terminal also the tasks that are running."""

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
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRejected,
    CancelRequested,
    DagPause,
    DagResume,
    DagStart,
    Event,
    HookEnd,
    HookStart,
    RunLate,
    SignalReceived,
    TaskCancel,
    TaskExpand,
    TaskFail,
    TaskOk,
    TaskRetry,
    TaskSkip,
    TaskStart,
    TaskWait,
)
from dagrun.core.graph import Graph, Node
from dagrun.core.hooks import id_of
from dagrun.core.outcomes import FINAL
from dagrun.core.state import RunState
from dagrun.storage.run_store import RunStore
from dagrun.views.waiting import shown_moment

if TYPE_CHECKING:
    from rich.text import Text

MAX_SHOWN = 256 * 1024  # bytes of the output of one attempt; the log has all of it


class PlainProgress(RunObserver):
    """Prints a line on stderr for each event, and the output of tasks with the task's name before each line."""

    def __init__(self, graph: Graph, above: PlainProgress | None = None, prefix: str = "") -> None:
        """`prefix` comes before the names of tasks: those of a child run are shown as `task/task`, by the one `above`."""
        self.prefix = prefix
        self.above = above
        self.width = min(output.WIDEST, max(map(_width, graph.nodes), default=0))
        self.tails: dict[str, _LogTail] = {}
        self.troubles: Counter[int] = Counter()
        self.run_id = ""
        self.runs: RunStore | None = None
        self.state: RunState | None = None

    def begin(self, run_id: str, runs: RunStore) -> None:
        self.run_id, self.runs = run_id, runs

    def child(self, task_id: str, graph: Graph) -> RunObserver:
        if self.state is not None and _is_one_of_many(self.state, task_id):
            return RunObserver()
        return PlainProgress(graph, self, f"{self.prefix}{task_id}/")

    def event(self, event: Event, state: RunState) -> None:
        self.state = state
        match event:
            case DagStart():
                self.line(
                    event,
                    "",
                    f"run {self.run_id} started: {event.task_count} task{'s'[: event.task_count != 1]}",
                )
            case TaskStart():
                self._open(event.task_id, event.attempt)
                again = f" (attempt {event.attempt})" if event.attempt > 1 else ""
                if self._is_shown(event, state):
                    self.line(event, event.task_id, f"started{again}")
            case TaskWait():
                if self._is_shown(event, state):
                    self.line(event, event.task_id, _waits(event))
            case ApprovalGranted():
                self.line(event, event.task_id, f"approved by {_first_line(event.by)}")
            case ApprovalRejected():
                self.line(event, event.task_id, f"rejected by {_first_line(event.by)}")
            case ApprovalExpired():
                self.line(event, event.task_id, f"nobody decided before {shown_moment(event.expires_at)}")
            case SignalReceived():
                self.line(event, "", f"signal '{_first_line(event.signal)}' from {_first_line(event.by)}")
            case DagPause():
                self.line(event, "", f"run {self.run_id} pauses: it waits for {', '.join(event.waiting_for)}")
            case DagResume():
                kept, left = _counted(event.reused, state), _counted(event.rerun, state)
                still = f", {_counted(event.waiting, state)} waiting" if event.waiting else ""
                self.line(event, "", f"run {self.run_id} resumed: {kept} kept, {left} to run{still}")
            case TaskExpand():
                members = state.nodes[state.index[event.task_id]].members or ()
                self.line(event, event.task_id, f"has {output.count(len(members), 'variant')}")
            case TaskOk() if event.reused_from:
                if self._is_shown(event, state):
                    self.line(event, event.task_id, f"reused from {event.reused_from}")
            case TaskOk():
                changed = "" if event.changed else ", unchanged"
                passed = f"{event.summary} " if event.summary else ""
                what = f"{passed}in {event.duration_seconds:.2f}s{changed}"
                self.done(event, event.task_id, "ok", "success", what, shown=self._is_shown(event, state))
            case TaskRetry():
                what = (
                    f"{_first_line(event.error)}; attempt {event.attempt + 1} in {event.delay_seconds:.1f}s"
                )
                shown = self._is_shown(event, state, trouble=True)
                self.done(event, event.task_id, "failed:", "retrying", what, shown=shown)
            case TaskFail():
                what = _first_line(event.error) + (f" ({event.summary})" if event.summary else "")
                if state.nodes[state.index[event.task_id]].task.tolerates(event.exit_code):
                    what += "; this is tolerated"
                shown = self._is_shown(event, state, trouble=True)
                self.done(event, event.task_id, "failed:", "failed", what, shown=shown)
            case TaskSkip():
                shown = self._is_shown(event, state)
                self.done(event, event.task_id, "skipped:", "skipped", _why(event), shown=shown)
            case TaskCancel():
                shown = self._is_shown(event, state)
                self.done(event, event.task_id, "cancelled", "cancelled", _why(event), shown=shown)
            case RunLate():
                self.line(event, "", f"run {self.run_id} is late: {event.reason}")
            case HookStart():
                hook = id_of(event.hook)
                self._open(hook, event.attempt)
                self.line(event, hook, "started")
            case HookEnd():
                word, style = _HOOK_ENDS.get(event.status, ("failed:", "failed"))
                what = _first_line(event.error) if event.error else f"in {event.duration_seconds:.2f}s"
                self.done(event, id_of(event.hook), word, style, "" if style == "cancelled" else what)
            case CancelRequested() if not self.prefix:
                why = f" ({event.reason})" if event.reason else ""
                self.line(event, "", f"cancelling{why}; press Ctrl-C again to kill immediately")

    def tick(self) -> None:
        for task_id, tail in self.tails.items():
            self._show(task_id, tail)
        sys.stderr.flush()  # what could not be written before, because nobody read it

    def done(
        self, event: Event, task_id: str, word: str, style: str, what: str, *, shown: bool = True
    ) -> None:
        """An attempt has ended: print the rest of its output, then a line."""
        tail = self.tails.pop(task_id, None)
        if tail is not None:
            self._show(task_id, tail, last=True)
        if shown:
            self.line(event, task_id, f"{output.paint(word, style, sys.stderr)} {what}".rstrip())

    def line(self, event: Event, task_id: str, text: str) -> None:
        """Print one line with the time of the event."""
        clock = time.strftime("%H:%M:%S", time.localtime(event.timestamp))
        name = self.prefix + task_id if task_id else self.prefix.removesuffix("/")
        self.write(f"{output.paint(clock, 'dim', sys.stderr)} {name + ' ' if name else ''}{text}")

    def write(self, text: str) -> None:
        """A line on stderr."""
        if self.above is not None:
            self.above.write(text)
        else:
            output.say(text)

    def _is_shown(self, event: _TaskEvent, state: RunState, *, trouble: bool = False) -> bool:
        """Whether the event has a line. In a large group only variants in trouble have one, and the group at its end."""
        variant = state.nodes[state.index[event.task_id]].variant
        if variant is None or not _is_one_of_many(state, event.task_id):
            return True
        self.troubles[variant.group] += trouble
        return trouble and self.troubles[variant.group] <= output.MANY_VARIANTS

    def _open(self, task_id: str, attempt: int) -> None:
        if self.runs is not None:
            self.tails[task_id] = _LogTail(self.runs.log_path(self.run_id, task_id, attempt))

    def _show(self, task_id: str, tail: _LogTail, *, last: bool = False) -> None:
        for line in tail.lines(last=last):
            name = f"{self.prefix}{task_id.ljust(self.width)} |"
            self.write(f"{output.paint(name, 'dim', sys.stderr)} {line}")


def _waits(event: TaskWait) -> str:
    """What a task waits for."""
    if event.is_approval:
        return f"waits for an approval: {_first_line(event.prompt or '')}"
    if event.signal is not None:
        return f"waits for the signal '{event.signal}'"
    if event.file is not None:
        return f"waits for {output.one_line(event.file)}"
    if (event.ends_at or event.timestamp) < event.timestamp:
        return f"does not wait: {shown_moment(event.until)} has passed"
    if event.child_run_id is not None:
        return f"waits for child run {event.child_run_id}"
    return f"waits until {shown_moment(event.until)}"


#: How the end of a hook is shown.
_HOOK_ENDS = {"success": ("ok", "success"), "cancelled": ("cancelled", "cancelled")}
_TaskEvent = TaskStart | TaskWait | TaskOk | TaskRetry | TaskFail | TaskSkip | TaskCancel


def _is_one_of_many(state: RunState, task_id: str) -> bool:
    """Whether the task is a variant of a large group."""
    variant = state.nodes[state.index[task_id]].variant
    return variant is not None and len(state.nodes[variant.group].members or ()) > output.MANY_VARIANTS


def _width(node: Node) -> int:
    """The width of the name of a node; for a for_each, of its first variants."""
    return len(node.task.id) + (0 if node.each is None else len("[0]"))


def _why(event: TaskSkip | TaskCancel) -> str:
    summary = f" ({event.summary})" if event.summary else ""
    return f"{event.reason} {event.detail}".rstrip() + summary


def _counted(ids: Sequence[str], state: RunState) -> int:
    """How many of these are tasks, not groups."""
    return sum(1 for task_id in ids if state.nodes[state.index[task_id]].members is None)


def _first_line(text: str) -> str:
    return output.one_line((text.splitlines() or [""])[0])


class _LogTail:
    """Reads what was added to a log since the last poll."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self.rest = b""

    def lines(self, *, last: bool) -> Iterator[str]:
        """The new complete lines; with `last` also an incomplete one."""
        try:
            if self.path.stat().st_size > self.offset:
                if self.offset >= MAX_SHOWN:
                    return
                with self.path.open("rb") as file:
                    file.seek(self.offset)
                    data = file.read(MAX_SHOWN - self.offset)
                self.offset += len(data)
                self.rest += data
        except OSError:  # not created yet, or removed
            return
        *whole, self.rest = self.rest.split(b"\n")
        if last and self.rest:
            whole.append(self.rest)
            self.rest = b""
        for line in whole:
            yield _printable(line)
        if whole and self.offset >= MAX_SHOWN:
            yield f"... more in {self.path}"


def _printable(line: bytes) -> str:
    """A line as text without control characters."""
    text = line.decode("utf-8", "replace").rstrip("\r").rpartition("\r")[2]
    return "".join(
        char if char.isprintable() or char == "\t" else "\N{REPLACEMENT CHARACTER}" for char in text
    )


class LiveProgress(PlainProgress):
    """Plain lines, and below them the running tasks, redrawn as they change."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        from rich.live import Live

        self.console = output.console(sys.stderr)
        self.console.soft_wrap = True
        self.live = Live(
            console=self.console, refresh_per_second=10, transient=True, get_renderable=self._picture
        )

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
    """The observer that suits stderr: a terminal or not. The run does not wait for whoever reads stderr."""
    with unhurried():
        if quiet:
            yield RunObserver()
        elif output.is_colourful(sys.stderr):
            live = LiveProgress(graph)
            with live.live:
                yield live
        else:
            yield PlainProgress(graph)
