"""The state of one task."""

from __future__ import annotations

from dagrun.core.outcomes import Status
from dagrun.core.task_state import TaskState, summary_of


def test_a_summary_counts_the_variants_that_succeeded() -> None:
    assert summary_of([TaskState(Status.SUCCESS), TaskState(Status.SKIPPED), TaskState()]) == "1/3 passed"
    assert summary_of([]) == "0/0 passed"
