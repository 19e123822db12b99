"""What a scheduler asks of the world of runs: two small interfaces, whose real bodies are in `children` and whose fakes are in tests."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from dagrun.errors import DagrunError
from dagrun.scheduling.open_runs import OpenRun
from dagrun.scheduling.schedule import Schedule


class RunPhase(StrEnum):
    """What has become of a run."""

    #: It has no facts yet, and nobody has it in hand.
    NOT_STARTED = "unborn"
    LIVE = "live"
    INTERRUPTED = "interrupted"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class RunEnding:
    """How a run ended."""

    status: str
    duration: float | None = None
    error: str = ""

    @property
    def is_good(self) -> bool:
        """Whether the run succeeded, or waits for a person."""
        return self.status in ("success", "waiting")


@dataclass(frozen=True, slots=True)
class DagInfo:
    """What a scheduler knows of a DAG that can be run."""

    name: str
    tenant: str


class DagProblem(DagrunError):
    """A DAG cannot be run as a schedule says. The message has a line for each problem; `reason` is a word, `MissingDag`, `InvalidDag` or `InvalidParams`."""

    def __init__(self, reason: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class RunHandle(Protocol):
    """A run that goes on."""

    #: Whether it is a process of this scheduler's own.
    own: bool

    def has_ended(self) -> bool:
        """Whether nobody drives the run any more."""
        ...

    def kill(self) -> None:
        """End it at once; returns when nothing of it is left. Only for its own."""
        ...

    def error(self) -> str:
        """What it complained about on its way."""
        ...


class RunControl(Protocol):
    """Starts runs and looks at them."""

    def dag(self, schedule: Schedule) -> DagInfo:
        """What a schedule runs, if it can be run with its parameters, for all that is known. Raises DagProblem."""
        ...

    def start(self, run: OpenRun, *, again: bool = False) -> RunHandle:
        """Begin a run, or `again` go on with one. Raises OSError."""
        ...

    def watch(self, run_id: str) -> RunHandle:
        """A run that somebody else drives."""
        ...

    def has_started(self, run_id: str) -> bool:
        """Whether the run has facts; costs next to nothing."""
        ...

    def is_live(self, run_id: str) -> bool:
        """Whether some process drives the run; costs next to nothing."""
        ...

    def phase(self, run_id: str) -> RunPhase:
        """What has become of a run; reads its journal."""
        ...

    def ending(self, run_id: str) -> RunEnding:
        """How a run ended, or that it was interrupted."""
        ...

    def last_event_at(self, run_id: str) -> float | None:
        """The moment of a run's last fact; None when it has none."""
        ...

    def cancel(self, run_id: str, reason: str) -> bool:
        """Ask a live run to end; False if it is none."""
        ...
