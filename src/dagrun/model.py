"""The one validated model that every dialect loads into: frozen values, no I/O."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dagrun.outcomes import OnError as OnError
from dagrun.outcomes import Trigger as Trigger


@dataclass(frozen=True, slots=True)
class Need:
    """A dependency; with a trigger of its own the edge is judged by that, not by the task's."""

    task: str
    trigger: Trigger | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often and when a failed attempt is tried again. Times are in seconds; None: the setting's value.

    The delay before attempt n+1 is `initial * factor ** (n - 1)`, at most `max`, give or take `jitter` (a share).
    """

    retries: int = 0
    initial: float | None = None
    factor: float = 2.0
    max: float = 60.0
    jitter: float | None = None
    on_exit_codes: tuple[int, ...] = ()
    on_errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkflowAction:
    """Call the registered Python function `ref`."""

    ref: str
    kind: Literal["workflow"] = "workflow"


@dataclass(frozen=True, slots=True)
class ShellAction:
    """Run `commands` in order in one shell; the first that ends non-zero ends the task."""

    commands: tuple[str, ...]
    shell: str = "sh"
    kind: Literal["shell"] = "shell"


Action = WorkflowAction | ShellAction


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A node of the DAG. `timeout` is per attempt, in seconds; `needs` names each dependency once, in the file's order.

    `params`, `env`, `condition` (`if`), `unless` and scripts hold their expressions as text.
    """

    id: str
    action: Action
    description: str = ""
    needs: tuple[Need, ...] = ()
    trigger: Trigger = Trigger.SUCCESS
    condition: str | None = None
    unless: str | None = None
    only_if_changed: bool = False
    params: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    retry: Retry = field(default_factory=Retry)
    timeout: float | None = None
    working_dir: str | None = None
    continue_on_failure: bool = False
    on_error: OnError | None = None

    @property
    def kind(self) -> str:
        """What the task does, in one word."""
        return self.action.kind


ParamType = Literal["string", "integer", "number", "boolean", "list", "object"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """One declared parameter of a DAG; `type` None takes any value."""

    name: str
    type: ParamType | None = None
    default: Any = None
    enum: tuple[Any, ...] = ()
    required: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dag:
    """A workflow as it was written, whatever the dialect. Times are in seconds."""

    name: str
    tasks: tuple[Task, ...]
    description: str = ""
    tenant: str = "local-dev"
    params: tuple[Param, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    on_error: OnError = OnError.STOP_ALL
    max_parallel: int | None = None
    timeout: float | None = None
    secrets: tuple[str, ...] = ()
    outputs: Mapping[str, Any] = field(default_factory=dict)


#: Words of the language that a later version brings. They are refused by name, never ignored.
LATER_DAG_KEYS: Mapping[str, str] = {
    "hooks": "hooks",
}
LATER_TASK_KEYS: Mapping[str, str] = {
    "image": "containers",
    "dag": "sub-DAGs",
    "approval": "approvals",
    "wait": "waits",
    "matrix": "matrix",
    "for_each": "for_each",
    "max_parallel": "matrix",
    "services": "containers",
    "mount": "containers",
    "pull": "containers",
    "artifacts": "artifacts",
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
