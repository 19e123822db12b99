"""What the end of a dependency means for those that depend on it. (The whole table: test_truth_table.)"""

from __future__ import annotations

import itertools

import pytest

from dagrun.core.outcomes import EDGES, FAILED, FINAL, Outcome, Reason, Status, Trigger, outcome_of


@pytest.mark.parametrize(
    ("status", "reason", "tolerated", "outcome"),
    [
        (Status.SUCCESS, "Completed", False, Outcome.GOOD),
        (Status.FAILED, "TaskFailed", False, Outcome.FAILED),
        (Status.FAILED, "TaskFailed", True, Outcome.GOOD),
        (Status.TIMED_OUT, "TimedOut", False, Outcome.FAILED),
        (Status.CANCELLED, "Cancelled", True, Outcome.FAILED),
        (Status.SKIPPED, "Unchanged", False, Outcome.GOOD),
        (Status.SKIPPED, "ConditionFalse", False, Outcome.SKIPPED),
    ],
)
def test_the_end_of_a_task_counts_as(status: Status, reason: str, tolerated: bool, outcome: Outcome) -> None:
    assert outcome_of(status, reason, tolerated=tolerated) is outcome


def test_every_trigger_has_an_answer_to_every_outcome() -> None:
    assert set(EDGES) == set(itertools.product(Trigger, Outcome))
    assert {reason for reason in EDGES.values() if reason} <= set(Reason)


def test_a_task_that_waits_runs_or_is_retried_has_not_ended() -> None:
    unended = {Status.PENDING, Status.RUNNING, Status.RETRYING, Status.WAITING}
    assert unended == set(Status) - FINAL
    assert FAILED < FINAL
