"""What the engine asks of the part that drives child runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from dagrun.core.outcomes import Reason
from dagrun.core.work import Attempt, AttemptResult, Json, Outputs
from dagrun.runtime.shared_slots import SharedSlots
from dagrun.value import Value, field

if TYPE_CHECKING:
    from dagrun.core.resume import Reuse
    from dagrun.core.selection import Selection
    from dagrun.runtime.prepared_run import PreparedRun


class ChildWork(Value):
    """An attempt that is a run of another DAG, with all expressions evaluated.

    `dag` is a path or a name. `upstream` has the outputs of each direct dependency, in file order.
    """

    attempt: Attempt
    dag: str
    params: Mapping[str, Json]
    upstream: Mapping[str, Outputs]


class RepeatedChild(Value):
    """A child run of an earlier run, and which of its tasks run again in the child run that repeats it."""

    run_id: str
    again: Selection


class PreparedChild(Value):
    """A child run that nothing keeps from beginning. `continues`: it is one that exists, and was left in this state.

    With `reused` it repeats the child run `repeats` of an earlier run, and begins with results of that.
    """

    attempt: Attempt
    run_id: str
    prepared: PreparedRun
    continues: bool = False
    repeats: str = ""
    reused: Reuse | None = None
    #: What it repeats in turn.
    below: Mapping[str, RepeatedChild] = field(default_factory=dict)


class ChildRuns(Protocol):
    """Drives the child runs of one run, on the loop of its engine."""

    #: The slots for bodies that the whole tree of runs shares, and those for live child runs at this level of it.
    slots: SharedSlots
    live: SharedSlots

    def prepare(self, work: ChildWork, earlier: str | None) -> PreparedChild:
        """Prepare a child run; with `earlier`, the run of an earlier stretch, that one if it can be continued.

        Raises DagrunError when there is no such DAG, when it has errors, or when the parameters do not fit.
        """
        ...

    def start(
        self, child: PreparedChild, done: Callable[[AttemptResult], None], wake: Callable[[], None]
    ) -> None:
        """Drive a child run. At its end `done` is called on the loop, exactly once, unless it is paused.

        `wake` is called when the number of idle child runs has changed.
        """
        ...

    @property
    def idle(self) -> int:
        """How many child runs only a person or another program can continue."""
        ...

    def take_requests(self) -> bool:
        """Record the requests of all runs below; whether there was one."""
        ...

    def pause(self) -> Mapping[str, str]:
        """End the stretches of the idle child runs, which are paused then: their ids by task."""
        ...

    def stop(self, attempt: Attempt, why: Reason | None, *, now: bool = False) -> None:
        """Cancel a child run, because its task ends for this reason; with `now` its bodies are killed at once."""
        ...

    async def close(self) -> None:
        """Leave the child runs that are still driven: they are interrupted."""
        ...
