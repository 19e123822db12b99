"""Every fact about a run: one frozen class each, to and from one line of JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from json.encoder import encode_basestring
from math import isfinite
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from dagrun.clock import from_rfc3339, to_rfc3339
from dagrun.core.variants import MOST_VARIANTS
from dagrun.core.work import Blob, Json, Outputs

if TYPE_CHECKING:
    from dagrun.masking import Masker

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One immutable fact. `timestamp` is in seconds since the epoch, whole milliseconds."""

    name: ClassVar[str]
    timestamp: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DagStart(Event):
    """The run begins: what it runs, with which parameters, and who asked."""

    name = "dag_start"
    task_count: int
    dag_path: str
    dag_hash: str
    params: Mapping[str, Json] = field(default_factory=dict)
    trigger: str = "manual"
    max_parallel: int = 1
    schedule_id: str | None = None
    #: The minute that the run was fired for, of a run that a schedule fired and of what continues or repeats it.
    scheduled_at: str | None = None
    parent_run_id: str | None = None
    #: True when only a part of the document's tasks is run.
    partial: bool | None = None
    #: The parameters whose values held a secret, which was masked.
    masked_params: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStart(Event):
    """An attempt's body begins."""

    name = "task_start"
    task_id: str
    attempt: int
    kind: str
    workflow_ref: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOk(Event):
    """The task ended well. The outputs stand here, or in the file that `outputs_file` names.

    With `reused_from` nothing ran: a rerun took the outputs over from that run. With `summary` it is a group that ended,
    which has no attempts; so with the other ends of a task.
    """

    name = "task_ok"
    task_id: str
    attempt: int | None = None
    duration_seconds: float
    changed: bool = True
    outputs: Mapping[str, Json] | None = None
    outputs_file: Blob | None = None
    reused_from: str | None = None
    summary: str | None = None
    left_running: int | None = None  # processes that the attempt left running, which were then ended

    @property
    def result(self) -> Outputs:
        """The outputs, wherever they lie."""
        return self.outputs_file or self.outputs or {}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRetry(Event):
    """An attempt failed and the task is tried again, `delay_seconds` after this moment."""

    name = "task_retry"
    task_id: str
    attempt: int
    error: str
    error_type: str
    delay_seconds: float
    duration_seconds: float = 0.0
    exit_code: int | None = None
    timed_out: bool = False
    left_running: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFail(Event):
    """The last attempt failed: so did the task. Without an attempt it never came to one: an expression of it failed.

    The outputs that the attempt wrote all the same are here, or in the file that `outputs_file` names.
    """

    name = "task_fail"
    task_id: str
    attempt: int | None = None
    error: str
    error_type: str
    duration_seconds: float = 0.0
    exit_code: int | None = None
    timed_out: bool = False
    outputs: Mapping[str, Json] | None = None
    outputs_file: Blob | None = None
    summary: str | None = None
    left_running: int | None = None

    @property
    def result(self) -> Outputs:
        """The outputs, wherever they lie."""
        return self.outputs_file or self.outputs or {}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSkip(Event):
    """The task will not run, and why. With an attempt it has run, and ended with an exit code that skips it."""

    name = "task_skip"
    task_id: str
    reason: str
    detail: str = ""
    attempt: int | None = None
    duration_seconds: float | None = None
    exit_code: int | None = None
    summary: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCancel(Event):
    """The task was ended, or kept from starting, by something outside it."""

    name = "task_cancel"
    task_id: str
    reason: str
    detail: str = ""
    attempt: int | None = None
    duration_seconds: float | None = None
    summary: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskExpand(Event):
    """The list of a for_each is known: from now on the task has `count` variants.

    The items stand here, or in the file that `items_file` names.
    """

    name = "task_expand"
    task_id: str
    count: int
    items: Sequence[Json] | None = None
    items_file: Blob | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested(Event):
    """Somebody asked for the run to end."""

    name = "cancel_requested"
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelIgnored(Event):
    """Somebody asked for a run to end that had ended."""

    name = "cancel_ignored"
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DagResume(Event):
    """A new stretch of the run begins: what ended well is kept, the rest runs (again)."""

    name = "dag_resume"
    reused: Sequence[str]
    rerun: Sequence[str]
    dag_hash: str
    max_parallel: int = 1
    #: The values of all parameters, where some were given anew, and those whose values held a secret.
    params: Mapping[str, Json] | None = None
    masked_params: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DagDone(Event):
    """A stretch of the run ended. `duration_seconds` is that stretch's."""

    name = "dag_done"
    status: str
    reason: str
    tasks_succeeded: int
    tasks_failed: int
    tasks_skipped: int
    tasks_cancelled: int
    duration_seconds: float
    outputs: Mapping[str, Json] | None = None


