"""What to do next in a run: frozen values that `decide` returns and the engine carries out."""

from __future__ import annotations

from dataclasses import dataclass

from dagrun.core.graph import Node
from dagrun.core.outcomes import Reason, RunStatus


@dataclass(frozen=True, slots=True)
class Start:
    """Start attempt number `attempt` of the task. `waited_for` is recorded with it (see `events.TaskStart`)."""

    node: Node
    attempt: int
    waited_for: str | None = None


@dataclass(frozen=True, slots=True)
class Prefetch:
    """Pass the attempt to a worker, which begins it when its present body has ended."""

    node: Node
    attempt: int


@dataclass(frozen=True, slots=True)
class Skip:
    """Record that the task will not run."""

    node: Node
    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Record the end of a task that has no body to stop: it waits, or was never started."""

    node: Node
    reason: Reason


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the running or prefetched attempt. Stays the decision until `Frontier.stop_requested` is called."""

    node: Node
    reason: Reason


@dataclass(frozen=True, slots=True)
class EvaluateCondition:
    """Evaluate the condition of the task and pass its value to `Frontier.condition_evaluated`."""

    node: Node


@dataclass(frozen=True, slots=True)
class Expand:
    """Evaluate the list of a for_each and record it."""

    node: Node


@dataclass(frozen=True, slots=True)
class EndGroup:
    """All variants of the group have ended: record the event that `completion.group_end` returns."""

    node: Node


@dataclass(frozen=True, slots=True)
class CheckFile:
    """Look at the file that the task waits for, and pass what is seen to `WaitQueue.file_checked`."""

    node: Node


@dataclass(frozen=True, slots=True)
class Expire:
    """Nobody has answered the approval in time: record that."""

    node: Node


@dataclass(frozen=True, slots=True)
class EndWait:
    """The wait of the task is over: record the event that `completion.wait_end` returns."""

    node: Node


@dataclass(frozen=True, slots=True)
class Pause:
    """Only approvals and signals can continue the run: record that, with their tasks."""

    waiting_for: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finish:
    """All tasks have ended: record the end of the run."""

    status: RunStatus
    reason: str


Decision = (
    Start
    | Prefetch
    | Skip
    | Cancel
    | Stop
    | EvaluateCondition
    | Expand
    | EndGroup
    | CheckFile
    | Expire
    | EndWait
    | Pause
    | Finish
)
