"""The inline executor: bodies are plain functions called on the loop. For tests of behaviour, ours and users'."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dagrun.core.payloads import merged_params
from dagrun.core.work import Attempt, AttemptResult, Blob, Call, Json, Nothing, PrefetchListener, Work
from dagrun.executors.calling import outputs_of

HANG: Final = object()
"""What a body returns to say: I am still running, until somebody stops me."""


class InlineExecutor:
    """Calls `bodies[task id]` (of a variant, or of all of a task), or `bodies[workflow name]`, with the merged params;
    without either the task is a no-op.

    A body may raise (the attempt fails), return outputs, return an `Ended`, or return HANG. `started` lists what
    was started, in order, as `(task id, attempt)`; `most_at_once` is how many attempts ran side by side. It takes up to
    `ahead` attempts in advance.
    """

    def __init__(
        self, bodies: Mapping[str, Callable[[dict[str, Json]], Any]] | None = None, ahead: int = 0
    ) -> None:
        self.ahead = ahead
        self._line: list[tuple[Work, PrefetchListener]] = []
        self.bodies = dict(bodies or {})
        self.started: list[tuple[str, int]] = []
        self.params: dict[str, dict[str, Json]] = {}
        self.most_at_once = 0
        self._hanging: dict[str, Callable[[AttemptResult], None]] = {}
        self._active = 0

    async def open(self, bodies_lock: Path | None) -> None:
        """Nothing to get ready."""

    async def close(self) -> None:
        """Nothing to end."""

    def start(self, work: Work, done: Callable[[AttemptResult], None]) -> None:
        """Call the body at the loop's next turn."""
        self.started.append((work.attempt.task_id, work.attempt.number))
        self._active += 1
        self.most_at_once = max(self.most_at_once, self._active)

        def finish(ended: AttemptResult) -> None:
            self._active -= 1
            done(ended)
            self._follow()

        asyncio.get_running_loop().call_soon(self._run, work, finish)

    def _follow(self) -> None:
        """A place is free: the first in the line takes it."""
        if self._line:
            following, watch = self._line.pop(0)
            watch.begun()
            self.start(following, watch.ended)

    def room(self, ref: str) -> int:
        """What is left of `ahead`."""
        return self.ahead - len(self._line)

    def is_brisk(self) -> bool:
        """Never: a fake clock does not wait."""
        return False

    def queue(self, attempts: Sequence[tuple[Work, PrefetchListener]]) -> None:
        """Each begins when another one ends."""
        self._line += attempts

    def stop(self, attempt: Attempt, *, now: bool = False) -> None:
        """End a body that hangs; give back what has not begun."""
        self._give_back([queued for queued in self._line if queued[0].attempt == attempt])
        finish = self._hanging.pop(attempt.task_id, None)
        if finish is not None:
            ended = AttemptResult(duration=0.0, error="ended by SIGTERM", error_type="Terminated")
            asyncio.get_running_loop().call_soon(finish, ended)

    def _give_back(self, attempts: Sequence[tuple[Work, PrefetchListener]]) -> None:
        """To the engine, at the loop's next turn."""
        for queued in attempts:
            self._line.remove(queued)
            asyncio.get_running_loop().call_soon(queued[1].returned)

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
            finish(
                AttemptResult(
                    duration=0.0, error=f"{type(error).__name__}: {error}", error_type=type(error).__name__
                )
            )
            return
        if value is HANG:
            self._hanging[work.attempt.task_id] = finish
        elif isinstance(value, AttemptResult):
            finish(value)
        else:
            outputs, changed = outputs_of(value)
            finish(AttemptResult(duration=0.0, outputs=outputs, changed=changed))