EVENTS: Mapping[str, type[Event]] = {
    cls.name: cls
    for cls in (
        DagStart, TaskStart, TaskOk, TaskRetry, TaskFail, TaskSkip, TaskCancel, TaskExpand, CancelRequested,
        CancelIgnored, DagResume, DagDone,
    )
}  # fmt: skip

#: The fields that hold what bodies, people and documents have given. All others are dagrun's own, and name its things.
_GIVEN: Mapping[type[Event], str] = {
    DagStart: "params", TaskOk: "outputs", TaskRetry: "error", TaskFail: "error", TaskExpand: "items",
    CancelRequested: "reason", CancelIgnored: "reason", DagResume: "params", DagDone: "outputs",
}  # fmt: skip
#: Facts in which the keys of that field are names that the document declares.
_DECLARED = (DagStart, DagResume, DagDone)
_Fact = TypeVar("_Fact", bound=Event)


def masked(event: _Fact, masker: Masker) -> _Fact:
    """The fact without secrets. What dagrun itself says (ids, states, times) is kept, whatever the secrets are."""
    name = _GIVEN.get(type(event))
    value = getattr(event, name) if name is not None else None
    if name is None or value is None or (isinstance(event, TaskFail) and event.summary is not None):
        return event  # the error of a group names its variants
    hidden = masker.values(value) if isinstance(event, _DECLARED) else masker.value(value)
    changes: dict[str, Any] = {name: hidden}
    return replace(event, **changes)


#: What only the run's own journal tells: data of bodies.
_PRIVATE: Mapping[type[Event], str] = {
    TaskOk: "outputs",
    TaskFail: "outputs",
    DagDone: "outputs",
    TaskExpand: "items",
}
_FIELDS: Mapping[type[Event], tuple[str, ...]] = {
    cls: tuple(f.name for f in fields(cls) if f.name not in ("timestamp", _PRIVATE.get(cls)))
    for cls in EVENTS.values()
}
#: Each field with how it begins, and with what need not be written, for whoever reads it knows it: an empty text where
#: that is the default. (None is never written.)
_SAID: Mapping[type[Event], tuple[tuple[str, str, str | None], ...]] = {
    cls: tuple(
        (f.name, f',"{f.name}":', "" if f.default == "" else None)
        for f in fields(cls)
        if f.name in _FIELDS[cls]
    )
    for cls in EVENTS.values()
}


def file_of(event: Event) -> Blob | None:
    """The file that an event names for what is too large to be told in it."""
    return getattr(event, "outputs_file", None) or getattr(event, "items_file", None)


class Encoder:
    """Writes one run's events as lines: the run's own fields are encoded once, not per event."""

    def __init__(self, run_id: str, dag_name: str, tenant: str) -> None:
        shared = _encode({"run_id": run_id, "dag_name": dag_name, "tenant": tenant})[1:-1]
        self._shapes = {
            cls: (f'","event":"{cls.name}",{shared}', _SAID[cls], _PRIVATE.get(cls))
            for cls in EVENTS.values()
        }

    def encode(self, event: Event) -> tuple[str, str]:
        """The event as a line for the run's journal, and as a line for the stream of all runs (no outputs)."""
        head, said, private = self._shapes[type(event)]
        start = '{"timestamp":"' + to_rfc3339(event.timestamp) + head
        for name, opening, unsaid in said:
            value = getattr(event, name)
            if value is not None and value != unsaid:
                start += opening + _text(value)
        public = start + "}\n"
        if private is not None and (data := getattr(event, private)) is not None:
            return f'{start},"{private}":{_data(data)}}}\n', public
        return public, public


