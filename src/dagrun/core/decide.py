"""What to do next in a run, and when to decide again."""

from __future__ import annotations

from heapq import heappop

from dagrun.core.decisions import (
    Cancel,
    CancelHook,
    CheckFile,
    Decision,
    EndGroup,
    EndWait,
    EvaluateCondition,
    Expand,
    Expire,
    Finish,
    Late,
    Pause,
    Prefetch,
    Skip,
    Start,
    StartHook,
    Stop,
    StopHook,
)
from dagrun.core.graph import Node
from dagrun.core.model import Task, Trigger
from dagrun.core.outcomes import EDGES, Reason, RunStatus, Status
from dagrun.core.state import RunState

_WORSE = (Reason.DEPENDENCY_SKIPPED, Reason.DEPENDENCY_FAILED)  # of these two, the second one is reported


def decide(state: RunState, now: float) -> Decision | None:
    """What to do at the moment `now`; None: nothing before `wake_at` or the next event.

    A decision is returned again until the event that follows from it is applied. For a Stop, a Prefetch and an
    EvaluateCondition it is a call of `stop_requested`, `prefetched` and `condition_evaluated` of the frontier, for a
    CheckFile of `file_checked` of its waits, for a StopHook of `stop_requested` of the hooks.
    """
    if _is_overdue(state, now):
        state.stop(Reason.RUN_TIMEOUT)
    return (
        _next_to_end(state)
        or _next_ended_group(state)
        or _next_ended_wait(state, now)
        or _next_timed_out(state, now)
        or (_next_to_start(state, now) if _may_start(state) else None)
        or _next_about_hooks(state, now)
        or _end_of_run(state)
        or _pause(state)
    )


def wake_at(state: RunState) -> float | None:
    """The next moment at which `decide` may return something new without a new event."""
    frontier = state.frontier
    moments = [] if state.hooks.wake_at is None else [state.hooks.wake_at]
    if state.may_be_late and state.late_at is not None:
        moments.append(state.late_at)
    if (next_wait := frontier.waits.wake_at()) is not None:
        moments.append(next_wait)
    if frontier.timeouts:
        moments.append(frontier.timeouts[0][0])
    if frontier.retries and _may_start(state):
        moments.append(frontier.retries[0][0])
    if frontier.deadline is not None and frontier.unended and _may_start(state):
        moments.append(frontier.deadline)
    return min(moments, default=None)


def _may_start(state: RunState) -> bool:
    """Whether some task may still start; when a failure stops the run, those that handle failures may."""
    return state.frontier.stopping in (None, Reason.STOP_ALL)


def _is_overdue(state: RunState, now: float) -> bool:
    frontier = state.frontier
    return (
        frontier.deadline is not None
        and now >= frontier.deadline
        and _may_start(state)
        and frontier.unended > 0
    )


def _next_to_end(state: RunState) -> Decision | None:
    """The next task that the stop of the run ends."""
    frontier = state.frontier
    while frontier.sweep:
        frontier.steps += 1
        i = frontier.sweep[0]
        decision = None if frontier.spares(i) else _end_for_stop(state, state.nodes[i])
        if decision is not None:
            return decision
        frontier.sweep.popleft()
    return None


def _end_for_stop(state: RunState, node: Node) -> Decision | None:
    frontier, status = state.frontier, state.tasks[node.index].status
    assert frontier.stopping is not None
    if node.members is not None:  # its variants are swept, then it ends by its own rule
        return None
    if status is Status.RUNNING or node.index in frontier.ready.prefetched:
        return Stop(node, frontier.stopping) if node.index not in frontier.stop_reasons else None
    match status:
        case Status.RETRYING | Status.WAITING:
            return Cancel(node, frontier.stopping)
        case Status.PENDING if frontier.stopping is Reason.CANCELLED:
            return Cancel(node, frontier.stopping)
        case Status.PENDING:
            return Skip(node, frontier.stopping, frontier.cause)
    return None


def _next_ended_group(state: RunState) -> Decision | None:
    groups = state.frontier.ended_groups
    while groups:
        if state.frontier.is_complete(groups[0]):
            return EndGroup(state.nodes[groups[0]])
        groups.popleft()
    return None


def _next_ended_wait(state: RunState, now: float) -> Decision | None:
    """The next wait to end, because of an answer, a file, or the time, in this order."""
    waits = state.frontier.waits
    if (ended := waits.ended()) is not None:
        return EndWait(state.nodes[ended])
    if (unsure := waits.to_check(now)) is not None:
        return CheckFile(state.nodes[unsure])
    if (due := waits.due(now)) is None:
        return None
    wait = state.tasks[due].wait
    return (Expire if wait is not None and wait.is_approval else EndWait)(state.nodes[due])


def _next_timed_out(state: RunState, now: float) -> Decision | None:
    frontier = state.frontier
    while frontier.timeouts and frontier.timeouts[0][0] <= now:
        _, i, attempt = frontier.timeouts[0]
        task = state.tasks[i]
        if task.status is Status.RUNNING and task.attempt == attempt and i not in frontier.stop_reasons:
            return Stop(state.nodes[i], Reason.TIMED_OUT)
        heappop(frontier.timeouts)
    return None


