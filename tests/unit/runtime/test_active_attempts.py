"""The attempts that an executor has: what it is asked to do, and what it reports."""

from __future__ import annotations

from pathlib import Path

from dagrun.core.work import Attempt, AttemptResult, Nothing, Work
from dagrun.executors.inline import HANG, InlineExecutor
from dagrun.runtime.active_attempts import ActiveAttempts, AttemptListener, PrefetchReport
from tests.unit.harness import graph

NODE = graph("a").nodes[0]
ENDED = AttemptResult(duration=0.0)


def work(number: int = 1) -> Work:
    attempt = Attempt(run_id="r", task_id="a", number=number, timeout=None)
    return Work(
        attempt=attempt, body=Nothing(), params={}, upstream={}, env={}, cwd=Path("/"), max_output_bytes=1
    )


def test_the_end_of_an_attempt_is_reported_once() -> None:
    woken: list[None] = []
    attempts = ActiveAttempts(InlineExecutor(), lambda: woken.append(None))
    attempts.start(NODE, work(2))
    attempts.report(AttemptListener(attempts, NODE, 2), ENDED)
    assert list(attempts.reports()) == [(NODE, 2, ENDED)]
    assert (list(attempts.reports()), bool(attempts), len(woken)) == ([], False, 1)


def test_a_prefetched_attempt_begins_before_it_ends() -> None:
    attempts = ActiveAttempts(InlineExecutor({"a": lambda _: HANG}, ahead=1), lambda: None)
    attempts.prefetch(NODE, work())
    listener = AttemptListener(attempts, NODE, 1)
    listener.begun()
    listener.ended(ENDED)
    assert [report for _, _, report in attempts.reports()] == [PrefetchReport.BEGUN, ENDED]


def test_no_more_calls_are_prefetched_than_the_executor_has_room_for() -> None:
    attempts = ActiveAttempts(InlineExecutor(ahead=1), lambda: None)
    assert attempts.has_room("w")
    attempts.prefetch(NODE, work())
    assert not attempts.has_room("w")
    assert not attempts.has_room(None)


def test_reports_about_abandoned_attempts_are_ignored() -> None:
    attempts = ActiveAttempts(InlineExecutor(), lambda: None)
    attempts.start(NODE, work())
    assert [each.task_id for each in attempts.abandon()] == ["a"]
    attempts.report(AttemptListener(attempts, NODE, 1), ENDED)
    assert list(attempts.reports()) == []
