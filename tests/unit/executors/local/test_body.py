"""A call in a worker: every end of the function becomes an answer."""

from __future__ import annotations

import logging
import marshal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dagrun.core.work import TaskContext
from dagrun.executors.local.body import ERROR_LENGTH, CalledBody, Terminated, describe_error, truncated
from dagrun.executors.local.sandbox import Sandbox
from dagrun.executors.outputs import store
from dagrun.masking import Masker
from dagrun.run_layout import RunLayout


class Place:
    """A worker between two bodies, of a run in a directory."""

    def __init__(self, where: Path) -> None:
        self.sandbox = Sandbox()
        self.sandbox.run_settings = {"run_id": "r", "max_output_bytes": 100_000}
        self.sandbox.layout = RunLayout(where)
        self.sandbox.paths = self.sandbox.layout.attempt("t", 1)
        self.body: CalledBody | None = None

    def call(self, function: Callable[..., Any], upstream: Any = None, **params: Any) -> dict[str, Any]:
        """The answer to a call of the function."""
        message = {
            "n": 7, "ref": "f", "task": "t", "attempt": 1, "timeout": None, "params": params,
            "upstream": marshal.dumps(upstream or {}),
        }  # fmt: skip
        self.body = CalledBody(logging.getLogger("test"), message, self.sandbox)
        return self.body.run(lambda _: function)

    def ask_to_end(self) -> None:
        assert self.body is not None
        self.body.ask_to_end()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_the_return_value_is_the_outputs(place: Place) -> None:
    answer = place.call(lambda a: {"b": a + 1}, a=1)
    assert answer == {"op": "ended", "n": 7, "changed": True, "outputs": {"b": 2}}


def test_large_outputs_are_stored_in_a_file(place: Place) -> None:
    answer = place.call(lambda: {"page": "x" * 70_000})
    assert answer["blob"]["file"] == "t.1.json"
    assert Path(place.sandbox.paths.outputs).stat().st_size == answer["blob"]["size"]


def test_outputs_over_the_limit_fail_the_attempt(place: Place) -> None:
    answer = place.call(lambda: {"page": "x" * 100_000})
    assert answer["error"].endswith("at most 100000 are allowed (max_output_bytes)")


def test_outputs_of_other_tasks_come_as_data_or_from_a_file(place: Place) -> None:
    blob = store(place.sandbox.layout.outputs / "u.1.json", b'{"k": 2}')
    upstream = {
        "small": {"data": {"k": 1}},
        "u": {"blob": {"file": "u.1.json", "size": blob.size, "sha256": blob.sha256}},
    }
    answer = place.call(lambda **params: params, upstream=upstream)
    assert answer["outputs"] == {"small__k": 1, "u__k": 2}


def test_an_exception_is_the_error_without_frames_of_dagrun(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise KeyError("x")

    answer = place.call(fails)
    assert (answer["error"], answer["error_type"]) == ("KeyError: 'x'", "KeyError")
    assert "calling.py" not in capsys.readouterr().err


def test_a_body_that_catches_its_end_has_been_ended_all_the_same(place: Place) -> None:
    def stubborn() -> str:
        with pytest.raises(Terminated):
            place.ask_to_end()
        return "done"

    assert place.call(stubborn)["error_type"] == "Terminated"


def test_a_body_with_a_context_is_asked_instead_of_interrupted(place: Place) -> None:
    def polite(context: TaskContext) -> dict[str, bool]:
        place.ask_to_end()
        return {"cancelled": context.cancelled}

    answer = place.call(polite)
    assert answer["error_type"] == "Terminated"
    assert Path(place.sandbox.paths.artifacts).is_dir()


def test_secrets_are_masked_in_outputs_and_errors(place: Place) -> None:
    place.sandbox.masker = Masker(["hush-hush"])

    def fails() -> None:
        raise ValueError("hush-hush")

    assert place.call(lambda: {"k": "hush-hush"})["outputs"] == {"k": "***"}
    assert place.call(fails)["error"] == "ValueError: ***"


def test_errors_are_short_and_can_be_encoded() -> None:
    assert len(truncated("x" * 10_000)) == ERROR_LENGTH
    assert truncated("\ud800") == "\\ud800"


def test_an_error_whose_message_fails_is_described_all_the_same() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert describe_error(Odd()) == "Odd: (its message cannot be shown)"
