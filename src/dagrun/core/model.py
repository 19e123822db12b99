"""The one validated model that every dialect loads into: frozen values, no I/O."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from dagrun.core.outcomes import OnError as OnError
from dagrun.core.outcomes import Trigger as Trigger
from dagrun.value import Value, field


class Dependency(Value):
    """A dependency. Its own trigger, if it has one, replaces the trigger of the task for this edge."""

    task: str
    trigger: Trigger | None = None


class Retry(Value, kw_only=True):
    """How often and when a failed attempt is retried. Times are in seconds; None: the value of the setting.

    The delay before attempt n+1 is `initial * factor ** (n - 1)`, at most `max`, give or take `jitter` (a share).
    """

    retries: int = 0
    initial: float | None = None
    factor: float = 2.0
    max: float = 60.0
    jitter: float | None = None
    on_exit_codes: tuple[int, ...] = ()
    on_errors: tuple[str, ...] = ()


class RetryDefaults(Value):
    """The settings for what a `retry` leaves out: the first delay in seconds, and the jitter as a share of a delay."""

    initial: float = 0.4
    jitter: float = 0.2

    def delay(self, retry: Retry, attempt: int, chance: float) -> float:
        """Seconds to wait after failed attempt number `attempt`; `chance` in [0, 1) selects a delay within the jitter."""
        initial = self.initial if retry.initial is None else retry.initial
        jitter = self.jitter if retry.jitter is None else retry.jitter
        # Above the maximum the power does not matter; the limit keeps 2 ** 5000 from overflowing.
        base = min(initial * retry.factor ** min(attempt - 1, 64), retry.max)
        return round(max(0.0, base * (1 + jitter * (2 * chance - 1))), 3)


class TemplateText(Value):
    """A text of an action with its `${{ }}`, written at `path` below the task.

    With `may_hold_secrets` it can read secrets, because it reaches the body by a variable of its environment.
    """

    path: tuple[str | int, ...]
    text: str
    may_hold_secrets: bool = False

    @property
    def parts(self) -> tuple[str, ...]:
        """The text, as the only part."""
        return (self.text,)


class ScriptText(Value):
    """Commands that form one script, run by `shell`. A `${{ }}` may only appear where that program reads it as data."""

    parts: tuple[str, ...]
    shell: str = "sh"


ActionText = TemplateText | ScriptText


class Action:
    """What a task does. Each kind of task has a value of its own class, `class ShellAction(Value, Action)` (`dagrun.kinds`)."""

    __slots__ = ()

    kind: str
    #: Whether an attempt takes one of the slots that `max_parallel` limits. What waits, or has a run of its own, takes none.
    holds_slot: ClassVar[bool] = True
    #: Whether it is a run of its own. How many of these are live at once is limited too.
    has_own_run: ClassVar[bool] = False

    @property
    def has_moment(self) -> bool:
        """Whether it names a moment, so that what is to be said about it changes with time."""
        return False

    @property
    def signal(self) -> str | None:
        """The name of the signal that a task with this action waits for, if it waits for one; may be a template."""
        return None

    def texts(self) -> Sequence[ActionText]:
        """Every text of the action that may hold expressions."""
        return ()


class HealthCheck(Value, kw_only=True):
    """How to check that a service is ready. Times are in seconds."""

    test: tuple[str, ...]
    interval: float = 5.0
    timeout: float = 5.0
    retries: int = 5


class ServiceContainer(Value, kw_only=True):
    """A container that runs as long as the task does."""

    name: str
    image: str
    env: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[str, ...] = ()
    health_check: HealthCheck | None = None


#: Matrix values keep their text: `3.10` is "3.10". Only `true` and `false` are no text.
MatrixValue = str | bool


class Matrix(Value, kw_only=True):
    """What makes one task many variants: the product of `axes` in file order, without `exclude`, and with `include`."""

    axes: Mapping[str, tuple[MatrixValue, ...]]
    exclude: tuple[Mapping[str, MatrixValue], ...] = ()
    include: tuple[Mapping[str, MatrixValue], ...] = ()


class Task(Value, kw_only=True):
    """A task of the DAG. `timeout` is per attempt, in seconds; `needs` has each dependency once, in file order.

    `params`, `env`, `condition` (`if`), `unless`, `for_each`, `working_dir`, images and scripts hold their expressions as text.
    """

    id: str
    action: Action
    description: str = ""
    needs: tuple[Dependency, ...] = ()
    trigger: Trigger = Trigger.SUCCESS
    condition: str | None = None
    unless: str | None = None
    only_if_changed: bool = False
    params: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    #: Files of variables. `env` wins over them, and a later file over an earlier one.
    dotenv: tuple[str, ...] = ()
    retry: Retry = field(default_factory=Retry)
    timeout: float | None = None
    working_dir: str | None = None
    continue_on_failure: bool = False
    #: The exit codes of a failure that is tolerated, if not every failure is.
    tolerated_exit_codes: tuple[int, ...] = ()
    #: An attempt that ends with one of these exit codes makes the task skipped.
    skip_on_exit_codes: tuple[int, ...] = ()
    on_error: OnError | None = None
    #: At most one of the two: variants that the document names, or a list that may be known only in the run.
    matrix: Matrix | None = None
    #: One `${{ }}` whose value is a list, or the list itself.
    for_each: str | tuple[Any, ...] | None = None
    #: Of a for_each: the numbers of the items that the run includes; None: all.
    only_items: tuple[int, ...] | None = None
    #: How many variants run at once.
    max_parallel: int | None = None
    services: tuple[ServiceContainer, ...] = ()
    #: Files, directories and glob patterns, relative to the working directory, that are collected when the task has run.
    artifacts: tuple[str, ...] = ()
    #: Tasks that should be in the same wave of the plan.
    parallel_with: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The kind of the task's action."""
        return self.action.kind

    def tolerates(self, exit_code: int | None) -> bool:
        """Whether a failure with this exit code, or with none, is tolerated."""
        return self.continue_on_failure or exit_code in self.tolerated_exit_codes


