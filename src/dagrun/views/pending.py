"""What a pending task waits for, in words."""

from __future__ import annotations

from dagrun.core.graph import Node
from dagrun.core.outcomes import FINAL, Status
from dagrun.views.recorded_run import RecordedRun
from dagrun.views.start_reason import group_limit
from dagrun.views.wording import count, listed


def waits_for(run: RecordedRun, node: Node) -> tuple[str, str | None]:
    """`announce pending: waits for deploy`, and the first dependency that it waits for, if any; one that has begun is first."""
    name, state = node.task.id, run.state
    missing = [i for i in node.needs if state.tasks[i].status not in FINAL]
    if missing:
        status = f"{run.status(node)} ({state.summary(node)})" if node.members else "pending"
        names = listed([run.name(i) for i in missing])
        first = min(missing, key=lambda i: state.tasks[i].status is Status.PENDING)
        if run.is_interrupted:
            return f"{name} {status}: waited for {names} when the run was interrupted", run.name(first)
        return f"{name} {status}: waits for {names}", run.name(first)
    if run.is_interrupted:
        return f"{name} pending: it has not started yet; the run was interrupted", None
    if limit := _reached_limit(run, node):
        return f"{name} pending: waits for its turn; {limit}", None
    if running := [each.task.id for each in state.nodes if run.is_running(each.index)]:
        slots = count(run.slots(run.size), "slot")
        return (
            f"{name} pending: waits for a free slot; {listed(running)} took the {slots} (max_parallel)",
            None,
        )
    return f"{name} pending: it has not started yet", None


def _reached_limit(run: RecordedRun, node: Node) -> str:
    """The limit of a variant's group when as many variants run as may; else empty."""
    if node.variant is None:
        return ""
    group = run.state.nodes[node.variant.group]
    most = group.task.max_parallel
    is_reached = most is not None and sum(map(run.is_running, group.members or ())) >= most
    return group_limit(run, node) if is_reached else ""
