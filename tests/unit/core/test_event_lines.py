"""Events as lines of JSON: what is written is what is read, by this version and by others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagrun.core.event_lines import decode
from dagrun.core.events import (
    EVENTS,
    CancelRequested,
    DagStart,
    Event,
    TaskOk,
    TaskSkip,
)
from dagrun.core.work import Blob
from tests.unit.core.event_examples import encoder, events, line


def skip(**more: Any) -> dict[str, Any]:
    return {**line(TaskSkip(timestamp=0.0, task_id="a", reason="StopAll")), **more}


def event_line(event: str, **more: Any) -> dict[str, Any]:
    return {"timestamp": "2025-10-03T10:00:00Z", "event": event, "task_id": "a", **more}


@pytest.mark.parametrize("cls", EVENTS.values(), ids=lambda cls: cls.name)
@settings(max_examples=30)  # for each class of events
@given(data=st.data())
def test_every_event_survives_its_line(cls: type[Event], data: st.DataObject) -> None:
    event = data.draw(events(cls))
    assert decode(line(event)) == event


@pytest.mark.parametrize("cls", EVENTS.values(), ids=lambda cls: cls.name)
@settings(max_examples=30)  # for each class of events
@given(data=st.data())
def test_every_event_is_one_line_that_begins_with_its_time_and_names_its_run(
    cls: type[Event], data: st.DataObject
) -> None:
    private, public = encoder().encode(data.draw(events(cls)))
    for text in (private, public):
        assert (text.count(b"\n"), text[-1:], text[:13]) == (1, b"\n", b'{"timestamp":')
        written = json.loads(text)
        assert written["event"] == cls.name
        assert (written["run_id"], written["tenant"]) == ("20251003-100000-7f3a9c", "local-dev")
        assert written["dag_name"] == 'the "daily" one'


@pytest.mark.parametrize("cls", EVENTS.values(), ids=lambda cls: cls.name)
@settings(max_examples=30)  # for each class of events
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
    assert encoder().encode(event)[1].decode() == (
        '{"timestamp":"2025-10-03T10:00:00.000Z","event":"dag_start","run_id":"20251003-100000-7f3a9c",'
        '"dag_name":"the \\"daily\\" one","tenant":"local-dev","trigger":"manual","task_count":2,"dag_path":"a.yaml",'
        '"dag_hash":"ff","params":{},"max_parallel":4}\n'
    )
