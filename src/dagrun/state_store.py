"""The state store: one line for each event of schedulers and scheduled runs, read from its end.

from dagrun.state_store import record_event, last_runs, index_by

record_event({"event": "run_finished", "status": "success"})
last_runs(limit=20)                       # newest first
index_by("schedule_id", limit=100)        # the newest 100 by schedule, newest first
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from dagrun import settings
from dagrun.clock import to_rfc3339
from dagrun.core.work import Json
from dagrun.storage import jsonl
from dagrun.storage.tail import Follower

Line = dict[str, Json]

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


class Lines(list[Line]):
    """Lines of the state store. `corrupt`: how many damaged lines were left out."""

    corrupt = 0


class Index(dict[Json, list[Line]]):
    """Lines by the value of one of their fields. `corrupt`: how many damaged lines were left out."""

    corrupt = 0


class StateStore:
    """One state store. Many processes may write to it; no file stays open between two calls."""

    def __init__(self, path: Path, rotation: jsonl.Rotation = jsonl.Rotation()) -> None:  # noqa: B008 - frozen
        self.path = path
        self.rotation = rotation

    def record(self, event: Mapping[str, Json]) -> None:
        """Write a line, its time and name first. Raises RecordError, and ValueError for values that are not JSON."""
        line = {"timestamp": event.get("timestamp") or to_rfc3339(time.time())}
        line |= {"event": event["event"]} if "event" in event else {}
        try:
            text = _encode({**line, **{name: value for name, value in event.items() if name not in line}})
        except (TypeError, RecursionError) as error:
            raise ValueError(f"an event of the state store must be JSON: {error}") from None
        file = jsonl.LineFile(self.path, renew=True, rotation=self.rotation)
        try:
            file.append(text.encode("utf-8", "backslashreplace") + b"\n")
        finally:
            file.close()

    def newest(self, limit: int) -> Lines:
        """The last `limit` lines, the newest first; reads no others."""
        found = Lines()
        source = Follower(self.path)
        try:
            found.extend(islice(self._parsed(source, found), max(0, limit)))
        finally:
            source.close()
        return found

    def about(self, run_id: str) -> Lines:
        """The lines about one run since it was enqueued, the newest first."""
        found, needle = Lines(), run_id.encode()
        source = Follower(self.path)
        try:
            backwards = source.backwards()
            for rest in (source.finish(), backwards):
                for line in rest:
                    value = jsonl.parse(line) if needle in line else None
                    if value is not None and value.get("run_id") == run_id and "event" in value:
                        found.append(value)
                        if value["event"] == "schedule_enqueued":
                            return found
        finally:
            source.close()
        return found

    def index(self, field: str, limit: int) -> Index:
        """Those of the last `limit` lines that have a field, by its value."""
        newest, index = self.newest(limit), Index()
        index.corrupt = newest.corrupt
        for line in newest:
            value = line.get(field)
            if isinstance(value, str | int | float):
                index.setdefault(value, []).append(line)
        return index

    @staticmethod
    def _parsed(source: Follower, found: Lines) -> Iterator[Line]:
        backwards = source.backwards()
        for rest in (source.finish(), backwards):  # a last line without a line end is the newest
            for line in rest:
                if (value := jsonl.parse(line)) is not None:
                    yield value
                elif line.strip():
                    found.corrupt += 1


def record_event(event: Mapping[str, Json]) -> None:
    """Append an event to the project's state store; a `timestamp` is added if it has none."""
    _store().record(event)


def last_runs(limit: int = 20) -> Lines:
    """The newest events of the project's state store, newest first; empty if there is no file."""
    return _store().newest(limit)


def index_by(field: str, limit: int = 100) -> Index:
    """The newest `limit` events by the value of a field, newest first; those without the field are left out."""
    return _store().index(field, limit)


def _store() -> StateStore:
    return of(settings.load())


def of(chosen: settings.Settings) -> StateStore:
    """The state store of these settings."""
    return StateStore(chosen.path(chosen.state_path), jsonl.Rotation(chosen.rotate_bytes, chosen.rotate_keep))
