"""The bookkeeping of one stretch: which tasks can start, wait, must stop. It makes a decision cost O(log tasks)."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Sequence

from dagrun.core.graph import Node
from dagrun.core.outcomes import FINAL, STOPS, Outcome, Reason, Status, outcome_of
from dagrun.core.ready_queue import ReadyQueue
from dagrun.core.task_state import TaskState
from dagrun.core.wait_queue import WaitQueue


class Frontier:
    """The tasks of a stretch, by what has to be decided about them. The fold updates it, `decide` reads it.

    It shares the lists of nodes and of tasks with the state. An update costs O(edges of the task). Queues may hold
    tasks that are no longer concerned: `decide` checks a task's status when its turn comes, and drops it then.
    """

    def __init__(self, nodes: Sequence[Node], tasks: Sequence[TaskState], max_parallel: int) -> None:
        """Begin a stretch. Of the tasks, those that have ended are the ones that a resume keeps."""
        self._nodes = nodes
        self._tasks = tasks
        self.max_parallel = max_parallel
        self.steps = 0  # the work done so far; tests check that it is O(tasks + edges)
        #: Why nothing new starts any more, and the task whose failure stopped the run, if one did.
        self.stopping: Reason | None = None
        self.cause = ""
        #: How many attempts are running, how many of them hold a slot, and how many are child runs.
        self.active = 0
        self.running = 0
        self.child_runs = 0
        #: Whether all runs of the tree together leave a slot for this run, and allow it another child run; set by the engine.
        self.has_slot = True
        #: How many of the child runs only a person or another program can continue; set by the engine.
        self.idle_child_runs = 0
        self.may_open_run = True
        #: When the timeout of the run is over; of a paused run, the seconds that were left then.
        self.deadline: float | None = None
        self.time_left: float | None = None
        #: Whether attempts may be prefetched; set by the engine, which knows whether the executor has room.
        self.may_prefetch = False
        ended = [task.status in FINAL for task in tasks]
        self.unended = ended.count(False)
        self._missing = [len(node.needs) for node in nodes]
        # A task that was kept counts for its dependents only when all tasks above it have ended too: whether one of
        # those failed may matter to a dependent.
        over = [i for i, missing in enumerate(self._missing) if not missing and ended[i]]
        for i in over:  # grows while it is read
            for dependent in nodes[i].dependents:
                self._missing[dependent] -= 1
                if not self._missing[dependent] and ended[dependent]:
                    over.append(dependent)
        self._held = {i for i, missing in enumerate(self._missing) if missing and ended[i]}
        free = [i for i, missing in enumerate(self._missing) if not missing and not ended[i]]
        #: Tasks whose dependencies have all ended, and groups whose variants have all ended.
        self.settled = deque(i for i in free if nodes[i].members is None)
        self.ended_groups = deque(i for i in free if nodes[i].members is not None)
        #: Tasks that may start when a slot is free, those that hold no slot, and of these the child runs.
        self.ready = ReadyQueue(nodes, self._can_start)
        self.ready_without_slot = ReadyQueue(nodes, self._can_start)
        self.ready_child_runs = ReadyQueue(nodes, self._can_start)
        #: Tasks that wait, some of them since an earlier stretch.
        self.waits = WaitQueue(tasks)
        for i, task in enumerate(tasks):
            if task.status is Status.WAITING:
                self._queue(i).begin(i)
        #: Moments at which a task is retried, and at which an attempt (its number is the third item) times out.
        self.retries: list[tuple[float, int]] = []
        self.timeouts: list[tuple[float, int, int]] = []
        #: Tasks to end because the run stops, and the attempts that have been requested to end, with the reason.
        self.sweep: deque[int] = deque()
        self.stop_reasons: dict[int, Reason] = {}
        #: The conditions that have been evaluated.
        self.conditions: dict[int, bool] = {}
        self.failed_above = bytearray(len(nodes))  # whether some ancestor failed
        # Attempts that a failure stops: they count as failed from that moment, whenever and however they end.
        self._counts_as_failed: set[int] = set()
        # How many attempts have ended. With this number: since when a task can start and the dependency that let it,
        # and which task last freed a slot while all were taken. The later of the two is why a task starts when it does.
        self._ends = 0
        self._released: dict[int, tuple[int, int | None]] = {}
        self._slot_freed: tuple[int, int | None] = 0, None

    # --- updates by the fold -------------------------------------------------------------------------------

    def start(self, i: int, now: float, attempt: int) -> None:
        """An attempt begins."""
        action = self._nodes[i].task.action
        self.active += 1
        self.running += action.holds_slot
        self.child_runs += action.has_own_run
        self._queue(i).begin(i)
        if self.stopping is Reason.STOP_ALL:  # it was prefetched
            self._count_as_failed(i)
        timeout = self._nodes[i].task.timeout
        if timeout is not None:
            heapq.heappush(self.timeouts, (now + timeout, i, attempt))

    def wait(self, i: int) -> None:
        """The task waits. Raises ValueError for a damaged moment."""
        self.waits.begin(i)
        self._queue(i).begin(i)

    def leave(self, i: int) -> None:
        """The attempt, if one was running or waiting, has ended."""
        if self._tasks[i].status is Status.WAITING:
            self._ends += 1
            self.waits.leave(i)
            self._queue(i).leave(i, self._ends)
        elif self._tasks[i].status is Status.RUNNING:
            self._ends += 1
            self.active -= 1
            if self._nodes[i].task.action.holds_slot:
                if self.running >= self.max_parallel:
                    self._slot_freed = self._ends, i
                self.running -= 1
            self.child_runs -= self._nodes[i].task.action.has_own_run
            self._queue(i).leave(i, self._ends)
        self.stop_reasons.pop(i, None)

    def retry(self, i: int, at: float) -> None:
        """The task waits for its next attempt."""
        heapq.heappush(self.retries, (at, i))
        if self.stopping:  # its end was reported after the sweep had passed it
            self.sweep.append(i)

    def reopen(self, i: int) -> None:
        """An event about a task that has ended already: the line that began its new stretch is damaged."""
        if self._tasks[i].status in FINAL:
            self.unended += 1
            if i in self._held:
                self._held.discard(i)
                return
            for dependent in self._nodes[i].dependents:
                self._missing[dependent] += 1

    def close(self, i: int) -> None:
        """The task has its final status: its dependents may be able to start."""
        self.unended -= 1
        over = [i]
        for each in over:  # grows where a dependent had ended in an earlier stretch
            failed = self.failed_above[each] or self.outcome(each) is Outcome.FAILED
            for dependent in self._nodes[each].dependents:
                self.steps += 1
                self.failed_above[dependent] |= failed
                self._missing[dependent] -= 1
                if self._missing[dependent]:
                    continue
                if dependent in self._held:
                    self._held.discard(dependent)
                    over.append(dependent)
                elif self._nodes[dependent].members is None:
                    self._released[dependent] = self._ends, each
                    self.settled.append(dependent)
                else:
                    self.ended_groups.append(dependent)

    def expand(self, group: int, members: range) -> None:
        """The list of a for_each is known: its variants take over its edges, and it waits for them."""
        needs = self._nodes[members[0]].needs if members else ()
        self.steps += len(members) * (1 + len(needs))
        if not members:
            if not self._missing[group]:
                self.ended_groups.append(group)
            return
        missing = sum(self._tasks[dep].status not in FINAL or dep in self._held for dep in needs)
        self._missing.extend([missing] * len(members))
        self._missing[group] = len(members)
        self.failed_above.extend([self.failed_above[group]] * len(members))
        self.unended += len(members)
        if (released := self._released.get(group)) is not None:
            self._released.update(dict.fromkeys(members, released))
        if not missing:
            self.settled.extend(members)
        if self.stopping:  # it was recorded after the sweep had passed the group
            self.sweep.extend(members)

    def stop(self, why: Reason, order: Iterable[int]) -> None:
        """From now on nothing starts. Tasks that have not ended are swept in this order, each once."""
        if self.stopping is not None and STOPS.index(why) <= STOPS.index(self.stopping):
            return
        self.sweep = deque(order)
        self.steps += len(self._tasks)
        self.stopping = why
        if why is not Reason.STOP_ALL:
            self.cause = ""
            return
        for i, task in enumerate(self._tasks):
            if task.status in (Status.RUNNING, Status.RETRYING, Status.WAITING):
                self._count_as_failed(i)

    def _count_as_failed(self, i: int) -> None:
        """The stop ends this attempt. What may still start must not depend on when and how the attempt ends."""
        if self._nodes[i].members is not None or self.spares(i):
            return
        self._counts_as_failed.add(i)
        below = [i]
        for each in below:  # grows while it is read
            for dependent in self._nodes[each].dependents:
                self.steps += 1
                if not self.failed_above[dependent]:
                    self.failed_above[dependent] = True
                    below.append(dependent)

    def pause(self, now: float) -> None:
        """The stretch ends, and the next one continues with this frontier. The clock of the run's timeout stands."""
        if self.deadline is not None:
            self.time_left = self.deadline - now

    def unpause(self, now: float, max_parallel: int) -> None:
        """A new stretch continues where the last one paused."""
        self.max_parallel = max_parallel
        if self.time_left is not None:
            self.deadline = round(now + self.time_left, 3)

    # --- updates by the engine: what is in flight and not recorded -----------------------------------------

    def stop_requested(self, i: int, reason: Reason) -> None:
        """The end of the attempt has been requested."""
        self.stop_reasons[i] = reason

    def prefetched(self, i: int) -> None:
        """The next attempt has been passed to a worker and has not begun."""
        self.ready.prefetched.add(i)

    def retry_due(self, i: int) -> None:
        """The delay before the next attempt is over."""
        self._released[i] = self._ends, None
        self.may_start(i)

    def returned(self, i: int) -> None:
        """A prefetched attempt has not begun and is to be decided about again."""
        self.ready.prefetched.discard(i)
        self.stop_reasons.pop(i, None)
        if self.stopping:
            self.sweep.append(i)
        self.ready.add(i)

    def condition_evaluated(self, i: int, holds: bool) -> None:
        """The condition of the task has this value; the event that follows from it records it."""
        self.conditions[i] = holds

    def may_start(self, i: int) -> None:
        """Nothing keeps the task from starting, except that it may need a slot."""
        self._queue(i).add(i)

    # --- questions -----------------------------------------------------------------------------------------

    def outcome(self, i: int) -> Outcome:
        """What the end of the task counts as for its dependents."""
        if i in self._counts_as_failed:
            return Outcome.FAILED
        task = self._tasks[i]
        return outcome_of(task.status, task.reason, tolerated=self._nodes[i].task.tolerates(task.exit_code))

    def first_to_start(self) -> int | None:
        """The task to start next: of those for which there is a slot, or which need none, the first in the file."""
        free = self.ready_without_slot.first()
        bound = self.ready.first() if self.running < self.max_parallel and self.has_slot else None
        child = self.ready_child_runs.first() if self.may_open_run else None
        if free is None and child is None:
            return bound
        return min((i for i in (free, bound, child) if i is not None), key=self._place)

    def wants_slot(self) -> bool:
        """Whether a task waits for nothing but a slot of the tree."""
        return not self.has_slot and self.running < self.max_parallel and self.ready.first() is not None

    def wants_to_open_run(self) -> bool:
        """Whether a child run waits for nothing but its turn in the tree."""
        return not self.may_open_run and self.ready_child_runs.first() is not None

    def spares(self, i: int) -> bool:
        """Whether the task may run though the run is stopping: it handles failures, and a failure is the reason."""
        return self.stopping is None or (self.stopping is Reason.STOP_ALL and self._nodes[i].survives)

    def is_complete(self, group: int) -> bool:
        """Whether all variants of the group have ended, and the group has not."""
        return not self._missing[group] and self._tasks[group].status not in FINAL

    def waited_for(self, i: int) -> str | None:
        """What the task waited for last, if it starts now; None: for nothing, or only for the delay of a retry.

        `dependency:ID`, `slot:ID` (the task that freed a slot), or `group:ID` (the variant that left room for another one
        in its group, which has a `max_parallel`).
        """
        at, dependency = self._released.get(i, (0, None))
        kind, cause = "dependency", dependency
        needs_slot = self._nodes[i].task.action.holds_slot
        for other, (freed_at, freed_by) in (
            ("slot", self._slot_freed if needs_slot else (0, None)),
            ("group", self._queue(i).last_room(i)),
        ):
            if freed_at > at or (other == "group" and freed_at == at and kind == "slot"):
                at, kind, cause = freed_at, other, freed_by
        return None if cause is None else f"{kind}:{self._nodes[cause].task.id}"

    def _queue(self, i: int) -> ReadyQueue:
        """Where the task is queued when it may start."""
        action = self._nodes[i].task.action
        if action.holds_slot:
            return self.ready
        return self.ready_child_runs if action.has_own_run else self.ready_without_slot

    def _place(self, i: int) -> int:
        """The place of the task in the file; that of a variant is the place of its group."""
        variant = self._nodes[i].variant
        return i if variant is None else variant.group

    def _can_start(self, i: int) -> bool:
        self.steps += 1
        return self._tasks[i].status in (Status.PENDING, Status.RETRYING)
