"""Events as lines of JSON: what is written is what is read, by this version and by others."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.core.events import (
    EVENTS,
    CancelRequested,
    DagStart,
    Encoder,
    Event,
    TaskExpand,
    TaskFail,
    TaskOk,
    TaskRetry,
    TaskSkip,
    TaskStart,
    decode,
    masked,
)
from dagrun.core.work import Blob, Json, Outputs
from dagrun.masking import Masker

MOMENTS = st.integers(0, 4_102_444_800_000).map(lambda millis: millis / 1000)
JSON: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
OBJECTS = st.dictionaries(st.text(), JSON, max_size=3)
FINITE = st.floats(0, 1e9)
BY_ANNOTATION: dict[str, st.SearchStrategy[Any]] = {
    "str": st.text(),
    "str | None": st.none() | st.text(min_size=1),
    "int": st.integers(),
    "int | None": st.none() | st.integers(),
    "float": FINITE,
    "float | None": st.none() | FINITE,
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
ATTEMPTS = st.integers(0, 10**9)


def events(cls: type[Event]) -> st.SearchStrategy[Event]:
    """Any event of a class."""
    parts = {field.name: BY_ANNOTATION[str(field.type)] for field in fields(cls) if field.name != "timestamp"}
    if "attempt" in parts:
        parts["attempt"] = ATTEMPTS if cls is TaskStart else st.none() | ATTEMPTS
    if cls is TaskExpand:  # says how many items it has
        parts |= {"count": st.integers(0, 100_000), "items": st.none()}
        with_items = st.lists(JSON, max_size=3).flatmap(
            lambda items: st.builds(
                cls, timestamp=MOMENTS, **{**parts, "count": st.just(len(items)), "items": st.just(items)}
            )
        )
        return with_items | st.builds(cls, timestamp=MOMENTS, **parts)
    if cls is TaskRetry:
        parts["attempt"] = ATTEMPTS
    return st.builds(cls, timestamp=MOMENTS, **parts)


def encoder() -> Encoder:
    return Encoder("20251003-100000-7f3a9c", 'the "daily" one', "local-dev")


def line(event: Event) -> dict[str, Any]:
    private, _ = encoder().encode(event)
    data: dict[str, Any] = json.loads(private)
    return data


def skip(**more: Any) -> dict[str, Any]:
    return {**line(TaskSkip(timestamp=0.0, task_id="a", reason="StopAll")), **more}


def event_line(event: str, **more: Any) -> dict[str, Any]:
    return {"timestamp": "2025-10-03T10:00:00Z", "event": event, "task_id": "a", **more}


@pytest.mark.parametrize("cls", EVENTS.values(), ids=lambda cls: cls.name)
@given(data=st.data())
def test_every_event_survives_its_line(cls: type[Event], data: st.DataObject) -> None:
    event = data.draw(events(cls))
    assert decode(line(event)) == event


@pytest.mark.parametrize("cls", EVENTS.values(), ids=lambda cls: cls.name)
@given(data=st.data())
def test_every_event_is_one_line_that_begins_with_its_time_and_names_its_run(
    cls: type[Event], data: st.DataObject
) -> None:
    private, public = encoder().encode(data.draw(events(cls)))
    for text in (private, public):
        assert (text.count("\n"), text[-1], text[:13]) == (1, "\n", '{"timestamp":')
        written = json.loads(text)
        assert written["event"] == cls.name
        assert (written["run_id"], written["tenant"]) == ("20251003-100000-7f3a9c", "local-dev")
        assert written["dag_name"] == 'the "daily" one'


@pytest.mark.parametrize("cls", EVENTS.values(), ids=lambda cls: cls.name)
@given(data=st.data())
def test_data_of_bodies_is_in_the_private_line_only(cls: type[Event], data: st.DataObject) -> None:
    event = data.draw(events(cls))
    private, public = (json.loads(text) for text in encoder().encode(event))
    for name in ("outputs", "items"):
        assert name not in public
        assert private.pop(name, None) == getattr(event, name, None)
    assert private == public


def test_an_event_of_a_later_version_is_ignored() -> None:
    assert decode(skip(event="task_teleported")) is None


def test_a_field_of_a_later_version_is_ignored() -> None:
    assert decode(skip(colour="blue")) == decode(skip())


def test_a_field_of_a_later_version_in_an_outputs_file_is_ignored() -> None:
    blob = Blob("a.1.json", 70_000, "ab")
    event = TaskOk(timestamp=0.0, task_id="a", attempt=1, duration_seconds=0.1, outputs_file=blob)
    data = line(event)
    data["outputs_file"]["colour"] = "blue"
    assert decode(data) == event


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"event": []},
        {"event": "task_skip"},
        {"event": "task_skip", "timestamp": "2025-10-03T10:00:00Z"},
        {"event": "task_skip", "timestamp": "soon", "task_id": "a", "reason": "StopAll"},
        {"event": "task_skip", "timestamp": 5, "task_id": "a", "reason": "StopAll"},
        skip(task_id=["a"]),
        skip(task_id=None),
        skip(reason=5),
        skip(detail={}),
        event_line("task_start", attempt="1", kind="shell"),
        event_line("task_start", attempt=True, kind="shell"),
        event_line("task_start", attempt=1.5, kind="shell"),
        event_line("task_start", attempt=-1, kind="shell"),
        event_line("task_start", attempt=10**20, kind="shell"),
        event_line("task_ok", duration_seconds="1"),
        event_line("task_ok", duration_seconds=float("nan")),
        event_line("task_ok", duration_seconds=1e300),
        event_line("task_ok", duration_seconds=10**400),
        event_line("task_ok", duration_seconds=1, changed="yes"),
        event_line("task_ok", duration_seconds=1, outputs=[]),
        event_line("task_ok", duration_seconds=1, outputs_file="a.1.json"),
        event_line("task_ok", duration_seconds=1, outputs_file={"file": "a.1.json"}),
        event_line("task_ok", duration_seconds=1, outputs_file={"file": "../../x", "size": 1, "sha256": "0"}),
        event_line("task_ok", duration_seconds=1, outputs_file={"file": "..", "size": 1, "sha256": "0"}),
        event_line("task_ok", duration_seconds=1, outputs_file={"file": "a\0", "size": 1, "sha256": "0"}),
        event_line("task_ok", duration_seconds=1, outputs_file={"file": "a", "size": "1", "sha256": "0"}),
        event_line("task_ok", duration_seconds=1, outputs_file={"file": "a", "size": 1, "sha256": 0}),
        event_line("task_expand", count=2, items=["x"]),
        event_line("task_expand", count=-1),
        event_line("task_expand", count=10**12),
        event_line("dag_resume", reused=[1], rerun=[], dag_hash="ff"),
        event_line("dag_resume", reused="ab", rerun=[], dag_hash="ff"),
        event_line("dag_start", task_count=1, dag_path="d", dag_hash="ff", params=[]),
    ],
)
def test_a_line_that_is_no_event_is_an_error_that_readers_handle(data: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        decode(data)


def test_what_is_empty_is_not_written() -> None:
    written = line(CancelRequested(timestamp=0.0, by="me"))
    assert "reason" not in written


def test_a_dag_start_is_the_line_that_scripts_know() -> None:
    event = DagStart(
        timestamp=1_759_485_600.0, task_count=2, dag_path="a.yaml", dag_hash="ff", max_parallel=4
    )
    assert encoder().encode(event)[1] == (
        '{"timestamp":"2025-10-03T10:00:00.000Z","event":"dag_start","run_id":"20251003-100000-7f3a9c",'
        '"dag_name":"the \\"daily\\" one","tenant":"local-dev","task_count":2,"dag_path":"a.yaml",'
        '"dag_hash":"ff","params":{},"trigger":"manual","max_parallel":4}\n'
    )


@pytest.mark.parametrize(
    ("small", "large", "result"),
    [({"k": 1}, None, {"k": 1}), (None, None, {}), (None, Blob("f", 1, "s"), Blob("f", 1, "s"))],
)
def test_a_result_is_the_outputs_or_their_file(
    small: dict[str, Json] | None, large: Blob | None, result: Outputs
) -> None:
    event = TaskOk(
        timestamp=0.0, task_id="a", attempt=1, duration_seconds=0.0, outputs=small, outputs_file=large
    )
    assert event.result == result


# --- secrets ----------------------------------------------------------------------------------------------------

#: Secrets that dagrun's own records are full of.
WORDS = (
    "success", "task_ok", "dag_start", "run_id", "task_id", "2026", "true", "null", "eeee", '"1234"', "test", "StopAll",
    "timestamp", "outputs", "local-dev", "20251003", "daily", "manual", "params",
)  # fmt: skip
GIVEN = {
    "dag_start": "params", "task_ok": "outputs", "task_retry": "error", "task_fail": "error", "task_expand": "items",
    "cancel_requested": "reason", "cancel_ignored": "reason", "dag_resume": "params", "dag_done": "outputs",
}  # fmt: skip


@pytest.mark.parametrize("cls", EVENTS.values(), ids=lambda cls: cls.name)
@given(data=st.data())
def test_secrets_never_change_the_fields_of_dagrun(cls: type[Event], data: st.DataObject) -> None:
    event = data.draw(events(cls))
    hidden = masked(event, Masker(WORDS))
    assert decode(line(hidden)) == hidden
    for name in (field.name for field in fields(cls)):
        if name != GIVEN.get(cls.name):
            assert getattr(hidden, name) == getattr(event, name)


def test_data_of_a_body_is_masked_and_fields_of_dagrun_are_not() -> None:
    event = TaskOk(
        timestamp=1_790_000_000.0, task_id="test", attempt=1, duration_seconds=2026.0,
        outputs={"test": "a test", "n": [12026, True, None]},
    )  # fmt: skip
    written = line(masked(event, Masker(WORDS)))
    assert (written["event"], written["task_id"], written["duration_seconds"]) == ("task_ok", "test", 2026.0)
    assert written["outputs"] == {"***": "a ***", "n": ["***", True, None]}


def test_the_names_of_parameters_are_kept() -> None:
    start = DagStart(
        timestamp=0.0, task_count=1, dag_path="test.yaml", dag_hash="eeee", params={"test": "test"}, masked_params=["test"]
    )  # fmt: skip
    hidden = masked(start, Masker(WORDS))
    assert (hidden.params, hidden.masked_params, hidden.dag_path) == ({"test": "***"}, ["test"], "test.yaml")


def test_the_error_of_a_group_names_its_variants() -> None:
    error = TaskFail(
        timestamp=0.0, task_id="m", error="m[test] failed", error_type="VariantsFailed", summary="0/1 passed"
    )
    assert masked(error, Masker(WORDS)) == error
