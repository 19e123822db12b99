"""What waiting tasks wait for: moments, files, signals. (See also tests/unit/test_waits.py.)"""

from __future__ import annotations

from typing import Any

import pytest

from dagrun.clock import to_rfc3339
from dagrun.core.events import TaskWait
from dagrun.core.outcomes import Status
from dagrun.core.task_state import TaskState
from dagrun.core.wait_queue import FILE_INTERVAL, WaitQueue


def waiting(**what: Any) -> TaskState:
    """A task that waits since the moment 0."""
    wait = TaskWait(timestamp=0.0, task_id="t", attempt=1, kind="wait", **what)
    return TaskState(status=Status.WAITING, attempt=1, wait=wait)


def test_the_earliest_moment_is_due_first() -> None:
    queue = WaitQueue([waiting(until=to_rfc3339(20.0)), waiting(signal="go", expires_at=to_rfc3339(10.0))])
    assert (queue.wake_at(), queue.due(9.9), queue.due(10.0)) == (10.0, None, 1)
    assert (queue.for_someone, queue.for_something) == (1, 1)


def test_a_task_that_does_not_wait_any_more_is_not_due() -> None:
    task = waiting(until=to_rfc3339(20.0))
    queue = WaitQueue([task])
    queue.leave(0)
    task.status = Status.SUCCESS
    assert (queue.due(30.0), queue.for_something) == (None, 0)
    assert queue.wake_at() is None


def test_a_damaged_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="Invalid isoformat"):
        WaitQueue([waiting(until="soon")])


def test_a_signal_finds_those_that_wait_for_it() -> None:
    queue = WaitQueue([waiting(signal="go"), waiting(signal="stop"), waiting(signal="go")])
    assert (queue.for_signal("go"), queue.for_signal("gone")) == ([0, 2], [])
    queue.leave(0)
    assert queue.for_signal("go") == [2]


def test_a_file_ends_a_wait_once_it_has_not_changed_for_so_long() -> None:
    queue = WaitQueue([waiting(file="/x", settle_seconds=0.7)])
    assert queue.to_check(0.0) == 0
    queue.file_checked(0, None, 0.0)
    assert queue.wake_at() == FILE_INTERVAL
    queue.file_checked(0, (1,), 0.5)
    queue.file_checked(0, (2,), 1.0)
    queue.file_checked(0, (2,), 1.5)
    assert (queue.ended(), queue.wake_at()) == (None, 1.7)
    queue.file_checked(0, (2,), 1.7)
    assert (queue.ended(), queue.has_come(0)) == (0, True)
