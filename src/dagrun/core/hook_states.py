"""What has become of the hooks of a run in its present stretch, and what comes next."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from dagrun.core.decisions import CancelHook, Finish, StartHook, StopHook
from dagrun.core.events import CancelRequested, HookEnd, HooksStart, HookStart
from dagrun.core.outcomes import Reason, RunStatus, Status
from dagrun.core.work import Json


class HookState(msgspec.Struct):
    """The state of one hook. Moments in seconds since the epoch, durations in seconds."""

    status: Status = Status.PENDING
    attempt: int = 0
    started_at: float | None = None
    duration: float | None = None
    error: str | None = None
    error_type: str | None = None
    exit_code: int | None = None


class HookStates:
    """The hooks of the present stretch, folded from their events. Before all tasks have ended, there is no outcome."""

    def __init__(self) -> None:
        #: The outcome of the run, which hooks do not change.
        self.outcome: Finish | None = None
        self.outputs: Mapping[str, Json] | None = None
        self.states: dict[str, HookState] = {}
        #: A request to cancel that came after the last task had ended.
        self.cancel: CancelRequested | None = None
        self._late: Sequence[str] = ()
        self._left: deque[str] = deque()
        self._running: str | None = None
        self._deadline: float | None = None  # of the hook that runs
        self._stopped: Reason | None = None  # why it was asked to end
        self._attempts: dict[str, int] = {}  # of all stretches: each attempt has its own log

    def __bool__(self) -> bool:
        """Whether the outcome of the run is known, and hooks run or have run."""
        return self.outcome is not None

    # --- the fold ------------------------------------------------------------------------------------------

    def late(self, names: Sequence[str]) -> None:
        """The run is late: these hooks run while it goes on."""
        self._late = names
        self._add(names)

    def begin(self, event: HooksStart) -> None:
        """All tasks have ended."""
        self.outcome = Finish(RunStatus(event.status), event.reason)
        self.outputs = event.outputs
        self._add(event.hooks)

    def start(self, event: HookStart, timeout: float | None) -> None:
        """A hook begins, which may take `timeout` seconds. Raises LookupError for one that is not of the stretch."""
        state = self.states[event.hook]
        state.status, state.attempt, state.started_at = Status.RUNNING, event.attempt, event.timestamp
        self._attempts[event.hook] = event.attempt
        self._running = event.hook
        self._deadline = None if timeout is None else event.timestamp + timeout
        self._take(event.hook)

    def end(self, event: HookEnd) -> None:
        """A hook has ended. Raises LookupError for one that is not of the stretch."""
        state = self.states[event.hook]
        state.status, state.duration = Status(event.status), event.duration_seconds
        state.error, state.error_type, state.exit_code = event.error, event.error_type, event.exit_code
        self._running = self._deadline = self._stopped = None
        self._take(event.hook)

    def cancel_all(self, event: CancelRequested) -> None:
        """The hooks that have not ended should not run any more."""
        self.cancel = self.cancel or event

    def resume(self, due_now: Iterable[str], *, goes_on: bool) -> None:
        """A new stretch. If no task runs again, hooks that have ended do not either: the rest of `due_now` runs.

        Those for a run that is late run once, whatever happens.
        """
        self.cancel = self._running = self._deadline = self._stopped = None
        names = list(self._late)
        if goes_on and self.outcome is not None:
            names += [*self.states, *due_now]
        else:
            self.outcome = self.outputs = None
        before, self.states = self.states, {}
        self._left.clear()
        self._add(name for name in names if name not in before or before[name].duration is None)
        self.states = {name: self.states.get(name) or before[name] for name in dict.fromkeys(names)}

    def _add(self, names: Iterable[str]) -> None:
        new = {name: HookState() for name in names}
        self.states |= new
        self._left.extend(new)

    def _take(self, name: str) -> None:
        if name in self._left:
            self._left.remove(name)

    # --- what comes next -----------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        """Whether a hook runs, or should."""
        return self._running is not None or bool(self._left)

    def next(self, now: float) -> StartHook | StopHook | CancelHook | Finish | None:
        """What to do next about hooks; the end of the run when its outcome is known and all of them have ended."""
        if self._running is not None:
            why = self._why_to_stop(now)
            return StopHook(self._running, why) if why is not None and self._stopped is None else None
        if not self._left:
            return self.outcome
        name = self._left[0]
        return StartHook(name, self._attempts.get(name, 0) + 1) if self.cancel is None else CancelHook(name)

    def _why_to_stop(self, now: float) -> Reason | None:
        if self.cancel is not None:
            return Reason.CANCELLED
        return Reason.TIMED_OUT if self._deadline is not None and now >= self._deadline else None

    @property
    def wake_at(self) -> float | None:
        """When the hook that runs has to be stopped."""
        return self._deadline if self._stopped is None else None

    def stop_requested(self, why: Reason) -> None:
        """The hook that runs was asked to end."""
        self._stopped = why

    @property
    def stopped(self) -> Reason | None:
        """Why the hook that runs was asked to end."""
        return self._stopped