def _number(value: float) -> str:
    return repr(value) if isfinite(value) else _encode(value)


#: How plain values are written: for these the encoder's own way in costs most of the time.
_PLAIN: Mapping[type, Callable[[Any], str]] = {
    str: encode_basestring,
    int: repr,
    float: _number,
    bool: {False: "false", True: "true"}.__getitem__,
    NoneType: lambda _: "null",
}


def _text(value: Any) -> str:
    """What an event says of itself, as JSON."""
    if type(value) is Blob:
        value = {"file": value.file, "size": value.size, "sha256": value.sha256}
    return _PLAIN.get(type(value), _encode)(value)


def _data(data: Any) -> str:
    """What a body handed over, as JSON: mostly a few names with plain values."""
    try:
        return f"{{{','.join([f'{encode_basestring(key)}:{_PLAIN[type(it)](it)}' for key, it in data.items()])}}}"
    except (AttributeError, KeyError, TypeError):
        return _encode(data)


def _types(declared: str) -> frozenset[type]:
    known = declared.removesuffix(" | None")
    return _TYPES[known] if known == declared else _TYPES[known] | {NoneType}


#: The types of JSON values that a field takes, by how it is declared; what may be None need not be written.
_TYPES: Mapping[str, frozenset[type]] = {
    "str": frozenset({str}),
    "int": frozenset({int}),
    "float": frozenset({int, float}),
    "bool": frozenset({bool}),
    "Blob": frozenset({dict}),
    "Mapping[str, Json]": frozenset({dict}),
    "Sequence[str]": frozenset({list}),
    "Sequence[Json]": frozenset({list}),
}
_TAKES: Mapping[type[Event], tuple[tuple[str, frozenset[type]], ...]] = {
    cls: tuple((f.name, _types(str(f.type))) for f in fields(cls) if f.name != "timestamp")
    for cls in EVENTS.values()
}
_MOST: int = 10**10  # seconds, and attempts: no fact comes near it


def decode(line: Mapping[str, Json]) -> Event | None:
    """The fact that a line of JSON states; None for an event this version does not know.

    Fields it does not know are ignored, so an older dagrun reads a newer one's journal.
    Raises KeyError, TypeError or ValueError when a line is not an event at all, or a field of it is not of its type.
    """
    cls = EVENTS.get(line["event"])
    if cls is None:
        return None
    facts: dict[str, Any] = {}
    for name, types in _TAKES[cls]:
        if name in line:
            value = facts[name] = line[name]
            fits = type(value) in types
            if not fits or (float in types and value is not None and not -_MOST < value < _MOST):
                raise ValueError(f"'{name}' cannot be {value!r:.80}")
    for name in ("outputs_file", "items_file"):
        if facts.get(name) is not None:
            facts[name] = _blob(facts[name])
    event = cls(timestamp=from_rfc3339(line["timestamp"]), **facts)
    if not 0 <= (facts.get("attempt") or 0) < _MOST:
        raise ValueError("there is no such attempt")
    match event:
        case DagResume() if {*map(type, event.reused), *map(type, event.rerun)} - {str}:
            raise ValueError("a task's id is text")
        case TaskExpand() if not _is_list_of(event, event.count):
            raise ValueError(f"there are no {event.count} items")
    return event


def _blob(data: Mapping[str, Json]) -> Blob:
    """A file beside the run's other files: a name, never a path."""
    file, size, digest = data["file"], data["size"], data["sha256"]
    if not (type(file) is type(digest) is str and type(size) is int and size >= 0):
        raise ValueError(f"{data!r:.80} is no file with a size and a hash")
    if "/" in file or "\0" in file or file in ("", ".", ".."):
        raise ValueError(f"{file!r:.80} names no file")
    return Blob(file, size, digest)


def _is_list_of(event: TaskExpand, count: int) -> bool:
    return 0 <= count <= MOST_VARIANTS and (event.items is None or len(event.items) == count)