def _next_to_start(state: RunState, now: float) -> Decision | None:
    frontier = state.frontier
    settled = frontier.settled
    while settled:
        frontier.steps += 1
        i = settled[0]
        if state.tasks[i].status is Status.PENDING and state.nodes[i].members is None:
            verdict = _judge(state, state.nodes[i])
            if verdict is not None:
                return verdict
            frontier.may_start(i)
        settled.popleft()
    while frontier.retries and frontier.retries[0][0] <= now:
        at, i = heappop(frontier.retries)
        if state.tasks[i].status is Status.RETRYING and state.tasks[i].retry_at == at:
            frontier.retry_due(i)
    first = frontier.first_to_start()
    if first is not None:
        return Start(state.nodes[first], state.tasks[first].attempt + 1, frontier.waited_for(first))
    next_one = frontier.ready.first() if frontier.may_prefetch else None
    if next_one is None or not frontier.ready.may_be_prefetched(next_one):
        return None
    return Prefetch(state.nodes[next_one], state.tasks[next_one].attempt + 1)


def _judge(state: RunState, node: Node) -> Skip | EvaluateCondition | Expand | None:
    """What to do with a task whose dependencies have all ended; None: it may start.

    The order of the questions is that of `docs/language.md`: trigger, condition, `only_if_changed`, list.
    """
    frontier, task = state.frontier, node.task
    frontier.steps += len(node.needs)
    skip, is_implied = _trigger(state, node)
    if skip is not None and not node.looks_back:
        return skip
    if task.condition is not None or task.unless is not None:
        if node.index not in frontier.conditions:
            return EvaluateCondition(node)
        if not frontier.conditions[node.index]:
            return Skip(node, Reason.CONDITION_FALSE, _condition_text(task))
        if skip is not None and not is_implied:
            return skip
    if task.only_if_changed and not any(state.tasks[dep].changed for dep in node.needs):
        return Skip(node, Reason.UNCHANGED)
    return None if node.each is None else Expand(node)


def _trigger(state: RunState, node: Node) -> tuple[Skip | None, bool]:
    """Whether triggers skip the task, and if so whether it is only the trigger `success`.

    A condition that looks back replaces `success`, which is the default; `failure` and `none_failed` are written by the
    author and must hold as well.
    """
    implied: Skip | None = None
    failed_above = state.frontier.failed_above
    for need, dep in zip(node.task.needs, node.needs, strict=True):
        trigger = need.trigger or node.task.trigger
        if trigger is Trigger.FAILURE and need.trigger is None:
            continue  # the `failure` of a task is about all ancestors together, see below
        reason = EDGES[trigger, state.outcome(dep)]
        if reason is None or (trigger is Trigger.FAILURE and failed_above[dep]):
            continue
        skip = Skip(node, reason, state.nodes[dep].task.id)
        if trigger is not Trigger.SUCCESS:
            return skip, False
        if implied is None or (implied.reason, reason) == _WORSE:
            implied = skip
    if node.task.trigger is Trigger.FAILURE and not failed_above[node.index]:
        return Skip(node, Reason.NO_FAILURE), False
    return implied, True


def _condition_text(task: Task) -> str:
    both = (("if", task.condition), ("unless", task.unless))
    return ", ".join(f"{word}: {text}" for word, text in both if text is not None)


def _next_about_hooks(
    state: RunState, now: float
) -> Late | StartHook | StopHook | CancelHook | Finish | None:
    """A run that is late; the next hook; and when the hooks of the end have ended, the end itself."""
    if state.stretch_is_over:
        return None
    if state.may_be_late and state.late_at is not None and now >= state.late_at:
        return Late(_why_late(state))
    return state.hooks.next(now)


def _why_late(state: RunState) -> str:
    start, sla = state.start, state.graph.dag.sla
    if start is not None and start.start_by is not None and state.late_at == start.timestamp:
        return f"it should have begun at {start.start_by}"
    return f"it should have ended within {sla.finish_within if sla and sla.finish_within else 0:g}s"


def _end_of_run(state: RunState) -> Finish | None:
    frontier = state.frontier
    if frontier.unended or state.stretch_is_over or state.hooks or state.hooks.is_busy:
        return None
    match frontier.stopping:
        case Reason.CANCELLED:
            why = f": {state.cancel.reason}" if state.cancel and state.cancel.reason else ""
            return Finish(RunStatus.CANCELLED, f"{Reason.CANCELLED}{why}")
        case Reason.RUN_TIMEOUT:
            return Finish(RunStatus.FAILED, Reason.RUN_TIMEOUT)
        case Reason.STOP_ALL:
            return Finish(RunStatus.FAILED, Reason.TASK_FAILED)
    if next(state.failures(), None) is None:
        return Finish(RunStatus.SUCCESS, Reason.COMPLETED)
    some = Status.SUCCESS in state.counts()
    return Finish(RunStatus.PARTIAL if some else RunStatus.FAILED, Reason.TASK_FAILED)


def _pause(state: RunState) -> Pause | None:
    """The end of the stretch, if only a person or another program can continue the run."""
    frontier = state.frontier
    waits = frontier.waits
    if (
        state.hooks.is_busy
        or waits.for_something
        or frontier.active > frontier.idle_child_runs
        or state.stretch_is_over
    ):
        return None
    if not waits.for_someone and not frontier.idle_child_runs:
        return None
    if frontier.ready.prefetched or any(
        state.tasks[i].status is Status.RETRYING for _, i in frontier.retries
    ):
        return None
    return Pause(
        tuple(
            state.nodes[i].task.id
            for i in state.in_file_order()
            if state.tasks[i].status in (Status.WAITING, Status.RUNNING) and state.nodes[i].members is None
        )
    )
