"""Why a task of a run has its status, as text and as JSON."""

from __future__ import annotations

import shlex
from typing import Final

from dagrun.core.outcomes import FINAL
from dagrun.core.record import RunRecord
from dagrun.core.work import Json
from dagrun.value import Value
from dagrun.views.explanation import Explanation, Link, LogEnd
from dagrun.views.recorded_run import RecordedRun
from dagrun.views.wording import clocks, elided

_MAX_STEPS: Final = 8  # of a summary
_MAX_LINES: Final = 40  # of the text; JSON has the whole chain


class Why(Value, kw_only=True):
    """The answer for one task; `chain` goes from the last event to the first cause."""

    run_id: str
    task_id: str
    status: str
    reason: str
    summary: str
    chain: tuple[Link, ...]
    #: The task whose output may help: the one that failed first; empty when there is none.
    look_at: str = ""
    #: Of a task that runs another DAG: its child run; and why that is as it is, if it has not succeeded.
    child_run_id: str | None = None
    below: Why | None = None

    def to_json(self) -> dict[str, Json]:
        """The shape of `why -o json`."""
        return {
            "run_id": self.run_id,
            "task_id": self.task_id,
            "status": self.status,
            "reason": self.reason,
            "chain": [link.to_json() for link in self.chain],
            "summary": self.summary,
            **({} if self.child_run_id is None else {"child_run_id": self.child_run_id}),
            **({} if self.below is None else {"below": self.below.to_json()}),
        }

    def to_text(self, now: float) -> str:
        """The summary, then the chain with local times."""
        moments = iter(clocks([link.timestamp for link in self.chain if link.timestamp is not None], now))
        times = ["now" if link.timestamp is None else next(moments) for link in self.chain]
        width = max(map(len, times), default=0)
        lines = [f"  {time.rjust(width)}  {link.text}" for time, link in zip(times, self.chain, strict=True)]
        words = f"{self.run_id} {shlex.quote(self.look_at)}"  # the id of a variant has brackets
        hint = [f"`dagrun logs {words}` shows what {self.look_at} printed."]
        below = (
            [] if self.below is None else ["", f"In child run {self.below.run_id}:", self.below.to_text(now)]
        )
        return "\n".join(
            [
                self.summary,
                "",
                *elided(lines, _MAX_LINES),
                *(["", *hint] if self.look_at and self.below is None else []),
                *below,
            ]
        )


def explain(record: RunRecord, task_id: str, now: float, log_end: LogEnd = lambda *_: "") -> Why:
    """Why the task has its status at the moment `now`. Costs O(events and edges of the run); the task must exist."""
    explanation = Explanation(RecordedRun(record), now, log_end)
    explanation.follow(task_id)
    run, task = explanation.run, explanation.run.task(task_id)
    return Why(
        run_id=record.run_id,
        task_id=task_id,
        status=str(run.status(run.node(task_id))),
        reason=task.reason if task.status in FINAL else "",
        summary=" <- ".join(elided(explanation.steps, _MAX_STEPS)),
        chain=(*explanation.present, *explanation.recorded()),
        look_at=explanation.look_at,
        child_run_id=task.child_run_id,
    )
