"""A recorded run with the events of each task, for explanations."""

from __future__ import annotations

from collections import defaultdict

from dagrun.core.events import (
    CancelRequested,
    DagResume,
    DagStart,
    Event,
    SignalReceived,
    TaskCancel,
    TaskFail,
    TaskOk,
    TaskSkip,
)
from dagrun.core.graph import Graph, Node
from dagrun.core.outcomes import RunStatus, Status
from dagrun.core.record import RunRecord, fold, mark_interrupted
from dagrun.core.state import RunState
from dagrun.core.task_state import TaskState
from dagrun.value import Value


class RecordedEvent(Value):
    """An event and its position in the journal."""

    position: int
    event: Event


class RecordedRun:
    """The state of a run and its events by task. Events that do not fit the recorded DAG are left out."""

    def __init__(self, record: RunRecord) -> None:
        self.state = RunState(Graph.compile(record.dag))
        self.cancel: RecordedEvent | None = None
        self.signals: dict[str, RecordedEvent] = {}  # the last one of each name
        self.size = 0
        self._events: dict[str, list[RecordedEvent]] = defaultdict(list)
        self._stretches: list[RecordedEvent] = []
        for event in record.events:
            if not fold(self.state, [event]):
                self._add(RecordedEvent(self.size, event))
        if not record.live:
            mark_interrupted(self.state)

    def _add(self, recorded: RecordedEvent) -> None:
        self.size += 1
        match recorded.event:
            case DagStart() | DagResume():
                self._stretches.append(recorded)
            case CancelRequested():
                self.cancel = recorded
            case SignalReceived(signal=name):
                self.signals[name] = recorded
        task_id = getattr(recorded.event, "task_id", None)
        if task_id is not None:
            self._events[task_id].append(recorded)

    @property
    def is_interrupted(self) -> bool:
        """Whether the run has not ended and nobody drives it."""
        return self.state.status is RunStatus.INTERRUPTED

    def task(self, task_id: str) -> TaskState:
        """The state of a task."""
        return self.state.tasks[self.state.index[task_id]]

    def node(self, task_id: str) -> Node:
        """The node of a task."""
        return self.state.nodes[self.state.index[task_id]]

    def name(self, i: int) -> str:
        """The id of a task."""
        return self.state.nodes[i].task.id

    def status(self, node: Node) -> Status:
        """The status of a task as people see it: a group is running once one of its variants has begun."""
        status = self.state.tasks[node.index].status
        begun = any(self.state.tasks[i].started_at is not None for i in node.members or ())
        return self.state.status_of_group(node) if begun and status is Status.PENDING else status

    def is_running(self, i: int) -> bool:
        """Whether an attempt of the task is running."""
        return self.state.tasks[i].status is Status.RUNNING

    def events(self, task_id: str) -> list[RecordedEvent]:
        """All events of a task."""
        return self._events[task_id]

    def last(self, task_id: str) -> RecordedEvent:
        """The last event of a task that has one."""
        return self._events[task_id][-1]

    def end_before(self, task_id: str, position: int) -> RecordedEvent | None:
        """How the task had ended at that position; a resumed run may have ended it again since."""
        for recorded in reversed(self._events[task_id]):
            is_end = isinstance(recorded.event, TaskOk | TaskFail | TaskSkip | TaskCancel)
            if is_end and recorded.position < position:
                return recorded
        return None

    def stretch_before(self, position: int) -> RecordedEvent | None:
        """The event that began the stretch of that position; None: its line is missing."""
        return next((each for each in reversed(self._stretches) if each.position < position), None)

    def slots(self, position: int) -> int:
        """How many attempts could run at once at that position."""
        stretch = self.stretch_before(position)
        return (
            stretch.event.max_parallel if stretch and isinstance(stretch.event, DagStart | DagResume) else 1
        )


def end_in_words(event: Event) -> str:
    """How a task ended: `succeeded`, `timed out`, `was skipped: DependencyFailed`."""
    match event:
        case TaskFail():
            return "timed out" if event.timed_out else "failed"
        case TaskCancel():
            return f"was cancelled: {event.reason}"
        case TaskSkip():
            return f"was skipped: {event.reason}"
    return "succeeded"
