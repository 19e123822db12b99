"""The events of a run: where their outputs are, and what is masked in them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagrun.core.event_lines import decode
from dagrun.core.events import (
    EVENTS,
    DagStart,
    Event,
    TaskFail,
    TaskOk,
    masked,
)
from dagrun.core.work import Blob, Json, Outputs
from dagrun.masking import Masker
from tests.unit.core.event_examples import events, line


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
    "task_wait": "prompt", "approval_granted": "inputs", "approval_rejected": "reason", "signal_received": "inputs",
    "hooks_start": "outputs", "hook_end": "error",
}  # fmt: skip


@pytest.mark.parametrize("cls", EVENTS.values(), ids=lambda cls: cls.name)
@settings(max_examples=30)  # for each class of events
@given(data=st.data())
def test_secrets_never_change_the_fields_of_dagrun(cls: type[Event], data: st.DataObject) -> None:
    event = data.draw(events(cls))
    hidden = masked(event, Masker(WORDS))
    assert decode(line(hidden)) == hidden
    for name in cls.__struct_fields__:
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
