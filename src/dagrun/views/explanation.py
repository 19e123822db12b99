"""The chain of causes of a task: from its last event back to the first cause."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import assert_never

from dagrun.clock import to_rfc3339
from dagrun.core.events import (
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRejected,
    CancelRequested,
    Event,
    SignalReceived,
    TaskCancel,
    TaskFail,
    TaskOk,
    TaskRetry,
    TaskSkip,
    TaskStart,
    TaskWait,
)
from dagrun.core.graph import Node
from dagrun.core.model import Trigger
from dagrun.core.outcomes import FINAL, LASTING, Outcome, Reason, Status
from dagrun.core.task_state import TaskState
from dagrun.core.work import Json
from dagrun.value import Value
from dagrun.views.pending import waits_for
from dagrun.views.recorded_run import RecordedEvent, RecordedRun, end_in_words
from dagrun.views.start_reason import start_reason
from dagrun.views.waiting import wait_ended, wait_view
from dagrun.views.wording import clock, listed, plain, seconds

#: Returns where the log of an attempt ends, `test.3.log:41`; empty when nothing was printed.
LogEnd = Callable[[str, int], str]


class Link(Value, kw_only=True):
    """One event of the chain, in words. Without a timestamp it is not an event but the present status of a task."""

    timestamp: float | None
    task_id: str
    event: str
    text: str

    def to_json(self) -> dict[str, Json]:
        """The shape of one entry of `chain`."""
        return {
            "timestamp": None if self.timestamp is None else to_rfc3339(self.timestamp),
            "task_id": self.task_id or None,
            "event": self.event or None,
            "text": self.text,
        }


class Explanation:
    """Follows the causes from task to task. Fills `steps` (the summary), `present` and the recorded links."""

    def __init__(self, run: RecordedRun, now: float, log_end: LogEnd) -> None:
        self.run = run
        self.state = run.state
        self.now = now
        self.log_end = log_end
        self.steps: list[str] = []
        self.present: list[Link] = []
        self.look_at = ""
        self._links: list[tuple[int, Link]] = []

    def follow(self, task_id: str) -> None:
        """Explain the task, then its cause, and so on until one has none."""
        cause: str | None = task_id
        seen: set[str] = set()
        while cause is not None and cause not in seen:
            seen.add(cause)
            cause = self._explain(self.run.node(cause), self.run.task(cause))

    def recorded(self) -> list[Link]:
        """The links that are events, the newest first."""
        return [link for _, link in sorted(self._links, key=lambda each: each[0], reverse=True)]

    def _explain(self, node: Node, task: TaskState) -> str | None:
        """Add the part of one task to the chain; returns the task that is its cause."""
        if node.members is not None and task.status in FINAL:
            return self._group(node, task)
        match task.status:
            case Status.SKIPPED | Status.CANCELLED:
                return self._not_run(node, task)
            case Status.FAILED | Status.TIMED_OUT:
                return self._failed(node, task)
            case Status.SUCCESS:
                return self._succeeded(node, task)
            case Status.PENDING:
                return self._waits(node, *waits_for(self.run, node))
            case Status.RUNNING:
                return self._running(node, task)
            case Status.RETRYING:
                return self._retrying(node, task)
            case Status.WAITING:
                return self._waiting(node, task)
        assert_never(task.status)

    def _waits(self, node: Node, text: str, cause: str | None) -> str | None:
        self.steps.append(text)
        self._add_present(node.task.id, text)
        return cause

    def _add(self, recorded: RecordedEvent, text: str) -> None:
        task_id = getattr(recorded.event, "task_id", "")
        link = Link(timestamp=recorded.event.timestamp, task_id=task_id, event=recorded.event.name, text=text)
        self._links.append((recorded.position, link))

    def _add_present(self, task_id: str, text: str) -> None:
        self.present.append(Link(timestamp=None, task_id=task_id, event="", text=text))

    # --- skipped and cancelled -----------------------------------------------------------------------------

    def _not_run(self, node: Node, task: TaskState) -> str | None:
        name, recorded = node.task.id, self.run.last(node.task.id)
        step = f"{name} {task.status}: {task.reason}"
        self.steps.append(step)
        if task.started_at is not None:
            self._attempts(node)
        if task.reason == Reason.STOP_ALL and task.detail:
            self._add(recorded, f"{step} <- {task.detail}, whose failure stopped the run")
            return task.detail
        if task.reason in (Reason.DEPENDENCY_FAILED, Reason.DEPENDENCY_SKIPPED) and task.detail:
            self._add(recorded, f"{step} <- {task.detail}")
            return task.detail
        because = self._first_cause(node, task)
        self._add(recorded, f"{step} <- {because}" if because else step)
        if because:
            self.steps.append(because)
        return None

    def _first_cause(self, node: Node, task: TaskState) -> str:
        """Why a task did not run, if another task is not the reason."""
        match task.reason:
            case Reason.CONDITION_FALSE | Reason.STOP_ALL:
                return plain(task.detail)
            case Reason.UNCHANGED:
                return self._unchanged(node)
            case Reason.NO_FAILURE:
                return self._no_failure(node, task.detail)
            case Reason.CANCELLED:
                return self._cancelled()
            case Reason.RUN_TIMEOUT:
                timeout = self.state.graph.dag.timeout
                if timeout is not None:
                    return f"the run took more than {timeout:g}s"
                return "the run's timeout was over"
        return plain(task.detail)

    def _unchanged(self, node: Node) -> str:
        for i in node.needs:
            self._add_end(i)
        names = [self.run.name(i) for i in node.needs]
        return f"{listed(names)} changed nothing" if names else "it depends on nothing that could change"

    def _no_failure(self, node: Node, detail: str) -> str:
        if detail:
            self._add_end(self.state.index[detail])
            return f"{detail} did not fail"
        for i in node.needs:
            self._add_end(i)
        return "nothing before it failed" if node.needs else "it depends on nothing that could fail"

    def _cancelled(self) -> str:
        recorded = self.run.cancel
        if recorded is None:
            return ""
        event = recorded.event
        assert isinstance(event, CancelRequested)
        reason = f": {plain(event.reason)}" if event.reason else ""
        text = f"cancel requested by {plain(event.by)}{reason}"
        self._add(recorded, text)
        return text

    def _add_end(self, i: int) -> None:
        """One link for how another task ended."""
        name, task = self.run.name(i), self.state.tasks[i]
        if self.run.events(name) and task.status in FINAL:
            nothing = " and changed nothing" if task.changed is False else ""
            recorded = self.run.last(name)
            self._add(recorded, f"{name} {end_in_words(recorded.event)}{nothing}")

    def _group(self, node: Node, task: TaskState) -> str | None:
        """The end of a group; its cause is the first variant that ended in the same way."""
        name, recorded = node.task.id, self.run.last(node.task.id)
        reason = f": {task.reason}" if task.status in (Status.SKIPPED, Status.CANCELLED) else ""
        word = {Status.SUCCESS: "succeeded"}.get(task.status, str(task.status))
        step = f"{name} {word}{reason} ({self.state.summary(node)})"
        if isinstance(recorded.event, TaskOk) and recorded.event.reused_from:
            step += f": taken over from run {recorded.event.reused_from}"
            self.steps.append(step)
            self._add(recorded, step)
            return None
        tolerated = self.state.outcome(node.index) is Outcome.GOOD and task.status is Status.FAILED
        if not node.members:
            step += ": its list is empty"
        began = self._began(node) if task.status is Status.SUCCESS else ""
        self.steps.append(step + began)
        self._add(recorded, step + ("; this is tolerated (continue_on_failure)" if tolerated else ""))
        if task.status is Status.SUCCESS:
            return self._failure_above(node)
        alike = {Status.FAILED, Status.TIMED_OUT} if task.status is Status.FAILED else {task.status}
        members = [i for i in node.members or () if self.state.tasks[i].status in alike]
        first = min(members, key=lambda i: self.run.last(self.run.name(i)).position, default=None)
        return None if first is None else self.run.name(first)

    def _began(self, group: Node) -> str:
        """Why the first variant of a group that started did so; empty when none did."""
        starts = [
            (recorded, i)
            for i in group.members or ()
            for recorded in self.run.events(self.run.name(i))[:1]
            if isinstance(recorded.event, TaskStart | TaskWait)
        ]
        if not starts:
            return ""
        _, i = min(starts, key=lambda each: each[0].position)
        first = self.state.nodes[i]
        return f"; {first.task.id}, the first of them, {self._attempts(first)}"

    # --- tasks that had attempts ---------------------------------------------------------------------------

    def _failed(self, node: Node, task: TaskState) -> str | None:
        name, recorded = node.task.id, self.run.last(node.task.id)
        if not self._attempts(node):
            step = f"{name} failed before it began: {plain(task.error or '')}"
        else:
            log = self.log_end(name, task.attempt)
            notes = [
                self._attempt(node, task.attempt),
                self._why_not_retried(recorded.event, node, task),
                log,
            ]
            step = f"{name} failed: {plain(task.error or '')} ({', '.join(filter(None, notes))})"
            self.look_at = name if log else self.look_at
        self.steps.append(step)
        tolerates = node.task.tolerates(task.exit_code)
        tolerated = "; this is tolerated (continue_on_failure)" if tolerates else ""
        self._add(recorded, step + tolerated + _left(recorded.event))
        return self._failure_above(node)

    def _succeeded(self, node: Node, task: TaskState) -> str | None:
        name, recorded = node.task.id, self.run.last(node.task.id)
        if task.reason == Reason.REUSED:
            assert isinstance(recorded.event, TaskOk)
            self.steps.append(f"{name} succeeded: taken over from run {recorded.event.reused_from}")
            self._add(recorded, self.steps[-1])
            return None
        started = self._attempts(node)
        attempt = f", {self._attempt(node, task.attempt)}" if self._allowed(node) > 1 else ""
        changed = " and changed nothing" if task.changed is False and task.wait is None else ""
        ended = f"{name} succeeded after {seconds(task.duration)}{attempt}{changed}"
        self._add(recorded, ended + _left(recorded.event))
        retried = self._retried(node)
        ended_by = wait_ended(task)
        answered = f": {plain(ended_by)}" if ended_by else ""
        self.steps.append(
            f"{name} succeeded{answered}{retried}{changed}{'; it ' + started if started else ''}"
        )
        return self._failure_above(node)

    def _retried(self, node: Node) -> str:
        """` on attempt 3: it was retried 2 times, the last time after: exit code 1`; empty for a first attempt."""
        events = (recorded.event for recorded in self.run.events(node.task.id))
        retries = [event for event in events if isinstance(event, TaskRetry)]
        if not retries:
            return ""
        times = "once, after" if len(retries) == 1 else f"{len(retries)} times, the last time after"
        return f" on attempt {retries[-1].attempt + 1}: it was retried {times}: {plain(retries[-1].error)}"

    def _running(self, node: Node, task: TaskState) -> str | None:
        started = self._attempts(node)
        since = clock(task.started_at or self.now, self.now)
        which = self._attempt(node, task.attempt)
        if self.run.is_interrupted:
            step = f"{node.task.id} interrupted: {which}, begun at {since}, has no recorded end"
        else:
            step = f"{node.task.id} running: {which}, since {since}"
        self._add_present(node.task.id, step)
        self.steps.append(f"{step}; it {started}")
        return self._failure_above(node)

    def _waiting(self, node: Node, task: TaskState) -> str | None:
        started = self._attempts(node)
        found = wait_view(node, task, self.now)
        step = f"{node.task.id} waiting: {found.reason}: {found.text}" if found else f"{node.task.id} waiting"
        if found and (found.answer or found.expired):
            step += "; no process has continued the run since"
        self._add_present(node.task.id, step)
        self.steps.append(f"{step}; it {started}")
        return self._failure_above(node)

    def _retrying(self, node: Node, task: TaskState) -> str | None:
        self._attempts(node)
        due = task.retry_at or self.now
        at = clock(due, self.now)
        step = f"{node.task.id} retrying: attempt {task.attempt + 1} at {at}"
        if self.run.is_interrupted:
            step += ", but the run was interrupted"
        elif due <= self.now:
            step += f", as soon as one of the {self.run.slots(self.run.size)} slots is free"
        failed = f"{self._attempt(node, task.attempt)} failed: {plain(task.error or '')}"
        log = self.log_end(node.task.id, task.attempt)
        self._add_present(node.task.id, step)
        self.steps += [step, failed + (f" ({log})" if log else "")]
        self.look_at = node.task.id if log else ""
        return None

    def _attempts(self, node: Node) -> str:
        """Add links for the starts and retries of a task; returns why it started in its last stretch, empty if it never did."""
        why = ""
        stretch: RecordedEvent | None = None
        is_first = True
        for recorded in self.run.events(node.task.id):
            match recorded.event:
                case TaskStart() | TaskWait():
                    began = self.run.stretch_before(recorded.position)
                    if is_first or began is not stretch:
                        stretch, is_first = began, False
                        why = start_reason(self.run, node, recorded)
                        self._add(recorded, f"{node.task.id} {why}")
                case ApprovalGranted(by=by):
                    self._add(recorded, f"{node.task.id} was approved by {plain(by)}")
                case ApprovalRejected(by=by, reason=reason):
                    why_not = f": {plain(reason)}" if reason else ""
                    self._add(recorded, f"{node.task.id} was rejected by {plain(by)}{why_not}")
                case ApprovalExpired(expires_at=expires_at):
                    self._add(recorded, f"the approval of {node.task.id} expired at {expires_at}")
                case TaskRetry() as retry:
                    delay = f"retried after {seconds(retry.delay_seconds)}"
                    which = f"{node.task.id} attempt {retry.attempt}"
                    self._add(recorded, f"{which} failed: {plain(retry.error)}, {delay}{_left(retry)}")
                case TaskFail() | TaskSkip() | TaskCancel() | TaskOk() if recorded is not self.run.last(
                    node.task.id
                ):  # its end in an earlier stretch
                    self._add(recorded, f"{node.task.id} {end_in_words(recorded.event)}")
        answer = self.state.tasks[node.index].answer
        if isinstance(answer, SignalReceived) and (signal := self.run.signals.get(answer.signal)):
            self._add(signal, f"the signal '{answer.signal}' came from {plain(answer.by)}")
        return why

    def _attempt(self, node: Node, attempt: int) -> str:
        return f"attempt {attempt} of {self._allowed(node)}"

    def _allowed(self, node: Node) -> int:
        """How many attempts the task may have; a resumed run gives it as many again."""
        return self.state.tasks[node.index].attempts_before + node.task.retry.retries + 1

    def _why_not_retried(self, event: Event, node: Node, task: TaskState) -> str:
        """Why a failed task was not retried although it had attempts left."""
        if task.attempt >= self._allowed(node):
            return ""
        retry = node.task.retry
        retried = [f"exit code {code}" for code in retry.on_exit_codes] + list(retry.on_errors)
        error_type = event.error_type if isinstance(event, TaskFail) else None
        if error_type in LASTING:
            return "not retried: another attempt would not help"
        if retried and task.exit_code not in retry.on_exit_codes and error_type not in retry.on_errors:
            return f"not retried: it is only on {listed(retried, 'or')}"
        return "not retried: the run was ending"

    def _failure_above(self, node: Node) -> str | None:
        """The first failure above a task that handles failures: the reason why it ran."""
        triggers = {need.trigger or node.task.trigger for need in node.task.needs}
        if Trigger.FAILURE not in triggers:
            return None
        failed = [i for i in self._above(node) if self.state.outcome(i) is Outcome.FAILED]
        first = min(failed, key=lambda i: self.run.last(self.run.name(i)).position, default=None)
        return None if first is None else self.run.name(first)

    def _above(self, node: Node) -> Iterator[int]:
        seen = set(node.needs)
        pile = list(seen)
        while pile:
            i = pile.pop()
            yield i
            new = [dep for dep in self.state.nodes[i].needs if dep not in seen]
            seen.update(new)
            pile += new


def _left(event: Event) -> str:
    """The processes that an attempt left running, if any."""
    left = event.left_running if isinstance(event, TaskOk | TaskFail | TaskRetry) else None
    if not left:
        return ""
    what = (
        "1 process that it left running was" if left == 1 else f"{left} processes that it left running were"
    )
    return f"; {what} ended"
