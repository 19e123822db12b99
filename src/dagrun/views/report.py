"""What `run` prints at its end, word for word as CONTRACT 6 has it."""

from __future__ import annotations

from dagrun.outcomes import Reason
from dagrun.views.status import RunView


def report(run: RunView) -> str:
    """The closing lines of a live run."""
    counts = run.counts()
    return "\n".join(
        (
            "DAG EXECUTION COMPLETE",
            f"DAG: {run.dag.name}",
            f"Run: {run.run_id}",
            f"Status: {run.status}",
            f"Tasks Succeeded: {counts['success']}",
            f"Tasks Failed: {counts['failed'] + counts['timed_out']}",
            f"Duration: {run.duration or 0:.2f}s",
            summary(run),
        )
    )


def summary(run: RunView) -> str:
    """`3 tasks: 2 changed, 1 unchanged`; zero counts are left out."""
    counts = run.counts()
    changed = sum(1 for task in run.tasks if task.status == "success" and task.changed)
    parts = {
        "changed": changed,
        "unchanged": counts["success"] - changed,
        "skipped": counts["skipped"],
        "failed": counts["failed"] + counts["timed_out"],
        "cancelled": counts["cancelled"],
    }
    told = ", ".join(f"{count} {word}" for word, count in parts.items() if count)
    total = len(run.tasks)
    return f"{total} task{'' if total == 1 else 's'}: {told}"


def failures(run: RunView) -> list[str]:
    """One sentence for each task that failed and was not tolerated, in the DAG's order, and one for the run's own failure."""
    tolerated = {task.id for task in run.dag.tasks if task.continue_on_failure}
    sentences = [
        f"RunnerError: Task '{task.id}' failed {_attempts(task.attempt)}: {task.error}"
        for task in run.tasks
        if task.status in ("failed", "timed_out") and task.id not in tolerated
    ]
    match run.reason.partition(": "):
        case (Reason.OUTPUTS_FAILED, _, why):
            sentences.append(f"RunnerError: the outputs of the run: {why}")
        case (Reason.RUN_TIMEOUT, _, _):
            sentences.append(f"RunnerError: the run did not end within its timeout of {run.dag.timeout:g}s")
    return sentences


def _attempts(count: int) -> str:
    """A task whose expressions have no value fails without one."""
    return f"after {count} attempt{'s'[: count != 1]}" if count else "before it began"
