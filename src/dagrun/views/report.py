"""The closing lines of `run`. Scripts read them, so their texts do not change."""

from __future__ import annotations

from collections import Counter
from typing import Final

from dagrun.core.outcomes import Reason, RunStatus
from dagrun.views.status import HookView, RunView
from dagrun.views.waiting import next_steps
from dagrun.views.wording import count

#: How many failed variants of one group are named.
MAX_VARIANTS_NAMED: Final = 10


def report(run: RunView) -> str:
    """The closing lines of a live run."""
    counts = run.counts()
    is_paused = run.status == RunStatus.WAITING
    return "\n".join(
        (
            f"DAG EXECUTION {'WAITING' if is_paused else 'COMPLETE'}",
            f"DAG: {run.dag.name}",
            f"Run: {run.run_id}",
            f"Status: {run.status}",
            f"Tasks Succeeded: {counts['success']}",
            f"Tasks Failed: {counts['failed'] + counts['timed_out']}",
            f"Duration: {run.duration or 0:.2f}s",
            summary(run),
            *(("", *next_steps(run.run_id, run.waits)) if is_paused else ()),
        )
    )


def summary(run: RunView) -> str:
    """`3 tasks: 2 changed, 1 unchanged`; zero counts are left out."""
    counts = run.counts()
    changed = sum(1 for task in run.counted if task.status == "success" and task.changed)
    parts = {
        "changed": changed,
        "unchanged": counts["success"] - changed,
        "skipped": counts["skipped"],
        "failed": counts["failed"] + counts["timed_out"],
        "cancelled": counts["cancelled"],
        "waiting": counts["waiting"],
    }
    shown = ", ".join(f"{number} {word}" for word, number in parts.items() if number)
    return f"{count(sum(counts.values()), 'task')}{': ' if shown else ''}{shown}"


def failures(run: RunView) -> list[str]:
    """One sentence for each task that failed and was not tolerated, in the DAG's order, and one for the run's own failure.

    Of a group each variant has one, up to `MAX_VARIANTS_NAMED`; the others are counted.
    """
    sentences: list[str] = []
    failed: Counter[str] = Counter()
    for task in run.tasks:
        if task.status not in ("failed", "timed_out") or task.tolerated:
            continue
        if task.variants is not None:
            if (more := failed[task.id] - MAX_VARIANTS_NAMED) > 0:
                sentences.append(f"RunnerError: and {count(more, 'more variant')} of '{task.id}' failed")
            continue
        failed[task.group or ""] += 1
        if task.group is None or failed[task.group] <= MAX_VARIANTS_NAMED:
            sentences.append(f"RunnerError: Task '{task.id}' failed {_attempts(task.attempt)}: {task.error}")
    match run.reason.partition(": "):
        case (Reason.OUTPUTS_FAILED, _, why):
            sentences.append(f"RunnerError: the outputs of the run: {why}")
        case (Reason.RUN_TIMEOUT, _, _):
            sentences.append(f"RunnerError: the run did not end within its timeout of {run.dag.timeout:g}s")
    return sentences


def hook_warnings(run: RunView) -> list[str]:
    """One sentence for each hook that did not end well. The outcome of the run stays what it was."""
    return [f"hook '{hook.name}' {_ended(hook)}" for hook in run.hooks if hook.error is not None]


def _ended(hook: HookView) -> str:
    return "was cancelled" if hook.status == "cancelled" else f"failed: {hook.error}"


def _attempts(number: int) -> str:
    """A task fails without an attempt when its expressions cannot be evaluated."""
    return f"after {count(number, 'attempt')}" if number else "before it began"
