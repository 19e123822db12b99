"""How a scheduler starts and follows runs: two protocols. `run_processes` implements them with processes, tests with fakes."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from dagrun.errors import DagrunError
from dagrun.scheduling.open_runs import OpenRun
from dagrun.scheduling.schedule import Schedule
from dagrun.value import Value


class RunPhase(StrEnum):
    """How far a run has got."""

    #: It has no events yet, and no process drives it.
    NOT_STARTED = "unborn"
    LIVE = "live"
    INTERRUPTED = "interrupted"
    #: It is paused: it waits for a person or a signal. `DECIDED`: the answer, or the end of the time for one, is there,
    #: and no process has continued the run since.
    WAITING = "waiting"
    DECIDED = "decided"
    ENDED = "ended"


class RunEnding(Value):
    """The end of a run."""

    status: str
    duration: float | None = None
    error: str = ""

    @property
    def is_good(self) -> bool:
        """Whether the run succeeded, or is waiting for a person."""
        return self.status in ("success", "waiting")


class DagInfo(Value):
    """What a scheduler needs to know of a DAG."""

    name: str
    tenant: str


class DagProblem(DagrunError):
    """The DAG of a schedule cannot be run. `reason` is `MissingDag`, `InvalidDag` or `InvalidParams`; the message has a line per problem."""

    def __init__(self, reason: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class RunHandle(Protocol):
    """A run that has been started."""

    #: Whether it is a child process of this scheduler.
    own: bool

    def has_ended(self) -> bool:
        """Whether no process drives the run any more."""
        ...

    def kill(self) -> None:
        """Kill it; returns when all its processes have ended. Only for child processes of this scheduler."""
        ...

    def error(self) -> str:
        """The end of its error output."""
        ...


class RunControl(Protocol):
    """Starts runs and looks up what became of them."""

    def dag(self, schedule: Schedule) -> DagInfo:
        """The DAG of a schedule, checked with the parameters of the schedule. Raises DagProblem."""
        ...

    def start(self, run: OpenRun, *, again: bool = False) -> RunHandle:
        """Start a run, or with `again` resume it. Raises OSError."""
        ...

    def watch(self, run_id: str) -> RunHandle:
        """A handle for a run that another process drives."""
        ...

    def has_started(self, run_id: str) -> bool:
        """Whether the run has events; cheap."""
        ...

    def is_live(self, run_id: str) -> bool:
        """Whether a process drives the run; cheap."""
        ...

    def phase(self, run_id: str) -> RunPhase:
        """How far a run has got; reads its journal."""
        ...

    def ending(self, run_id: str) -> RunEnding:
        """The end of a run, which may be that it was interrupted."""
        ...

    def last_event_at(self, run_id: str) -> float | None:
        """When the last event of a run was recorded; None if it has none."""
        ...

    def cancel(self, run_id: str, reason: str) -> bool:
        """Request that a live run ends, or end a paused one. Returns False if it is neither."""
        ...
