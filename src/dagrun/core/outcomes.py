"""Triggers, statuses, reasons, and the table of what the end of a dependency means for its dependents."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class OnError(StrEnum):
    """What happens to the rest of the run after a failure that is not tolerated."""

    STOP_ALL = "stop_all"
    CONTINUE = "continue"


class Trigger(StrEnum):
    """Which outcomes of its dependencies let a task run, once all of them have ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    ALWAYS = "always"
    NONE_FAILED = "none_failed"


class Status(StrEnum):
    """The status of a task. `waiting`: it waits for an event, such as an approval, and holds no slot."""

    PENDING = "pending"
    RUNNING = "running"
    RETRYING = "retrying"
    WAITING = "waiting"
    SUCCESS = "success"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class RunStatus(StrEnum):
    """The status of a run. `pending`: it has not begun, for example because a schedule has queued it.

    `waiting`: it waits for a person, nothing else can run, and no process drives it. `interrupted` is for readers: no
    end is recorded, and no process drives the run although it has something to do.
    """

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCESS = "success"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class Reason(StrEnum):
    """Why a task or a run has its status."""

    COMPLETED = "Completed"
    REUSED = "Reused"
    TASK_FAILED = "TaskFailed"
    TIMED_OUT = "TimedOut"
    DEPENDENCY_FAILED = "DependencyFailed"
    DEPENDENCY_SKIPPED = "DependencySkipped"
    NO_FAILURE = "NoFailure"
    CONDITION_FALSE = "ConditionFalse"
    UNCHANGED = "Unchanged"
    EXIT_CODE = "ExitCode"
    STOP_ALL = "StopAll"
    CANCELLED = "Cancelled"
    RUN_TIMEOUT = "RunTimeout"
    OUTPUTS_FAILED = "OutputsFailed"


#: Why a run stops. Each reason is stronger than those before it: it also ends what a weaker one has spared.
STOPS = (Reason.STOP_ALL, Reason.RUN_TIMEOUT, Reason.CANCELLED)
FAILED = frozenset({Status.FAILED, Status.TIMED_OUT})
FINAL = frozenset({Status.SUCCESS, Status.FAILED, Status.TIMED_OUT, Status.SKIPPED, Status.CANCELLED})


class Outcome(StrEnum):
    """What the end of a dependency counts as."""

    #: It succeeded; or it failed and that is tolerated; or it was skipped because nothing had changed.
    GOOD = "good"
    #: It failed or timed out, untolerated, or was cancelled.
    FAILED = "failed"
    #: It was skipped for any other reason.
    SKIPPED = "skipped"


def outcome_of(status: Status, reason: str, *, tolerated: bool) -> Outcome:
    """What a task that has ended counts as for its dependents; `tolerated`: its failure is."""
    if status is Status.SKIPPED:
        return Outcome.GOOD if reason == Reason.UNCHANGED else Outcome.SKIPPED
    if status is Status.CANCELLED:
        return Outcome.FAILED
    return Outcome.FAILED if status is not Status.SUCCESS and not tolerated else Outcome.GOOD


#: Types of errors that a retry cannot fix, or that are decisions. They are retried only where `retry.on_errors` names them.
LASTING = frozenset(
    {"NoContainerEngine", "ValueTooLarge", "ApprovalRejected", "ApprovalExpired", "ChildRunCancelled"}
)

#: Why a task is skipped when a dependency has this outcome; None: the dependency lets it run. `failure` also lets a task
#: run when something *above* the dependency failed; `decide` checks that.
EDGES: Mapping[tuple[Trigger, Outcome], Reason | None] = {
    (Trigger.SUCCESS, Outcome.GOOD): None,
    (Trigger.SUCCESS, Outcome.FAILED): Reason.DEPENDENCY_FAILED,
    (Trigger.SUCCESS, Outcome.SKIPPED): Reason.DEPENDENCY_SKIPPED,
    (Trigger.NONE_FAILED, Outcome.GOOD): None,
    (Trigger.NONE_FAILED, Outcome.FAILED): Reason.DEPENDENCY_FAILED,
    (Trigger.NONE_FAILED, Outcome.SKIPPED): None,
    (Trigger.FAILURE, Outcome.GOOD): Reason.NO_FAILURE,
    (Trigger.FAILURE, Outcome.FAILED): None,
    (Trigger.FAILURE, Outcome.SKIPPED): Reason.NO_FAILURE,
    (Trigger.ALWAYS, Outcome.GOOD): None,
    (Trigger.ALWAYS, Outcome.FAILED): None,
    (Trigger.ALWAYS, Outcome.SKIPPED): None,
}
