"""Events as lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from json.encoder import encode_basestring
from math import isfinite
from types import NoneType
from typing import Any

from dagrun.clock import from_rfc3339, to_rfc3339
from dagrun.core.events import EVENTS, DagPause, DagResume, Event, TaskExpand
from dagrun.core.variants import MAX_VARIANTS
from dagrun.core.work import Blob, Json

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode

#: For each public field of an event the start of its text, and the value that is not written because it is the default:
#: an empty text. (None is never written.)
_PUBLIC_FIELDS: Mapping[type[Event], tuple[tuple[str, str, str | None], ...]] = {
    cls: tuple(
        (f.name, f',"{f.name}":', "" if f.default == "" else None)
        for f in fields(cls)
        if f.name not in ("timestamp", cls.private)
    )
    for cls in EVENTS.values()
}


class Encoder:
    """Writes the events of one run as lines. The fields that all events of the run share are encoded once."""

    def __init__(self, run_id: str, dag_name: str, tenant: str) -> None:
        shared = _encode({"run_id": run_id, "dag_name": dag_name, "tenant": tenant})[1:-1]
        self._shapes = {
            cls: (f'","event":"{cls.name}",{shared}', _PUBLIC_FIELDS[cls], cls.private)
            for cls in EVENTS.values()
        }

    def encode(self, event: Event) -> tuple[str, str]:
        """The event as a line for the journal of the run, and as a line for the stream of all runs (no outputs)."""
        head, public_fields, private = self._shapes[type(event)]
        start = '{"timestamp":"' + to_rfc3339(event.timestamp) + head
        for name, opening, default in public_fields:
            value = getattr(event, name)
            if value is not None and value != default:
                start += opening + _text(value)
        public = start + "}\n"
        if private is not None and (data := getattr(event, private)) is not None:
            return f'{start},"{private}":{_data(data)}}}\n', public
        return public, public


def _number(value: float) -> str:
    return repr(value) if isfinite(value) else _encode(value)


#: Writers of plain values. For these a call of the general encoder costs more than the encoding.
_PLAIN: Mapping[type, Callable[[Any], str]] = {
    str: encode_basestring,
    int: repr,
    float: _number,
    bool: {False: "false", True: "true"}.__getitem__,
    NoneType: lambda _: "null",
}


def _text(value: Any) -> str:
    """The value of a public field as JSON."""
    if type(value) is Blob:
        value = {"file": value.file, "size": value.size, "sha256": value.sha256}
    return _PLAIN.get(type(value), _encode)(value)


def _data(data: Any) -> str:
    """Data of a body as JSON: mostly a few names with plain values."""
    try:
        return f"{{{','.join([f'{encode_basestring(key)}:{_PLAIN[type(it)](it)}' for key, it in data.items()])}}}"
    except (AttributeError, KeyError, TypeError):
        return _encode(data)


def _types(declared: str) -> frozenset[type]:
    known = declared.removesuffix(" | None")
    return _TYPES[known] if known == declared else _TYPES[known] | {NoneType}


#: The types of JSON values that a field accepts, by its annotation; a field that may be None may be missing.
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
_ACCEPTED: Mapping[type[Event], tuple[tuple[str, frozenset[type]], ...]] = {
    cls: tuple((f.name, _types(str(f.type))) for f in fields(cls) if f.name != "timestamp")
    for cls in EVENTS.values()
}
_MOST: int = 10**10  # seconds, and attempts: more than any event can have


def decode(line: Mapping[str, Json]) -> Event | None:
    """The event that a line of JSON records; None for an event that this version does not know.

    Unknown fields are ignored, so that an older dagrun can read the journal of a newer one.
    Raises KeyError, TypeError or ValueError when the line is no event, or a field has the wrong type.
    """
    cls = EVENTS.get(line["event"])
    if cls is None:
        return None
    values: dict[str, Any] = {}
    for name, types in _ACCEPTED[cls]:
        if name in line:
            value = values[name] = line[name]
            fits = type(value) in types
            if not fits or (float in types and value is not None and not -_MOST < value < _MOST):
                raise ValueError(f"'{name}' cannot be {value!r:.80}")
    for name in ("outputs_file", "items_file"):
        if values.get(name) is not None:
            values[name] = _blob(values[name])
    event = cls(timestamp=from_rfc3339(line["timestamp"]), **values)
    if not 0 <= (values.get("attempt") or 0) < _MOST:
        raise ValueError("there is no such attempt")
    match event:
        case DagResume() if {*map(type, (*event.reused, *event.rerun, *(event.waiting or ())))} - {str}:
            raise ValueError("a task's id is text")
        case DagPause() if set(map(type, event.waiting_for)) - {str}:
            raise ValueError("a task's id is text")
        case TaskExpand() if not _is_list_of(event, event.count):
            raise ValueError(f"there are no {event.count} items")
    return event


def _blob(data: Mapping[str, Json]) -> Blob:
    """A file in the directory of the run: a name, never a path."""
    file, size, digest = data["file"], data["size"], data["sha256"]
    if not (type(file) is type(digest) is str and type(size) is int and size >= 0):
        raise ValueError(f"{data!r:.80} is no file with a size and a hash")
    if "/" in file or "\0" in file or file in ("", ".", ".."):
        raise ValueError(f"{file!r:.80} names no file")
    return Blob(file, size, digest)


def _is_list_of(event: TaskExpand, count: int) -> bool:
    return 0 <= count <= MAX_VARIANTS and (event.items is None or len(event.items) == count)
