"""What is to be done next in a run: frozen values that `state` gives and `engine` carries out."""

from __future__ import annotations

from dataclasses import dataclass

from dagrun.core.graph import Node
from dagrun.core.outcomes import Reason, RunStatus


@dataclass(frozen=True, slots=True)
class Start:
    """Begin attempt number `attempt` of the task."""

    node: Node
    attempt: int


@dataclass(frozen=True, slots=True)
class Prefetch:
    """Hand the attempt to a worker that is to begin it when its present body has ended."""

    node: Node
    attempt: int


@dataclass(frozen=True, slots=True)
class Skip:
    """The task will not run."""

    node: Node
    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Cancel:
    """End a task that has no body to stop: it is waiting for a retry, or was never started."""

    node: Node
    reason: Reason


@dataclass(frozen=True, slots=True)
class Stop:
    """End the running attempt."""

    node: Node
    reason: Reason


@dataclass(frozen=True, slots=True)
class EvaluateCondition:
    """Evaluate the task's condition and tell the answer to `answer`."""

    node: Node


@dataclass(frozen=True, slots=True)
class Expand:
    """Evaluate the list of a for_each and record it."""

    node: Node


@dataclass(frozen=True, slots=True)
class EndGroup:
    """All variants of the group have ended: record its end, which `RunState.conclusion` tells."""

    node: Node


@dataclass(frozen=True, slots=True)
class Finish:
    """Every task has its final state: so has the run."""

    status: RunStatus
    reason: str


Decision = Start | Prefetch | Skip | Cancel | Stop | EvaluateCondition | Expand | EndGroup | Finish
