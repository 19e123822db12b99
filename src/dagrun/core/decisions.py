"""What to do next in a run: frozen values that `decide` returns and the engine carries out."""

from __future__ import annotations

from dagrun.core.graph import Node
from dagrun.core.outcomes import Reason, RunStatus
from dagrun.value import Value


class Start(Value):
    """Start attempt number `attempt` of the task. `waited_for` is recorded with it (see `events.TaskStart`)."""

    node: Node
    attempt: int
    waited_for: str | None = None


class Prefetch(Value):
    """Pass the attempt to a worker, which begins it when its present body has ended."""

    node: Node
    attempt: int


class Skip(Value):
    """Record that the task will not run."""

    node: Node
    reason: Reason
    detail: str = ""


class Cancel(Value):
    """Record the end of a task that has no body to stop: it waits, or was never started."""

    node: Node
    reason: Reason


class Stop(Value):
    """Stop the running or prefetched attempt. Stays the decision until `Frontier.stop_requested` is called."""

    node: Node
    reason: Reason


class EvaluateCondition(Value):
    """Evaluate the condition of the task and pass its value to `Frontier.condition_evaluated`."""

    node: Node


class Expand(Value):
    """Evaluate the list of a for_each and record it."""

    node: Node


class EndGroup(Value):
    """All variants of the group have ended: record the event that `completion.group_end` returns."""

    node: Node


class CheckFile(Value):
    """Look at the file that the task waits for, and pass what is seen to `WaitQueue.file_checked`."""

    node: Node


class Expire(Value):
    """Nobody has answered the approval in time: record that."""

    node: Node


class EndWait(Value):
    """The wait of the task is over: record the event that `completion.wait_end` returns."""

    node: Node


class Pause(Value):
    """Only approvals and signals can continue the run: record that, with their tasks."""

    waiting_for: tuple[str, ...]


class Late(Value):
    """Record that the run is late."""

    reason: str


class StartHook(Value):
    """Start attempt number `attempt` of the hook with this name."""

    name: str
    attempt: int


class StopHook(Value):
    """Stop the hook that runs. Stays the decision until `HookStates.stop_requested` is called."""

    name: str
    reason: Reason


class CancelHook(Value):
    """Record that the hook with this name will not run."""

    name: str


class Finish(Value):
    """All tasks have ended: start the hooks, and when these have ended too, record the end of the run."""

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
    | Late
    | StartHook
    | StopHook
    | CancelHook
    | Finish
)
