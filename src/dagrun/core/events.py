"""The events of a run: one frozen class each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar, get_args

from msgspec import Meta

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
    #: The values of all parameters if some were given again, and the parameters whose values held a secret.
    params: Mapping[str, Json] | None = None
    masked_params: Sequence[str] | None = None


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
    | TaskOk
    | TaskRetry
    | TaskFail
    | TaskSkip
    | TaskCancel
    | TaskExpand
    | CancelRequested
    | CancelIgnored
    | DagResume
    | DagDone
)
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
