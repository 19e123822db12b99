"""Any event, for property tests, and events as lines."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from dagrun.core.event_lines import Encoder
from dagrun.core.events import (
    Event,
    TaskExpand,
)
from dagrun.core.work import Blob, Json

MOMENTS = st.integers(0, 4_102_444_800_000).map(lambda millis: millis / 1000)
JSON: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
OBJECTS = st.dictionaries(st.text(), JSON, max_size=3)
FINITE = st.floats(0, 1e9)
ATTEMPTS = st.integers(0, 10**9)
BY_ANNOTATION: dict[str, st.SearchStrategy[Any]] = {
    "str": st.text(),
    "str | None": st.none() | st.text(min_size=1),
    "int": st.integers(),
    "int | None": st.none() | st.integers(),
    "AttemptNumber": ATTEMPTS,
    "AttemptNumber | None": st.none() | ATTEMPTS,
    "Seconds": FINITE,
    "Seconds | None": st.none() | FINITE,
    "bool": st.booleans(),
    "bool | None": st.none() | st.booleans(),
    "Mapping[str, Json]": OBJECTS,
    "Sequence[str]": st.lists(st.text()),
    "Sequence[str] | None": st.none() | st.lists(st.text()),
    "Mapping[str, Json] | None": st.none() | OBJECTS,
    "Sequence[Json] | None": st.none() | st.lists(JSON, max_size=3),
    "Blob | None": st.none()
    | st.builds(Blob, st.from_regex(r"[a-z0-9_%-][a-z0-9_.%-]*", fullmatch=True), st.integers(0), st.text()),
}


def events(cls: type[Event]) -> st.SearchStrategy[Event]:
    """Any event of a class."""
    parts = {
        name: BY_ANNOTATION[cls.__annotations__[name]]
        for name in cls.__struct_fields__
        if name != "timestamp"
    }
    if cls is TaskExpand:  # says how many items it has
        parts |= {"count": st.integers(0, 100_000), "items": st.none()}
        with_items = st.lists(JSON, max_size=3).flatmap(
            lambda items: st.builds(
                cls, timestamp=MOMENTS, **{**parts, "count": st.just(len(items)), "items": st.just(items)}
            )
        )
        return with_items | st.builds(cls, timestamp=MOMENTS, **parts)
    return st.builds(cls, timestamp=MOMENTS, **parts)


def encoder() -> Encoder:
    return Encoder("20251003-100000-7f3a9c", 'the "daily" one', "local-dev")


def line(event: Event) -> dict[str, Any]:
    private, _ = encoder().encode(event)
    data: dict[str, Any] = json.loads(private)
    return data
