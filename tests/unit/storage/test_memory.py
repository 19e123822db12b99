"""Runs in memory: what tests may read of them beyond the protocol, which tests/contract checks."""

from __future__ import annotations

from dagrun.core.events import CancelRequested
from dagrun.core.model import Dag
from dagrun.core.requests import Request
from dagrun.storage.memory import MemoryRuns

DAG = Dag(name="d", tasks=())


def cancelled(by: str) -> CancelRequested:
    return CancelRequested(timestamp=1.0, by=by, reason="")


def test_events_are_in_the_journal_and_the_stream_after_one_flush_each() -> None:
    run = MemoryRuns().create(DAG, 0.0, "r")
    run.append(cancelled("a"))
    run.append(cancelled("b"))
    assert run.journal == []
    run.flush()
    run.flush()
    assert (len(run.journal), len(run.stream), run.flushes) == (2, 2, 1)


def test_events_are_read_back_from_json() -> None:
    runs = MemoryRuns()
    run = runs.create(DAG, 0.0, "r")
    run.append(cancelled("ä"))
    run.close()
    assert runs.read("r").events == [cancelled("ä")]
    assert not runs.is_live("r")


def test_a_request_stays_until_the_next_one_is_asked_for() -> None:
    runs = MemoryRuns()
    run = runs.create(DAG, 0.0, "r")
    runs.send("r", Request("cancel", "me", {}))
    requests = run.requests()
    assert next(requests).by == "me"
    assert len(run.pending_requests) == 1
    assert list(requests) == []
    assert run.pending_requests == []


def test_a_list_of_a_for_each_is_kept_only_if_it_is_too_large_for_an_event() -> None:
    run = MemoryRuns().create(DAG, 0.0, "r")
    assert run.store_items("t", ["small"]) is None
    large = ["x" * 1000] * 100
    blob = run.store_items("t", large)
    assert blob is not None
    assert run.read_outputs(blob) == {"items": large}


def test_a_discarded_run_is_forgotten() -> None:
    runs = MemoryRuns()
    runs.create(DAG, 0.0, "r").discard()
    assert not runs.has("r")