#: A parameter that is a mapping with one of these keys is a declaration, not a default.
DECLARING = ("type", "default", "enum", "required")

ParamType = Literal["string", "integer", "number", "boolean", "list", "object"]


class Param(Value, kw_only=True):
    """One declared parameter of a DAG; `type` None takes any value."""

    name: str
    type: ParamType | None = None
    default: Any = None
    enum: tuple[Any, ...] = ()
    required: bool = False
    description: str = ""


class Hook(Value, kw_only=True):
    """A body that runs when a stretch of a run ends, or when the run is late. `task` has its action and what that needs.

    The id of the task, `hook:on_failure`, is no id that a task of the DAG can have.
    """

    #: A key of `hooks`, such as `on_failure`.
    on: str
    task: Task
    #: Whether the project has it, in `dagrun.toml`, and not the document.
    of_project: bool = False


class Sla(Value, kw_only=True):
    """When a run is late: if it has not ended so many seconds after its start, or, of a schedule, begins after a time of day."""

    finish_within: float | None = None
    #: `HH:MM`, on the day of the fire, in the time zone of the schedule.
    start_by: str | None = None


class Dag(Value, kw_only=True):
    """A workflow, independent of its dialect. Times are in seconds."""

    name: str
    tasks: tuple[Task, ...]
    description: str = ""
    tenant: str = "local-dev"
    params: tuple[Param, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    #: Files of variables for all tasks. `env` wins over them.
    dotenv: tuple[str, ...] = ()
    on_error: OnError = OnError.STOP_ALL
    max_parallel: int | None = None
    timeout: float | None = None
    secrets: tuple[str, ...] = ()
    #: Of a recorded DAG: the parameters whose values held a secret, which was masked.
    masked_params: tuple[str, ...] = ()
    outputs: Mapping[str, Any] = field(default_factory=dict)
    #: What runs at the end, in the order of the document; those of the project come last.
    hooks: tuple[Hook, ...] = ()
    sla: Sla | None = None
    #: What happens to containers when their task has ended.
    cleanup: Literal["remove_on_completion", "keep", "keep_on_failure"] = "remove_on_completion"
    #: Information that no run uses: namespace, labels, annotations, the name of a policy.
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bodies(self) -> tuple[Task, ...]:
        """The tasks, and those of the hooks."""
        return (*self.tasks, *(hook.task for hook in self.hooks)) if self.hooks else self.tasks


#: Keys that a later version will support. They are rejected by name, not ignored.
LATER_DAG_KEYS: Mapping[str, str] = {}
LATER_TASK_KEYS: Mapping[str, str] = {
    "target": "executors on many machines",
}

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}"
_NAME = re.compile(NAME_PATTERN + r"\Z")
NAME_RULE = "letters, digits, '_', '-' and '.', starting with a letter or digit, at most 128 characters"


def is_name(text: str) -> bool:
    """Whether `text` may name a DAG or a task."""
    return _NAME.match(text) is not None


DURATION_PATTERN = r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?"
_DURATION = re.compile(DURATION_PATTERN + r"\Z")
DURATION_RULE = "a number of seconds, or text such as '90s', '10m' or '1h30m'"


def seconds(value: object) -> float:
    """A duration in seconds; raises ValueError for anything but `DURATION_RULE`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value) if abs(value) < 10**10 else math.inf
    elif (
        isinstance(value, str) and value and (match := _DURATION.match(value.strip())) and any(match.groups())
    ):
        hours, minutes, secs, millis = (float(part or 0) for part in match.groups())
        number = hours * 3600 + minutes * 60 + secs + millis / 1000
    elif isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value.strip()):
        number = float(value)
    else:
        raise ValueError(f"not a duration; write {DURATION_RULE}")
    if not 0 <= number < 10**10:
        raise ValueError(f"not a duration; write {DURATION_RULE}")
    return number
