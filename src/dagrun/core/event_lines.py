"""Events as lines of JSON."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from dagrun.clock import from_rfc3339, to_rfc3339
from dagrun.core.events import EVENTS, Event, TaskExpand, file_of
from dagrun.core.variants import MAX_VARIANTS
from dagrun.core.work import Json
from dagrun.fast_json import encode


class Encoder:
    """Writes the events of one run as lines. The fields that all events of the run share are encoded once."""

    def __init__(self, run_id: str, dag_name: str, tenant: str) -> None:
        shared = encode({"run_id": run_id, "dag_name": dag_name, "tenant": tenant})[1:-1]
        self._heads = {cls: b'","event":"%s",%s' % (cls.name.encode(), shared) for cls in EVENTS.values()}

    def encode(self, event: Event) -> tuple[bytes, bytes]:
        """The event as a line for the journal of the run, and as a line for the stream of all runs (no outputs)."""
        body = encode(
            event
        )  # begins with the timestamp as a number, and ends with the private field, if it has one
        line = b'{"timestamp":"%s%s%s\n' % (
            to_rfc3339(event.timestamp).encode(), self._heads[type(event)], body[body.index(b",") :],
        )  # fmt: skip
        if event.private is None or (data := getattr(event, event.private)) is None:
            return line, line
        end = len(encode(data)) + len(event.private) + 6  # ,"outputs":{..}} and the line end
        return line, line[:-end] + b"}\n"


def decode(line: Mapping[str, Json]) -> Event | None:
    """The event that a line of JSON records; None for an event that this version does not know.

    Unknown fields are ignored, so that an older dagrun can read the journal of a newer one.
    Raises KeyError, TypeError or ValueError when the line is no event, or a field has the wrong type.
    """
    cls = EVENTS.get(line["event"])
    if cls is None:
        return None
    try:
        event: Event = msgspec.convert({**line, "timestamp": from_rfc3339(line["timestamp"])}, cls)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None
    if (blob := file_of(event)) is not None:
        _check_file(blob.file, blob.size)
    if isinstance(event, TaskExpand) and not _has_all_items(event):
        raise ValueError(f"there are no {event.count} items")
    return event


def _check_file(name: str, size: int) -> None:
    """A file in the directory of the run: a name, never a path."""
    if "/" in name or "\0" in name or name in ("", ".", "..") or size < 0:
        raise ValueError(f"{name!r:.80} names no file")


def _has_all_items(event: TaskExpand) -> bool:
    return 0 <= event.count <= MAX_VARIANTS and (event.items is None or len(event.items) == event.count)
