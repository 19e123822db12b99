"""Hooks run one after the other; and what a resume leaves of them."""

from __future__ import annotations

import pytest

from dagrun.core.decisions import CancelHook, Finish, StartHook, StopHook
from dagrun.core.events import CancelRequested, HookEnd, HooksStart, HookStart
from dagrun.core.hook_states import HookStates
from dagrun.core.outcomes import Reason, RunStatus


def begun(*names: str) -> HookStates:
    states = HookStates()
    states.begin(HooksStart(timestamp=0.0, status="failed", reason="TaskFailed", hooks=names))
    return states


def started(name: str, attempt: int = 1, at: float = 1.0) -> HookStart:
    return HookStart(timestamp=at, hook=name, attempt=attempt, kind="shell")


def ended(name: str, status: str = "success") -> HookEnd:
    return HookEnd(timestamp=2.0, hook=name, attempt=1, status=status)


def test_they_run_one_after_the_other_and_then_the_run_ends() -> None:
    states = begun("on_failure", "on_exit")
    assert states.next(1.0) == StartHook("on_failure", 1)
    states.start(started("on_failure"), timeout=5.0)
    assert (states.next(1.0), states.is_busy, states.wake_at) == (None, True, 6.0)
    states.end(ended("on_failure", "failed"))
    assert states.next(2.0) == StartHook("on_exit", 1)
    states.start(started("on_exit"), timeout=None)
    states.end(ended("on_exit"))
    assert states.next(2.0) == Finish(RunStatus.FAILED, "TaskFailed")
    assert not states.is_busy


def test_one_that_takes_too_long_is_stopped_once() -> None:
    states = begun("on_exit")
    states.start(started("on_exit"), timeout=5.0)
    assert states.next(6.0) == StopHook("on_exit", Reason.TIMED_OUT)
    states.stop_requested(Reason.TIMED_OUT)
    assert (states.next(7.0), states.wake_at, states.stopped) == (None, None, Reason.TIMED_OUT)


def test_a_cancel_stops_the_one_that_runs_and_starts_no_other() -> None:
    states = begun("on_failure", "on_exit")
    states.start(started("on_failure"), timeout=None)
    states.cancel_all(CancelRequested(timestamp=1.5, by="me"))
    assert states.next(2.0) == StopHook("on_failure", Reason.CANCELLED)
    states.end(ended("on_failure", "cancelled"))
    assert states.next(2.0) == CancelHook("on_exit")
    states.end(ended("on_exit", "cancelled"))
    assert states.next(2.0) == states.outcome


def test_a_resume_with_nothing_else_to_run_repeats_only_the_one_that_was_running() -> None:
    states = begun("on_failure", "on_exit", "project.on_exit")
    for name in ("on_failure", "on_exit"):
        states.start(started(name), timeout=None)
        if name == "on_failure":
            states.end(ended(name))
    states.resume(["on_failure", "on_exit", "project.on_exit"], goes_on=True)
    assert states.next(3.0) == StartHook("on_exit", 2)
    assert states.outcome is not None


def test_a_resume_that_runs_tasks_again_forgets_the_hooks_of_the_end_but_not_that_the_run_was_late() -> None:
    states = HookStates()
    states.late(["on_late"])
    states.start(started("on_late"), timeout=None)
    states.end(ended("on_late"))
    states.begin(HooksStart(timestamp=0.0, status="failed", reason="TaskFailed", hooks=["on_exit"]))
    states.start(started("on_exit"), timeout=None)
    states.resume((), goes_on=False)
    assert (states.outcome, list(states.states), states.is_busy) == (None, ["on_late"], False)


def test_hooks_of_a_late_run_come_before_those_of_its_end() -> None:
    states = HookStates()
    states.late(["on_late"])
    assert states.next(1.0) == StartHook("on_late", 1)
    assert not states
    states.begin(HooksStart(timestamp=0.0, status="success", reason="Completed", hooks=["on_exit"]))
    assert states.next(1.0) == StartHook("on_late", 1)


def test_an_event_about_an_unknown_hook_does_not_fit() -> None:
    with pytest.raises(LookupError):
        begun("on_exit").start(started("on_success"), timeout=None)
    with pytest.raises(LookupError):
        begun("on_exit").end(ended("on_success"))
