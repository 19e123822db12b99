"""The events of a run: one frozen class each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar, get_args

from msgspec import Meta

from dagrun.clock import from_rfc3339
from dagrun.core.work import Blob, Json, Outputs
from dagrun.value import Value, field, replace

if TYPE_CHECKING:
    from dagrun.masking import Masker


#: Seconds, and numbers of attempts: no event can have larger ones.
Seconds = Annotated[float, Meta(gt=-(10**10), lt=10**10)]
AttemptNumber = Annotated[int, Meta(ge=0, lt=10**10)]


def _written(default: Any) -> Any:
    """A default that is written all the same. Other fields are left out of a line if they have their default."""
    return field(default_factory=lambda: default)


class EventBase(Value, kw_only=True, omit_defaults=True):
    """What all events have. `timestamp` is in seconds since the epoch, whole milliseconds."""

    name: ClassVar[str]
    #: The one field whose value bodies, people or documents have given, if any: it is masked. Others are dagrun's own.
    given: ClassVar[str | None] = None
    #: Whether the keys of that field are names that the document declares, which are not masked.
    keys_are_declared: ClassVar[bool] = False
    #: The one field with data of bodies, if any, which comes last: only the journal of the run has it, not the stream of all runs.
    private: ClassVar[str | None] = None
    timestamp: float


class DagStart(EventBase, kw_only=True):
    """The run begins: the DAG, the parameters, and who started it."""

    name = "dag_start"
    given = "params"
    keys_are_declared = True
    #: `manual`, `schedule`, `rerun`, `dag` (a child run) and others. It comes first, so that a listing need not read far.
    trigger: str = _written("manual")
    task_count: int
    dag_path: str
    dag_hash: str
    params: Mapping[str, Json] = _written({})
    max_parallel: int = _written(1)
    schedule_id: str | None = None
    #: The minute that a schedule started the run for; also of a run that resumes or repeats such a run.
    scheduled_at: str | None = None
    #: The run whose task this run is, if the trigger is `dag`; the run that it repeats, if that is `rerun`.
    parent_run_id: str | None = None
    #: The moment by which it should have begun.
    start_by: str | None = None
    #: True when only a part of the tasks in the document runs.
    partial: bool | None = None
    #: The parameters whose values held a secret, which was masked.
    masked_params: Sequence[str] | None = None


class TaskStart(EventBase, kw_only=True):
    """The body of an attempt begins."""

    name = "task_start"
    task_id: str
    attempt: AttemptNumber
    kind: str
    workflow_ref: str | None = None
    #: Of a task that runs another DAG: the id of the child run.
    child_run_id: str | None = None
    #: What the task waited for last: `dependency:ID`, `slot:ID` (the task that freed a slot) or `group:ID` (the variant
    #: that left room for another one in a group with a limit). None: it began with the stretch, or after a retry's delay.
    waited_for: str | None = None


class TaskWait(EventBase, kw_only=True):
    """The task waits from now on: for a person, a signal, a moment, a file, or a paused child run. It has no body and holds no slot.

    Moments are RFC 3339 texts: a wait goes on, with what is left of its time, when another process continues the run.
    """

    name = "task_wait"
    given = "prompt"
    task_id: str
    attempt: AttemptNumber
    kind: str
    #: Of an approval: the question, and the role that may answer it.
    prompt: str | None = None
    required_role: str | None = None
    #: The name of a signal; the moment that ends the wait; the path of a file, and how long it must not change.
    signal: str | None = None
    until: str | None = None
    file: str | None = None
    settle_seconds: Seconds | None = None
    #: The child run that is paused. A resume of this run continues it.
    child_run_id: str | None = None
    #: When the wait ends as a failure.
    expires_at: str | None = None
    #: As in `TaskStart`.
    waited_for: str | None = None

    @property
    def ends_at(self) -> float | None:
        """The moment that ends the wait, in seconds since the epoch. Raises ValueError for a damaged text."""
        return None if self.until is None else from_rfc3339(self.until)

    @property
    def fails_at(self) -> float | None:
        """The moment at which the wait fails, in seconds since the epoch. Raises ValueError for a damaged text."""
        return None if self.expires_at is None else from_rfc3339(self.expires_at)

    @property
    def is_valid(self) -> bool:
        """Whether something can end the wait. Raises ValueError for a damaged moment."""
        kinds = (self.prompt, self.signal, self.ends_at, self.file, self.child_run_id)
        return any(kind is not None for kind in kinds) and (self.fails_at or 0.0) >= 0.0

    @property
    def is_approval(self) -> bool:
        """Whether a person is asked."""
        return self.prompt is not None

    @property
    def ends_well(self) -> bool:
        """Whether time alone ends the wait as a success: its moment comes before the one at which it fails."""
        ends_at, fails_at = self.ends_at, self.fails_at
        return ends_at is not None and (fails_at is None or ends_at <= fails_at)

    @property
    def is_for_someone(self) -> bool:
        """Whether only a person or another program can end the wait well: the run pauses when nothing else is left."""
        return self.until is None and self.file is None


class ApprovalGranted(EventBase, kw_only=True):
    """A person approves. `inputs` become the outputs of the task."""

    name = "approval_granted"
    given = "inputs"
    keys_are_declared = True
    task_id: str
    attempt: AttemptNumber
    by: str
    inputs: Mapping[str, Json] = _written({})
    #: Which request it records, so that the process that made it learns what became of it.
    request_id: str | None = None


class ApprovalRejected(EventBase, kw_only=True):
    """A person rejects, and may say why."""

    name = "approval_rejected"
    given = "reason"
    task_id: str
    attempt: AttemptNumber
    by: str
    reason: str = ""
    request_id: str | None = None


class ApprovalExpired(EventBase, kw_only=True):
    """Nobody has decided in time."""

    name = "approval_expired"
    task_id: str
    attempt: AttemptNumber
    expires_at: str


class SignalReceived(EventBase, kw_only=True):
    """A signal for the run: it ends every wait for that name, those that have not begun yet too."""

    name = "signal_received"
    given = "inputs"
    signal: str
    by: str
    inputs: Mapping[str, Json] = _written({})
    request_id: str | None = None


class TaskOk(EventBase, kw_only=True):
    """The task succeeded. The outputs are here, or in the file that `outputs_file` names.

    With `reused_from` nothing ran: a rerun reuses the outputs of that run. With `summary` the task is a group, which has
    no attempts; the same is true of the other events that end a task.
    """

    name = "task_ok"
    given = private = "outputs"
    task_id: str
    attempt: AttemptNumber | None = None
    duration_seconds: Seconds
    changed: bool = _written(True)
    outputs_file: Blob | None = None
    reused_from: str | None = None
    summary: str | None = None
    left_running: int | None = None  # number of processes that the attempt left running and dagrun then ended
    outputs: Mapping[str, Json] | None = None

    @property
    def result(self) -> Outputs:
        """The outputs, or the file that has them."""
        return self.outputs_file or self.outputs or {}


class TaskRetry(EventBase, kw_only=True):
    """An attempt failed and the task is tried again, `delay_seconds` after this moment."""

    name = "task_retry"
    given = "error"
    task_id: str
    attempt: AttemptNumber
    error: str
    error_type: str
    delay_seconds: Seconds
    duration_seconds: Seconds = _written(0.0)
    exit_code: int | None = None
    timed_out: bool = _written(False)
    left_running: int | None = None


class TaskFail(EventBase, kw_only=True):
    """The task failed with its last attempt; without one, because one of its expressions could not be evaluated.

    The outputs that the attempt wrote before are here, or in the file that `outputs_file` names.
    """

    name = "task_fail"
    given = "error"
    private = "outputs"
    task_id: str
    attempt: AttemptNumber | None = None
    error: str
    error_type: str
    duration_seconds: Seconds = _written(0.0)
    exit_code: int | None = None
    timed_out: bool = _written(False)
    outputs_file: Blob | None = None
    summary: str | None = None
    left_running: int | None = None
    outputs: Mapping[str, Json] | None = None

    @property
    def result(self) -> Outputs:
        """The outputs, or the file that has them."""
        return self.outputs_file or self.outputs or {}


class TaskSkip(EventBase, kw_only=True):
    """The task will not run, and why. With an attempt, it ran and ended with an exit code that counts as skipped."""

    name = "task_skip"
    task_id: str
    reason: str
    detail: str = ""
    attempt: AttemptNumber | None = None
    duration_seconds: Seconds | None = None
    exit_code: int | None = None
    summary: str | None = None


class TaskCancel(EventBase, kw_only=True):
    """The task was ended, or not started, because the run is cancelled or stops."""

    name = "task_cancel"
    task_id: str
    reason: str
    detail: str = ""
    attempt: AttemptNumber | None = None
    duration_seconds: Seconds | None = None
    summary: str | None = None


class TaskExpand(EventBase, kw_only=True):
    """The list of a for_each is known: from now on the task has `count` variants.

    The items are here, or in the file that `items_file` names.
    """

    name = "task_expand"
    given = private = "items"
    task_id: str
    count: int
    items_file: Blob | None = None
    items: Sequence[Json] | None = None


class RunLate(EventBase, kw_only=True):
    """The run is late; recorded once."""

    name = "run_late"
    reason: str


class HooksStart(EventBase, kw_only=True):
    """All tasks have ended, and hooks run before the end of the stretch is recorded. They do not change the outcome."""

    name = "hooks_start"
    given = "outputs"
    keys_are_declared = True
    private = "outputs"
    #: The outcome of the run.
    status: str
    reason: str
    #: The names of the hooks, in the order in which they run.
    hooks: Sequence[str]
    outputs: Mapping[str, Json] | None = None


class HookStart(EventBase, kw_only=True):
    """The body of a hook begins."""

    name = "hook_start"
    hook: str
    attempt: AttemptNumber
    kind: str


class HookEnd(EventBase, kw_only=True):
    """A hook has ended: `status` is one of `outcomes.Status`. Without an attempt its body was never started."""

    name = "hook_end"
    given = "error"
    hook: str
    attempt: AttemptNumber | None = None
    status: str
    duration_seconds: Seconds = _written(0.0)
    error: str | None = None
    error_type: str | None = None
    exit_code: int | None = None
    left_running: int | None = None


class CancelRequested(EventBase, kw_only=True):
    """A person or a program requests the end of the run."""

    name = "cancel_requested"
    given = "reason"
    by: str
    reason: str = ""


class CancelIgnored(EventBase, kw_only=True):
    """A request to cancel a run that has already ended."""

    name = "cancel_ignored"
    given = "reason"
    by: str
    reason: str = ""


class DagResume(EventBase, kw_only=True):
    """A new stretch of the run begins: tasks that succeeded are kept, the others run (again)."""

    name = "dag_resume"
    given = "params"
    keys_are_declared = True
    reused: Sequence[str]
    rerun: Sequence[str]
    dag_hash: str
    max_parallel: int = _written(1)
    #: The tasks that still wait, as they did before.
    waiting: Sequence[str] | None = None
    #: The values of all parameters if some were given again, and the parameters whose values held a secret.
    params: Mapping[str, Json] | None = None
    masked_params: Sequence[str] | None = None


class DagPause(EventBase, kw_only=True):
    """A stretch of the run ended because only approvals and signals can continue it: `waiting_for` are their tasks."""

    name = "dag_pause"
    waiting_for: Sequence[str]
    duration_seconds: Seconds


class DagDone(EventBase, kw_only=True):
    """A stretch of the run ended. `duration_seconds` is the duration of that stretch."""

    name = "dag_done"
    given = "outputs"
    keys_are_declared = True
    private = "outputs"
    status: str
    reason: str
    tasks_succeeded: int
    tasks_failed: int
    tasks_skipped: int
    tasks_cancelled: int
    duration_seconds: Seconds
    outputs: Mapping[str, Json] | None = None


Event = (
    DagStart
    | TaskStart
    | TaskWait
    | ApprovalGranted
    | ApprovalRejected
    | ApprovalExpired
    | SignalReceived
    | TaskOk
    | TaskRetry
    | TaskFail
    | TaskSkip
    | TaskCancel
    | TaskExpand
    | RunLate
    | HooksStart
    | HookStart
    | HookEnd
    | CancelRequested
    | CancelIgnored
    | DagResume
    | DagPause
    | DagDone
)
#: What ends the wait of a task, if not a moment or a file.
Answer = ApprovalGranted | ApprovalRejected | ApprovalExpired | SignalReceived
EVENTS: Mapping[str, type[Event]] = {cls.name: cls for cls in get_args(Event)}
_AnyEvent = TypeVar("_AnyEvent", bound=EventBase)


def masked(event: _AnyEvent, masker: Masker) -> _AnyEvent:
    """The event without secrets. Only the field that others have given is masked, not ids, statuses and times."""
    name = event.given
    value = getattr(event, name) if name is not None else None
    if name is None or value is None or (isinstance(event, TaskFail) and event.summary is not None):
        return event  # the error of a group names its variants
    changes: dict[str, Any] = {name: masker.values(value) if event.keys_are_declared else masker.value(value)}
    return replace(event, **changes)


def file_of(event: Event) -> Blob | None:
    """The file that holds the outputs or items of an event when they are too large for it."""
    return getattr(event, "outputs_file", None) or getattr(event, "items_file", None)
