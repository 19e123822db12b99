"""The inline executor, for tests of behaviour, ours and users': bodies are plain functions called on the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dagrun.core.executor_protocol import PrefetchListener
from dagrun.core.payloads import merged_params
from dagrun.core.work import Attempt, AttemptResult, Blob, Call, Json, Nothing, Work
from dagrun.executors.calling import outputs_of

HANG: Final = object()
"""Returned by a body to say: I am still running, until somebody stops me."""


class InlineExecutor:
    """Calls `bodies[task id]` (of a variant, or of the whole group) or `bodies[workflow name]` with the merged parameters.
    A task without either is a no-op.

    A body may raise (the attempt fails), return outputs, return an `AttemptResult`, or return HANG. `started` lists what
    was started, in order, as `(task id, attempt)`; `most_at_once` is the largest number of attempts that ran at the same
    time. Up to `ahead` attempts can be prefetched.
    """

    def __init__(
        self, bodies: Mapping[str, Callable[[dict[str, Json]], Any]] | None = None, ahead: int = 0
    ) -> None:
        self.ahead = ahead
        self.bodies = dict(bodies or {})
        self.started: list[tuple[str, int]] = []
        self.params: dict[str, dict[str, Json]] = {}
        self.most_at_once = 0
        self._prefetched: list[tuple[Work, PrefetchListener]] = []
        self._hanging: dict[str, Callable[[AttemptResult], None]] = {}
        self._active = 0

    async def open(self, directory: Path, bodies_lock: Path | None) -> None:
        """Nothing to prepare."""

    def leave(self, directory: Path) -> None:
        """Nothing to forget."""

    async def close(self) -> None:
        """Nothing to end."""

    def start(self, work: Work, done: Callable[[AttemptResult], None]) -> None:
        """Call the body at the next turn of the loop."""
        self.started.append((work.attempt.task_id, work.attempt.number))
        self._active += 1
        self.most_at_once = max(self.most_at_once, self._active)

        def finish(ended: AttemptResult) -> None:
            self._active -= 1
            done(ended)
            self._begin_next()

        asyncio.get_running_loop().call_soon(self._run, work, finish)

    def _begin_next(self) -> None:
        """Begin the first prefetched attempt."""
        if self._prefetched:
            work, listener = self._prefetched.pop(0)
            listener.begun()
            self.start(work, listener.ended)

    def room(self, ref: str) -> int:
        """The part of `ahead` that is not used."""
        return self.ahead - len(self._prefetched)

    def expects_end_soon(self) -> bool:
        """Never: a fake clock does not wait."""
        return False

    def prefetch(self, attempts: Sequence[tuple[Work, PrefetchListener]]) -> None:
        """Each begins when another one ends."""
        self._prefetched += attempts

    def stop(self, attempt: Attempt, *, now: bool = False) -> None:
        """End a body that hangs; return an attempt that has not begun."""
        self._return([each for each in self._prefetched if each[0].attempt == attempt])
        finish = self._hanging.pop(attempt.task_id, None)
        if finish is not None:
            ended = AttemptResult(duration=0.0, error="ended by SIGTERM", error_type="Terminated")
            asyncio.get_running_loop().call_soon(finish, ended)

    def release(self, task_id: str) -> None:
        """Let a body that hangs succeed."""
        self._hanging.pop(task_id)(AttemptResult(duration=0.0))

    def _return(self, attempts: Sequence[tuple[Work, PrefetchListener]]) -> None:
        """Return attempts to the engine at the next turn of the loop."""
        for prefetched in attempts:
            self._prefetched.remove(prefetched)
            asyncio.get_running_loop().call_soon(prefetched[1].returned)

    def _run(self, work: Work, finish: Callable[[AttemptResult], None]) -> None:
        if isinstance(work.body, Nothing):
            finish(AttemptResult(duration=0.0, changed=False))
            return
        upstream = {task: {} if isinstance(out, Blob) else out for task, out in work.upstream.items()}
        params = self.params[work.attempt.task_id] = merged_params(work.params, upstream)
        ref = work.body.ref if isinstance(work.body, Call) else ""
        task_id = work.attempt.task_id
        names = (task_id, task_id.partition("[")[0], ref)
        body = next((self.bodies[name] for name in names if name in self.bodies), lambda _: None)
        try:
            value = body(params)
        except Exception as error:
            kind = type(error).__name__
            finish(AttemptResult(duration=0.0, error=f"{kind}: {error}", error_type=kind))
            return
        if value is HANG:
            self._hanging[task_id] = finish
        elif isinstance(value, AttemptResult):
            finish(value)
        else:
            outputs, changed = outputs_of(value)
            finish(AttemptResult(duration=0.0, outputs=outputs, changed=changed))
