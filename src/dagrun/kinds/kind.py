"""What a kind of task has to answer about its actions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from dagrun.core.model import Action
from dagrun.language.expressions import EvaluationError, Expression
from dagrun.value import Value, field

if TYPE_CHECKING:
    from dagrun.core.work import Body, Json
    from dagrun.registry import Registry

ActionT = TypeVar("ActionT", bound=Action)


class StartContext(Value):
    """What is known when a task starts: the registered workflows, and the values of expressions."""

    registry: Registry
    evaluate: Callable[[Expression], Json]
    #: A template with its expressions evaluated, as text.
    render: Callable[[str], str]
    #: The same for a text that reaches the body by a variable, and so may hold secrets.
    render_secret: Callable[[str], str] = str
    #: What a message about the run says: its outcome, its counts, its failed tasks.
    summary: Callable[[], Mapping[str, Json]] = dict
    #: The present moment, in seconds since the epoch.
    now: float = 0.0
    #: The absolute path of a file, relative to the working directory of the task.
    path: Callable[[str], Path] = Path
    #: How long a person has to decide about an approval that does not say so, in seconds.
    approval_expires: float = 259_200.0


class PreparedBody(Value):
    """A body for an executor, and the environment variables and parameters that it needs besides those of the task."""

    body: Body
    variables: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)


class ChildRun(Value):
    """Another DAG to run, given by path or name."""

    dag: str


class Wait(Value, kw_only=True):
    """No body: the task waits for a person (`prompt`), a signal, a moment, or a file.

    Moments are in seconds since the epoch, durations in seconds.
    """

    prompt: str | None = None
    required_role: str | None = None
    signal: str | None = None
    until: float | None = None
    file: Path | None = None
    #: How long the file must not change.
    settle: float = 0.0
    #: After what time the wait fails; None: the timeout of the task.
    timeout: float | None = None


#: What starting a task gives, for the engine to match on.
Started = PreparedBody | Wait | ChildRun


def _no_fields() -> Mapping[str, Any]:
    return {}


class Kind(Value, Generic[ActionT], kw_only=True):
    """One kind of task: how documents write it, what a dry run calls it, and what is run.

    The texts of an action that may hold expressions are its own `texts()`.
    """

    name: str
    #: The class of its actions: a `Value` whose values `dag.json` can hold, with a field `kind`.
    action: type[ActionT]
    #: The keys of a task in a document that make it one of this kind; any of them does.
    keys: tuple[str, ...]
    #: The action, from the values of the task's keys by name. A key that is left out has None, or is missing.
    read: Callable[[Mapping[str, Any]], ActionT]
    #: What a dry run calls the task.
    label: Callable[[ActionT], str]
    #: What runs when the task starts. Raises EvaluationError.
    start: Callable[[ActionT, StartContext], Started]
    #: The keys that it adds to a task, as `pydantic.create_model` takes them: `{"key": (type | None, Field(None, ...))}`.
    #: Empty for the keys that `documents.dialects.shared_models` has already. A function, because pydantic is slow to import.
    fields: Callable[[], Mapping[str, Any]] = _no_fields
    #: The registered workflow that an action calls, if it calls one.
    workflow: Callable[[ActionT], str | None] = lambda _: None
    #: The DAG, by path or name, that an action runs as a child run, if it runs one; it may hold a `${{ }}`.
    child: Callable[[ActionT], str | None] = lambda _: None
    #: Whether a task of this kind can fail although all its expressions have values.
    can_fail: bool = True
    #: Whether the parameters of the task also reach it as environment variables.
    params_in_environment: bool = False
    #: Whether a task can be of this kind, and whether a hook can.
    is_for_tasks: bool = True
    is_for_hooks: bool = True
    #: Keys of a task that would have no effect on a task of this kind: they are errors.
    meaningless: tuple[str, ...] = ()


@contextmanager
def located(where: str) -> Iterator[None]:
    """Name the part of the task in the message of an expression that fails."""
    try:
        yield
    except EvaluationError as error:
        raise EvaluationError(f"{where}: {error.message}", error.offset) from None
