"""What the engine asks of an executor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from dagrun.core.work import Attempt, AttemptResult, Work


class Executor(Protocol):
    """Runs the attempts of one run and of the runs below it. Every method is called on the engine's loop; none waits for a body."""

    async def open(self, directory: Path, bodies_lock: Path | None) -> None:
        """Prepare to start attempts of the run in `directory`, where their logs, outputs and artifacts go.

        Called for the run that closes the executor, and then for each child run. The file `bodies_lock` stays locked for as
        long as a body may be alive.
        """
        ...

    def leave(self, directory: Path) -> None:
        """A child run has ended: no more attempts of it will be started."""
        ...

    def start(self, work: Work, done: Callable[[AttemptResult], None]) -> None:
        """Start an attempt. When it has ended, for whatever reason, `done` is called on the loop, exactly once."""
        ...

    def stop(self, attempt: Attempt, *, now: bool = False) -> None:
        """End an attempt: SIGTERM, a grace period, SIGKILL; with `now` SIGKILL at once. Its end is still reported.

        A prefetched attempt that has not begun is returned.
        """
        ...

    async def close(self) -> None:
        """End everything that was started and is still running."""
        ...


class PrefetchListener(Protocol):
    """Called on the loop with what happens to a prefetched attempt."""

    def begun(self) -> None:
        """The body begins now."""
        ...

    def returned(self) -> None:
        """The attempt has not begun and is the engine's again."""
        ...

    def ended(self, ended: AttemptResult) -> None:
        """The attempt had begun and has ended."""
        ...


@runtime_checkable
class Prefetching(Executor, Protocol):
    """An executor that can be given calls of very short bodies in advance, so that no worker waits for the engine."""

    def room(self, ref: str) -> int:
        """How many calls of this workflow can be prefetched now; 0 unless its bodies are very short."""
        ...

    def expects_end_soon(self) -> bool:
        """Whether a running body is so short that its end is worth polling for."""
        ...

    def prefetch(self, attempts: Sequence[tuple[Work, PrefetchListener]]) -> None:
        """Take attempts, each of which begins when another one ends. An attempt that has not begun may be returned at any time.

        There are never more attempts active at once than were started with `start`.
        """
        ...
