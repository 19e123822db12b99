"""A request to run a DAG survives the way to another process."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagrun.core.outcomes import OnError
from dagrun.core.selection import EVERYTHING, Selection
from dagrun.runtime.run_request import RunRequest


@pytest.mark.parametrize(
    "request_",
    [
        RunRequest(dag="nightly"),
        RunRequest(
            dag="a.yaml", values={"n": [1, {"x": None}]}, params=("t=é",), params_file=Path("/p.yaml"),
            tenant="acme", max_parallel=3, on_error=OnError.CONTINUE, selection=Selection(only=("a", "b[x=1]")),
            trigger="schedule", schedule_id="s", scheduled_at="2026-01-01T00:00:00Z",
        ),
    ],
)  # fmt: skip
def test_a_request_is_the_same_after_json(request_: RunRequest) -> None:
    assert RunRequest.from_json(request_.to_json()) == request_


def test_a_request_for_everything_selects_everything_after_json() -> None:
    assert RunRequest.from_json(RunRequest(dag="d").to_json()).selection == EVERYTHING


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"dag": "d"}', "null"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        RunRequest.from_json(text)
