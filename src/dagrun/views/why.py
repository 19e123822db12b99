"""Why a task of a run is as it is: the recorded facts, from the last one back to the first cause."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from dagrun.clock import to_rfc3339
from dagrun.core.events import (
    CancelRequested,
    DagResume,
    DagStart,
    Event,
    TaskCancel,
    TaskExpand,
    TaskFail,
    TaskOk,
    TaskRetry,
    TaskSkip,
    TaskStart,
)
from dagrun.core.graph import Graph, Node
from dagrun.core.model import Dependency, Task, Trigger
from dagrun.core.outcomes import FINAL, LASTING, Outcome, Reason, RunStatus, Status
from dagrun.core.record import RunRecord, fold, mark_interrupted
from dagrun.core.state import RunState
from dagrun.core.task_state import TaskState
from dagrun.core.work import Json
from dagrun.views.wording import clock, clocks, count, elided, plain, seconds

#: Says where an attempt's log ends, `test.3.log:41`; empty when nothing was printed.
LogEnd = Callable[[str, int], str]

_MOST_HOPS: Final = 8  # of a summary
_MOST_LINES: Final = 40  # of the text; JSON has the whole chain
_MOST_NAMES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One fact of the chain. Without a timestamp it is not recorded, but how things stand now."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """The answer for one task; `chain` goes from the last fact to the first cause."""

    run_id: str
    task_id: str
    status: str
    reason: str
    summary: str
    chain: tuple[Link, ...]
    #: The task whose output is worth a look: the one that failed first; empty when there is none.
    look_at: str = ""

    def to_json(self) -> dict[str, Json]:
        """The shape of `why -o json`."""
        return {
            "run_id": self.run_id,
            "task_id": self.task_id,
            "status": self.status,
            "reason": self.reason,
            "chain": [link.to_json() for link in self.chain],
            "summary": self.summary,
        }

    def to_text(self, now: float) -> str:
        """The summary, then the chain with local times."""
        moments = iter(clocks([link.timestamp for link in self.chain if link.timestamp is not None], now))
        times = ["now" if link.timestamp is None else next(moments) for link in self.chain]
        width = max(map(len, times), default=0)
        lines = [f"  {time.rjust(width)}  {link.text}" for time, link in zip(times, self.chain, strict=True)]
        words = f"{self.run_id} {shlex.quote(self.look_at)}"  # a variant's brackets mean something to a shell
        hint = [f"`dagrun logs {words}` shows what {self.look_at} printed."]
        return "\n".join(
            [self.summary, "", *elided(lines, _MOST_LINES), *(["", *hint] if self.look_at else [])]
        )


def explain(record: RunRecord, task_id: str, now: float, log_end: LogEnd = lambda *_: "") -> Why:
    """Why the task is as it is at the moment `now`. Costs O(the run's facts and edges); the task must exist."""
    story = _Story(record, now, log_end)
    story.tell(task_id)
    task = story.task(task_id)
    return Why(
        run_id=record.run_id,
        task_id=task_id,
        status=str(story.status(story.state.nodes[story.state.index[task_id]])),
        reason=task.reason if task.status in FINAL else "",
        summary=" <- ".join(elided(story.hops, _MOST_HOPS)),
        chain=(*story.present, *story.recorded()),
        look_at=story.look_at,
    )


@dataclass(frozen=True, slots=True)
class _Fact:
    """A recorded event and its place among all."""

    place: int
    event: Event


class _Story:
    """One run, folded, with every task's facts at hand. `tell` fills `hops` (the summary), `present` and `links`."""

    def __init__(self, record: RunRecord, now: float, log_end: LogEnd) -> None:
        self.state = RunState(Graph.compile(record.dag))
        self.graph = self.state.graph
        self.now = now
        self.log_end = log_end
        self.hops: list[str] = []
        self.present: list[Link] = []
        self.links: list[tuple[int, Link]] = []
        self.look_at = ""
        self._told: set[str] = set()
        self._facts: dict[str, list[_Fact]] = defaultdict(list)
        self._running: list[int] = []  # how many attempts ran after each fact
        self._ends: list[_Fact] = []  # what freed a slot
        self._stretches: list[_Fact] = []
        self._cancel: _Fact | None = None
        for event in record.events:
            self._take_in(event)
        self.last = len(self._running)
        if not record.live:
            mark_interrupted(self.state)

    def _take_in(self, event: Event) -> None:
        before = self.state.frontier.running
        if fold(self.state, [event]):  # it does not fit the recorded DAG
            return
        fact = _Fact(len(self._running), event)
        self._running.append(self.state.frontier.running)
        task_id = getattr(event, "task_id", None)
        if task_id is not None:
            self._facts[task_id].append(fact)
        if self.state.frontier.running < before:
            self._ends.append(fact)
        if isinstance(event, DagStart | DagResume):
            self._stretches.append(fact)
        if isinstance(event, CancelRequested):
            self._cancel = fact

    def task(self, task_id: str) -> TaskState:
        """How the task stands."""
        return self.state.tasks[self.state.index[task_id]]

    def status(self, node: Node) -> Status:
        """How the task stands as people see it: a group of which something has begun is running."""
        status = self.task(node.task.id).status
        begun = any(self.state.tasks[i].started_at is not None for i in node.members or ())
        return Status.RUNNING if begun and status is Status.PENDING else status

    # --- the chain -----------------------------------------------------------------------------------------

    def tell(self, task_id: str) -> None:
        """Follow the causes from task to task until one has none."""
        cause: str | None = task_id
        while cause is not None and cause not in self._told:
            self._told.add(cause)
            cause = self._tell_one(self.state.nodes[self.state.index[cause]], self.task(cause))

    def recorded(self) -> list[Link]:
        """The recorded links that were told, the newest first."""
        return [link for _, link in sorted(self.links, key=lambda each: each[0], reverse=True)]

    def _tell_one(self, node: Node, task: TaskState) -> str | None:
        """One task's part of the chain; the task that is the cause of it."""
        if node.members is not None and task.status in FINAL:
            return self._tell_group(node, task)
        match task.status:
            case Status.SKIPPED | Status.CANCELLED:
                return self._tell_kept_from_running(node, task)
            case Status.FAILED | Status.TIMED_OUT:
                return self._tell_failed(node, task)
            case Status.SUCCESS:
                return self._tell_succeeded(node, task)
            case Status.PENDING:
                return self._tell_pending(node)
            case Status.RUNNING:
                return self._tell_running(node, task)
            case Status.WAITING:
                return None
            case Status.RETRYING:
                return self._tell_retrying(node, task)

    def _link(self, fact: _Fact, text: str) -> None:
        task_id = getattr(fact.event, "task_id", "")
        link = Link(timestamp=fact.event.timestamp, task_id=task_id, event=fact.event.name, text=text)
        self.links.append((fact.place, link))

    def _now(self, task_id: str, text: str) -> None:
        self.present.append(Link(timestamp=None, task_id=task_id, event="", text=text))

    # --- skipped and cancelled -----------------------------------------------------------------------------

    def _tell_kept_from_running(self, node: Node, task: TaskState) -> str | None:
        name, fact = node.task.id, self._facts[node.task.id][-1]
        hop = f"{name} {task.status}: {task.reason}"
        self.hops.append(hop)
        if task.started_at is not None:
            self._attempts(node)
        if task.reason == Reason.STOP_ALL and task.detail:
            self._link(fact, f"{hop} <- {task.detail}, whose failure stopped the run")
            return task.detail
        if task.reason in (Reason.DEPENDENCY_FAILED, Reason.DEPENDENCY_SKIPPED) and task.detail:
            self._link(fact, f"{hop} <- {task.detail}")
            return task.detail
        because = self._first_cause(node, task)
        self._link(fact, f"{hop} <- {because}" if because else hop)
        if because:
            self.hops.append(because)
        return None

    def _first_cause(self, node: Node, task: TaskState) -> str:
        """Why a task did not run for which no other task is to blame."""
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
                timeout = self.graph.dag.timeout
                return (
                    "the run's timeout was over"
                    if timeout is None
                    else f"the run took more than {timeout:g}s"
                )
        return plain(task.detail)

    def _unchanged(self, node: Node) -> str:
        for i in node.needs:
            self._last_fact(i)
        names = [self.state.nodes[i].task.id for i in node.needs]
        return f"{_and(names)} changed nothing" if names else "it depends on nothing that could change"

    def _no_failure(self, node: Node, detail: str) -> str:
        if detail:
            self._last_fact(self.state.index[detail])
            return f"{detail} did not fail"
        for i in node.needs:
            self._last_fact(i)
        return "nothing before it failed" if node.needs else "it depends on nothing that could fail"

    def _cancelled(self) -> str:
        if self._cancel is None:
            return ""
        event = self._cancel.event
        assert isinstance(event, CancelRequested)
        said = f": {plain(event.reason)}" if event.reason else ""
        text = f"cancel requested by {plain(event.by)}{said}"
        self._link(self._cancel, text)
        return text

    def _last_fact(self, i: int) -> None:
        """One link for how another task ended."""
        name, task = self.state.nodes[i].task.id, self.state.tasks[i]
        if self._facts[name] and task.status in FINAL:
            nothing = " and changed nothing" if task.changed is False else ""
            fact = self._facts[name][-1]
            self._link(fact, f"{name} {_ended(fact.event)}{nothing}")

    def _tell_group(self, node: Node, task: TaskState) -> str | None:
        """How a group ended; the cause is the first of its variants that ended so."""
        name, fact = node.task.id, self._facts[node.task.id][-1]
        reason = f": {task.reason}" if task.status in (Status.SKIPPED, Status.CANCELLED) else ""
        word = {Status.SUCCESS: "succeeded"}.get(task.status, str(task.status))
        hop = f"{name} {word}{reason} ({self.state.summary(node)})"
        if isinstance(fact.event, TaskOk) and fact.event.reused_from:
            hop += f": taken over from run {fact.event.reused_from}"
            self.hops.append(hop)
            self._link(fact, hop)
            return None
        tolerated = self.state.outcome(node.index) is Outcome.GOOD and task.status is Status.FAILED
        if not node.members:
            hop += ": its list is empty"
        began = self._began(node) if task.status is Status.SUCCESS else ""
        self.hops.append(hop + began)
        self._link(fact, hop + ("; this is tolerated (continue_on_failure)" if tolerated else ""))
        if task.status is Status.SUCCESS:
            return self._failure_above(node)
        alike = {Status.FAILED, Status.TIMED_OUT} if task.status is Status.FAILED else {task.status}
        members = [i for i in node.members or () if self.state.tasks[i].status in alike]
        first = min(members, key=lambda i: self._facts[self.state.nodes[i].task.id][-1].place, default=None)
        return None if first is None else self.state.nodes[first].task.id

    def _began(self, group: Node) -> str:
        """Why the first of a group's variants to start did so."""
        starts = [
            (fact, i)
            for i in group.members or ()
            for fact in self._facts[self.state.nodes[i].task.id][:1]
            if isinstance(fact.event, TaskStart)
        ]
        if not starts:
            return ""
        _, i = min(starts, key=lambda each: each[0].place)
        first = self.state.nodes[i]
        return f"; {first.task.id}, the first of them, {self._attempts(first)}"

    # --- tasks that had attempts ---------------------------------------------------------------------------

    def _tell_failed(self, node: Node, task: TaskState) -> str | None:
        name, fact = node.task.id, self._facts[node.task.id][-1]
        if not self._attempts(node):
            hop = f"{name} failed before it began: {plain(task.error or '')}"
        else:
            said = [self._attempt(node, task.attempt), self._not_again(fact.event, node, task)]
            log = self.log_end(name, task.attempt)
            hop = f"{name} failed: {plain(task.error or '')} ({', '.join(filter(None, [*said, log]))})"
            self.look_at = name if log else self.look_at
        self.hops.append(hop)
        tolerates = node.task.tolerates(task.exit_code)
        tolerated = "; this is tolerated (continue_on_failure)" if tolerates else ""
        self._link(fact, hop + tolerated + _left(fact.event))
        return self._failure_above(node)

    def _tell_succeeded(self, node: Node, task: TaskState) -> str | None:
        name, fact = node.task.id, self._facts[node.task.id][-1]
        if task.reason == Reason.REUSED:
            assert isinstance(fact.event, TaskOk)
            self.hops.append(f"{name} succeeded: taken over from run {fact.event.reused_from}")
            self._link(fact, self.hops[-1])
            return None
        started = self._attempts(node)
        attempt = f", {self._attempt(node, task.attempt)}" if self._allowed(node) > 1 else ""
        changed = " and changed nothing" if task.changed is False else ""
        ended = f"{name} succeeded after {seconds(task.duration)}{attempt}{changed}"
        self._link(fact, ended + _left(fact.event))
        retried = self._retried(node)
        self.hops.append(f"{name} succeeded{retried}{changed}{'; it ' + started if started else ''}")
        return self._failure_above(node)

    def _retried(self, node: Node) -> str:
        """` on attempt 3: it was retried 2 times, the last time after: exit code 1`; empty for a first attempt."""
        retries = [fact.event for fact in self._facts[node.task.id] if isinstance(fact.event, TaskRetry)]
        if not retries:
            return ""
        times = "once, after" if len(retries) == 1 else f"{len(retries)} times, the last time after"
        return f" on attempt {retries[-1].attempt + 1}: it was retried {times}: {plain(retries[-1].error)}"

    def _tell_running(self, node: Node, task: TaskState) -> str | None:
        started = self._attempts(node)
        since = clock(task.started_at or self.now, self.now)
        which = self._attempt(node, task.attempt)
        if self._is_interrupted:
            hop = f"{node.task.id} interrupted: {which}, begun at {since}, has no recorded end"
        else:
            hop = f"{node.task.id} running: {which}, since {since}"
        self._now(node.task.id, hop)
        self.hops.append(f"{hop}; it {started}")
        return self._failure_above(node)

    def _tell_retrying(self, node: Node, task: TaskState) -> str | None:
        self._attempts(node)
        due = task.retry_at or self.now
        at = clock(due, self.now)
        hop = f"{node.task.id} retrying: attempt {task.attempt + 1} at {at}"
        if self._is_interrupted:
            hop += ", but the run was interrupted"
        elif due <= self.now:
            hop += f", as soon as one of the {self._slots(self.last)} slots is free"
        failed = f"{self._attempt(node, task.attempt)} failed: {plain(task.error or '')}"
        log = self.log_end(node.task.id, task.attempt)
        self._now(node.task.id, hop)
        self.hops += [hop, failed + (f" ({log})" if log else "")]
        self.look_at = node.task.id if log else ""
        return None

    def _attempts(self, node: Node) -> str:
        """Links for the starts and the retries of a task; why the last stretch of it started, empty if it never did."""
        why = ""
        stretch: int | None = None
        for fact in self._facts[node.task.id]:
            match fact.event:
                case TaskStart():
                    began = self._stretch(fact.place).place
                    if began != stretch:
                        stretch = began
                        why = self._start(node, fact)
                        self._link(fact, f"{node.task.id} {why}")
                case TaskRetry() as retry:
                    delay = f"retried after {seconds(retry.delay_seconds)}"
                    which = f"{node.task.id} attempt {retry.attempt}"
                    self._link(fact, f"{which} failed: {plain(retry.error)}, {delay}{_left(retry)}")
                case TaskFail() | TaskSkip() | TaskCancel() | TaskOk() if (
                    fact is not self._facts[node.task.id][-1]
                ):  # how it ended before the run was resumed
                    self._link(fact, f"{node.task.id} {_ended(fact.event)}")
        return why

    def _attempt(self, node: Node, attempt: int) -> str:
        return f"attempt {attempt} of {self._allowed(node)}"

    def _allowed(self, node: Node) -> int:
        """How many attempts the task has; a resumed run gives it as many again."""
        return self.state.tasks[node.index].attempts_before + node.task.retry.retries + 1

    def _not_again(self, event: Event, node: Node, task: TaskState) -> str:
        """Why a failed task was not tried again, though it had attempts left."""
        if task.attempt >= self._allowed(node):
            return ""
        retry = node.task.retry
        wanted = [f"exit code {code}" for code in retry.on_exit_codes] + list(retry.on_errors)
        error_type = event.error_type if isinstance(event, TaskFail) else None
        if error_type in LASTING:
            return "not retried: another attempt would not help"
        if wanted and task.exit_code not in retry.on_exit_codes and error_type not in retry.on_errors:
            return f"not retried: it is only on {_and(wanted, 'or')}"
        return "not retried: the run was ending"

    # --- why a task started when it did --------------------------------------------------------------------

    def _stretch(self, place: int) -> _Fact:
        """The start or the resumption of the run before that place."""
        return next(
            (fact for fact in reversed(self._stretches) if fact.place < place),
            _Fact(
                -1,
                DagStart(timestamp=self.state.started_at or self.now, task_count=0, dag_path="", dag_hash=""),
            ),
        )

    def _slots(self, place: int) -> int:
        event = self._stretch(place).event
        return event.max_parallel if isinstance(event, DagStart | DagResume) else 1

    def _start(self, node: Node, start: _Fact) -> str:
        """`started because build succeeded (its last dependency to end)`."""
        stretch = self._stretch(start.place)
        ended = [(self._end_before(need.task, start.place), need) for need in node.task.needs]
        fact, last = max(
            ((fact, need) for fact, need in ended if fact is not None),
            key=lambda each: each[0].place, default=(stretch, None),
        )  # fmt: skip
        if last is None or fact.place < stretch.place:
            fact = stretch
            resumed = isinstance(stretch.event, DagResume)
            free = "it depends on nothing" if last is None else "all that it depends on had ended"
            because = f"with the {'resumed run' if resumed else 'run'}: {free}"
            after = f"the run {'was resumed' if resumed else 'began'}"
        else:
            which = "last dependency to end" if len(node.needs) > 1 else "only dependency"
            tolerated = ", which is tolerated" if self._is_tolerated(last, fact.event) else ""
            after = f"{last.task} {_ended(fact.event)}{tolerated} (its {which}{_asks(node.task, last)})"
            because = f"because {after}"
        held, turn = self._held(fact.place, start.place), self._held_by_group(node, fact.place, start.place)
        freed, how, bound = held, "freed a slot", f"max_parallel is {self._slots(start.place)}"
        if turn is not None and (held is None or held.place <= turn.place):
            freed, how, bound = turn, "ended", self._turns(node)
        if freed is not None:
            waited = seconds(start.event.timestamp - fact.event.timestamp)
            name = getattr(freed.event, "task_id", "another task")
            because = f"when {name} {how}, {waited} after {after}; {bound}"
        return f"started {because}{_condition(node.task)}"

    def _is_tolerated(self, need: Dependency, end: Event) -> bool:
        """Whether the dependency failed, and counts as good all the same."""
        above = self.state.nodes[self.state.index[need.task]].task
        return isinstance(end, TaskFail) and above.tolerates(end.exit_code)

    def _end_before(self, task_id: str, place: int) -> _Fact | None:
        """How the task had ended at that place; a resumed run may have ended it anew since."""
        facts = reversed(self._facts[task_id])
        ends = (fact for fact in facts if not isinstance(fact.event, TaskStart | TaskRetry | TaskExpand))
        return next((fact for fact in ends if fact.place < place), None)

    def _held(self, ready: int, start: int) -> _Fact | None:
        """What freed the slot that the task had to wait for; None when it did not have to wait."""
        most = self._slots(start)
        for fact in reversed(self._ends):
            if ready < fact.place < start and self._running[fact.place - 1] >= most:
                return fact
            if fact.place <= ready:
                break
        return None

    def _held_by_group(self, node: Node, ready: int, start: int) -> _Fact | None:
        """The sibling's end that a variant had to wait for, whose group runs only so many at once."""
        group = None if node.variant is None else self.state.nodes[node.variant.group]
        if group is None or group.task.max_parallel is None:
            return None
        began, freed = self._stretch(start).place, None
        running: set[str] = set()
        ids = [self.state.nodes[i].task.id for i in group.members or ()]
        facts = ((fact, task_id) for task_id in ids for fact in self._facts[task_id])
        told = [each for each in facts if began < each[0].place < start]
        for fact, name in sorted(told, key=lambda each: each[0].place):
            if isinstance(fact.event, TaskStart):
                running.add(name)
            elif name in running:
                freed = fact if fact.place > ready and len(running) >= group.task.max_parallel else freed
                running.discard(name)
        return freed

    def _turns(self, node: Node) -> str:
        """How many of a variant's group run at once."""
        assert node.variant is not None
        group = self.state.nodes[node.variant.group].task
        return f"{group.id} runs {count(group.max_parallel or 0, 'variant')} at once (max_parallel)"

    def _failure_above(self, node: Node) -> str | None:
        """The failure because of which a task ran that is there for failures: the first above it."""
        triggers = {need.trigger or node.task.trigger for need in node.task.needs}
        if Trigger.FAILURE not in triggers:
            return None
        failed = [i for i in self._above(node) if self.state.outcome(i) is Outcome.FAILED]
        first = min(failed, key=lambda i: self._facts[self.state.nodes[i].task.id][-1].place, default=None)
        return None if first is None else self.state.nodes[first].task.id

    def _above(self, node: Node) -> Iterator[int]:
        seen = set(node.needs)
        pile = list(seen)
        while pile:
            i = pile.pop()
            yield i
            new = [dep for dep in self.state.nodes[i].needs if dep not in seen]
            seen.update(new)
            pile += new

    # --- what a task waits for -----------------------------------------------------------------------------

    @property
    def _is_interrupted(self) -> bool:
        return self.state.status is RunStatus.INTERRUPTED

    def _tell_pending(self, node: Node) -> str | None:
        name = node.task.id
        waits = [i for i in node.needs if self.state.tasks[i].status not in FINAL]
        word = "waited" if self._is_interrupted else "waits"
        if waits:
            names = _and([self.state.nodes[i].task.id for i in waits])
            standing = f"{self.status(node)} ({self.state.summary(node)})" if node.members else "pending"
            hop = f"{name} {standing}: {word} for {names}"
        elif (turn := self._turn(node)) and not self._is_interrupted:
            hop = f"{name} pending: {turn}"
        elif (running := self._running_now()) and not self._is_interrupted:
            slots = count(self._slots(self.last), "slot")
            hop = f"{name} pending: waits for a free slot; {_and(running)} took the {slots} (max_parallel)"
        else:
            hop = f"{name} pending: it has not started yet"
        if self._is_interrupted:
            hop += " when the run was interrupted" if waits else "; the run was interrupted"
        self.hops.append(hop)
        self._now(name, hop)
        first = min(waits, key=lambda i: self.state.tasks[i].status is Status.PENDING, default=None)
        return None if first is None else self.state.nodes[first].task.id

    def _turn(self, node: Node) -> str:
        """What a variant waits for whose group runs as many as it may; empty when it is not that."""
        if node.variant is None:
            return ""
        group = self.state.nodes[node.variant.group]
        most = group.task.max_parallel
        running = sum(map(self._runs, group.members or ()))
        if most is None or running < most:
            return ""
        return f"waits for its turn; {self._turns(node)}"

    def _running_now(self) -> list[str]:
        return [node.task.id for node in self.state.nodes if self._runs(node.index)]

    def _runs(self, i: int) -> bool:
        return self.state.tasks[i].status is Status.RUNNING


def _left(event: Event) -> str:
    """What an attempt left running, if anything."""
    left = event.left_running if isinstance(event, TaskOk | TaskFail | TaskRetry) else None
    if not left:
        return ""
    what = (
        "1 process that it left running was" if left == 1 else f"{left} processes that it left running were"
    )
    return f"; {what} ended"


def _ended(event: Event) -> str:
    """How a task ended, in words."""
    match event:
        case TaskFail():
            return "timed out" if event.timed_out else "failed"
        case TaskCancel():
            return f"was cancelled: {event.reason}"
        case TaskSkip():
            return f"was skipped: {event.reason}"
    return "succeeded"


def _asks(task: Task, need: Dependency) -> str:
    trigger = need.trigger or task.trigger
    return "" if trigger is Trigger.SUCCESS else f"; trigger: {trigger}"


def _condition(task: Task) -> str:
    both = (("if", task.condition), ("unless", task.unless))
    told = [f"{word}: {plain(text, 80)}" for word, text in both if text is not None]
    return f"; its condition held ({', '.join(told)})" if told else ""


def _and(names: list[str], word: str = "and") -> str:
    """`a`, `a and b`, `a, b and 7 more`."""
    if len(names) > _MOST_NAMES:
        return f"{', '.join(names[: _MOST_NAMES - 1])} {word} {len(names) - _MOST_NAMES + 1} more"
    *most, last = names
    return f"{', '.join(most)} {word} {last}" if most else last
