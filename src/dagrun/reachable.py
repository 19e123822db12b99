"""Tasks that can never start: a search through the ways in which the tasks above them can end.

It turns around what `RunState` decides by: a task starts if those it waits for end so and so, each of them ends so if
those above it do, and so on. Where it cannot know (what a condition looks up, variants that end each in its own way, a
search that becomes too long) a task counts as reachable: what can happen in a run is never called impossible.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from dagrun import expressions
from dagrun.expressions import EvaluationError, Expression, Scope
from dagrun.expressions import tree as syntax
from dagrun.graph import Graph
from dagrun.ids import variant_ids
from dagrun.model import Dag, Need, NoAction, OnError, Task, Trigger
from dagrun.outcomes import EDGES, End

#: How many steps a search may take for one task, and for a whole document.
MOST_STEPS = 20_000
MOST_STEPS_IN_ALL = 400_000

Ends = frozenset[End]
#: One of these tasks ends in one of these ways.
Goal = tuple[Collection[int], Ends]
Goals = tuple[Goal, ...]

_EVERY: Ends = frozenset(End)
_GOOD, _FAILED, _SKIPPED = (frozenset({end}) for end in (End.GOOD, End.FAILED, End.SKIPPED))
_NOT_GOOD, _NOT_FAILED = _EVERY - _GOOD, _EVERY - _FAILED


def is_plain(dag: Dag) -> bool:
    """Whether every task starts when all goes well, as can be seen without a search."""
    return not any(
        task.trigger is Trigger.FAILURE
        or task.condition is not None
        or task.unless is not None
        or (task.only_if_changed and not task.needs)
        or any(need.trigger is Trigger.FAILURE for need in task.needs)
        for task in dag.tasks
    )


class Search:
    """The ways in which the tasks of one DAG, which is valid otherwise, can end."""

    def __init__(self, dag: Dag) -> None:
        known = {task.id: i for i, task in enumerate(dag.tasks)} | variant_ids(dag.tasks)
        self.tasks = dag.tasks
        self.nodes = Graph.compile(
            replace(dag, tasks=tuple(_alone(task, dag.tasks, known) for task in dag.tasks))
        ).nodes
        self.edges = [[(known[need.task], need) for need in task.needs] for task in dag.tasks]
        #: Variants end each in its own way, and so does a task of which only a variant is waited for.
        self.various = [task.matrix is not None or task.for_each is not None for task in dag.tasks]
        self.conditions = [_Condition(task, dag) for task in dag.tasks]
        self.fails = [_may_fail(task, dag) for task in dag.tasks]
        stops = [(task.on_error or dag.on_error) is OnError.STOP_ALL for task in dag.tasks]
        #: Tasks whose failure ends the run.
        self.stoppers = frozenset(
            i
            for i, task in enumerate(dag.tasks)
            if stops[i] and not task.continue_on_failure and (self.fails[i] or self.conditions[i].may_break)
        )
        self.well = self._well()
        self.left = 0
        self.left_in_all = MOST_STEPS_IN_ALL
        self._above: dict[int, Mapping[int, None]] = {}
        self._below: dict[int, Mapping[int, None]] = {}

    def unreachable(self) -> list[int]:
        """The tasks that no combination of outcomes lets start, in the file's order."""
        return [i for i in range(len(self.tasks)) if not self.well[i] and not self.can_start(i)]

    def can_start(self, i: int) -> bool:
        """Whether the task can start."""
        return self._found((goals, {i: _GOOD}) for goals in self._starting(i))

    def possible(self, *goals: Goal) -> bool:
        """Whether all of this can happen in one run."""
        return self._found(iter([(goals, {})]))

    def waits_for(self, i: int) -> list[tuple[int, Goal]]:
        """The dependencies that hinder the task when they end in a certain way, each with what must happen."""
        goals: list[tuple[int, Goal]] = []
        for dep, need in self.edges[i]:
            trigger = need.trigger or self.tasks[i].trigger
            if (trigger is Trigger.SUCCESS and self.nodes[i].looks_back) or self.various[dep]:
                continue
            if trigger is not Trigger.FAILURE:
                allowed = frozenset(end for end in End if EDGES[trigger, end] is None)
                if allowed != _EVERY:
                    goals.append((dep, ((dep,), allowed)))
            elif need.trigger is not None:
                goals.append((dep, ((dep, *self.above(dep)), _FAILED)))
        return goals

    def above(self, i: int) -> Mapping[int, None]:
        """The task's ancestors, the nearest first."""
        return self._walked(i, self._above, lambda j: self.nodes[j].needs)

    def below(self, i: int) -> Mapping[int, None]:
        """The task's descendants."""
        return self._walked(i, self._below, lambda j: self.nodes[j].dependents)

    def _walked(
        self, start: int, walks: dict[int, Mapping[int, None]], onward: Callable[[int], Sequence[int]]
    ) -> Mapping[int, None]:
        if start not in walks:
            found = dict.fromkeys(onward(start))
            pile = list(found)
            for i in pile:  # it grows meanwhile
                new = [j for j in onward(i) if j not in found]
                found.update(dict.fromkeys(new))
                pile += new
            self.left -= len(pile)
            walks[start] = found
        return walks[start]

    # --- when all goes well --------------------------------------------------------------------------------

    def _well(self) -> list[bool]:
        """Which tasks start in a run in which nothing fails."""
        well = [False] * len(self.nodes)
        missing = [len(node.needs) for node in self.nodes]
        ready = [i for i, count in enumerate(missing) if not count]
        for i in ready:  # it grows meanwhile
            well[i] = self._goes_well(i, well)
            for dependent in self.nodes[i].dependents:
                missing[dependent] -= 1
                if not missing[dependent]:
                    ready.append(dependent)
        return well

    def _goes_well(self, i: int, well: Sequence[bool]) -> bool:
        task, needs = self.tasks[i], self.nodes[i].needs
        if task.trigger is Trigger.FAILURE or (task.only_if_changed and not any(well[dep] for dep in needs)):
            return False
        for dep, need in self.edges[i]:
            trigger = need.trigger or task.trigger
            hinders = EDGES[trigger, End.GOOD if well[dep] else End.SKIPPED] is not None
            if hinders and not (trigger is Trigger.SUCCESS and self.nodes[i].looks_back):
                return False
        return self.conditions[i].may_hold(
            {"failure": False, "cancelled": False, "success": all(well[dep] for dep in needs)}
        )

    # --- the search ----------------------------------------------------------------------------------------

    def _found(self, states: Iterator[tuple[Goals, dict[int, Ends]]]) -> bool:
        """Whether one of these states, each the goals that are left and the ends that are settled, has a solution."""
        self.left = min(MOST_STEPS, self.left_in_all)
        budget = self.left
        stack = [states]
        try:
            while stack:
                state = next(stack[-1], None)
                if state is None:
                    stack.pop()
                    continue
                goals, ends = state
                self.left -= 1 + (len(goals) + len(ends)) // 20
                if self.left < 0:
                    return True
                unsolved = self._unsolved(goals, ends)
                if not unsolved:
                    return True
                stack.append(self._next(unsolved, ends))
            return False
        finally:
            self.left_in_all -= budget - self.left

    def _unsolved(self, goals: Goals, ends: Mapping[int, Ends]) -> Goals:
        """The goals that need a closer look, last those for which all need only go well.

        A task that ends well when all goes well does so here too, if nothing above it went otherwise.
        """
        easy = [
            goal
            for goal in goals
            if goal[1] == _GOOD and len(goal[0]) == 1 and all(self.well[i] and i not in ends for i in goal[0])
        ]
        if len(easy) < len(goals):
            return (*(goal for goal in goals if goal not in easy), *easy)
        otherwise = [i for i, allowed in ends.items() if End.GOOD not in allowed]
        return tuple(goal for goal in easy if any(j in self.above(i) for i in goal[0] for j in otherwise))

    def _next(self, goals: Goals, ends: dict[int, Ends]) -> Iterator[tuple[Goals, dict[int, Ends]]]:
        """The states in which the first goal is met."""
        (candidates, wanted), *others = goals
        rest = tuple(others)
        for i in candidates:
            allowed = wanted & ends.get(i, _EVERY)
            if len(ends.get(i, _EVERY)) == 1 or allowed >= _NOT_FAILED:
                # Settled before; or a task that only must not fail, which no task has to.
                if allowed:
                    yield rest, {**ends, i: allowed}
                continue
            for end in End:
                if end in allowed and self._fits(i, end, ends):
                    for more in self._ways(i, end):
                        yield (*more, *rest), {**ends, i: frozenset({end})}

    def _fits(self, i: int, end: End, ends: Mapping[int, Ends]) -> bool:
        """A failure that stops the run lets nothing below it start, but what is there for failures."""
        if end is not End.SKIPPED and not self.nodes[i].survives:
            failed = [j for j in ends if ends[j] == _FAILED and self._stops(j)]
            if any(j in self.above(i) for j in failed):
                return False
        if end is End.FAILED and self._stops(i):
            started = [j for j in ends if ends[j] in (_GOOD, _FAILED) and not self.nodes[j].survives]
            return not any(j in self.below(i) for j in started)
        return True

    def _stops(self, i: int) -> bool:
        """Whether the run is being stopped when this task counts as failed: by it, or it was cancelled for that."""
        by_itself = self.fails[i] or self.conditions[i].may_break
        return i in self.stoppers or self.tasks[i].continue_on_failure or not by_itself

    def _ways(self, i: int, end: End) -> Iterator[Goals]:
        """What has to happen for the task to end so; each way by itself is enough."""
        task, node = self.tasks[i], self.nodes[i]
        if self.various[i]:
            yield ()
            return
        match end:
            case End.GOOD:
                yield from self._allowed(i)
                if task.continue_on_failure:
                    yield from self._unevaluated(i)
            case End.FAILED:
                if (self.fails[i] and not task.continue_on_failure) or self._is_cancelled(i):
                    yield from self._starting(i)
                if not task.continue_on_failure:
                    yield from self._unevaluated(i)
            case End.SKIPPED:
                if not node.survives and self.stoppers - {i} - self.below(i).keys():
                    yield ()
                for dep, (_, allowed) in self.waits_for(i):
                    yield (((dep,), _NOT_FAILED if allowed == _FAILED else _EVERY - allowed),)
                if any(self.various[dep] for dep, _ in self.edges[i]):
                    yield ()
                if task.trigger is Trigger.FAILURE:
                    yield tuple(((j,), _NOT_FAILED) for j in self.above(i))
                yield from self._asked(i, False)

    def _starting(self, i: int) -> Iterator[Goals]:
        """What has to happen for the task to start."""
        changed: Goals = ((self.nodes[i].needs, _GOOD),) if self.tasks[i].only_if_changed else ()
        for goals in self._allowed(i):
            yield (*changed, *goals)

    def _allowed(self, i: int) -> Iterator[Goals]:
        """What has to happen for the task to start, or to be found unchanged."""
        goals = tuple(goal for _, goal in self.waits_for(i))
        if self.tasks[i].trigger is Trigger.FAILURE:
            goals = (*goals, (self.above(i), _FAILED))
        for asked in self._asked(i, True):
            yield (*goals, *asked)

    def _unevaluated(self, i: int) -> Iterator[Goals]:
        """What has to happen for the condition to be asked, where it may have no value."""
        if self.conditions[i].may_break:
            yield () if self.nodes[i].looks_back else tuple(goal for _, goal in self.waits_for(i))

    def _is_cancelled(self, i: int) -> bool:
        """Whether the task can be running while another one stops the run. What does nothing takes no time."""
        if isinstance(self.tasks[i].action, NoAction) or not self.stoppers:
            return False
        return bool(self.stoppers - {i} - self.above(i).keys() - self.below(i).keys())

    def _asked(self, i: int, wanted: bool) -> Iterator[Goals]:
        """What has to happen for the condition to come out so."""
        condition, needs, above = self.conditions[i], self.nodes[i].needs, self.above
        for outcome in condition.outcomes():
            if not (condition.may_hold(outcome) if wanted else condition.may_refuse(outcome)):
                continue
            goals: Goals = ()
            match outcome.get("failure"):
                case True:
                    goals += ((above(i), _FAILED),)
                case False:
                    goals += tuple(((j,), _NOT_FAILED) for j in above(i))
            match outcome.get("success"):
                case True:
                    goals += tuple(((dep,), _GOOD) for dep in needs)
                case False:
                    goals += ((needs, _NOT_GOOD),)
            if outcome.get("cancelled"):
                goals += ((needs, _FAILED),)
            yield goals


def _alone(task: Task, tasks: Sequence[Task], known: Mapping[str, int]) -> Task:
    """A task as one node of the graph, whatever variants it or those it waits for have."""
    needs: dict[str, Need] = {}
    for need in task.needs:
        name = tasks[known[need.task]].id
        if name not in needs or need.trigger in (
            Trigger.FAILURE,
            Trigger.ALWAYS,
        ):  # they make it survive a stop
            needs[name] = Need(name, need.trigger)
    return replace(task, needs=tuple(needs.values()), matrix=None, for_each=None, parallel_with=())


def _may_fail(task: Task, dag: Dag) -> bool:
    """What does nothing cannot fail, unless something of it is evaluated."""
    if not isinstance(task.action, NoAction) or task.for_each is not None:
        return True
    return _evaluates(task.params, task.env, dag.env)


def _evaluates(*parts: Mapping[str, Any]) -> bool:
    return any("${{" in repr(part) for part in parts if part)


#: What a condition can come to; None: it cannot be evaluated.
_Truths = frozenset[bool | None]
_UNKNOWN: _Truths = frozenset({True, False, None})
_STATUS = ("failure", "success", "cancelled")


class _Condition:
    """`if` and `unless` of a task, as far as they can be known without a run."""

    def __init__(self, task: Task, dag: Dag) -> None:
        self._trees = [
            (expressions.condition(text).tree, wanted)
            for text, wanted in ((task.condition, True), (task.unless, False))
            if text is not None
        ]
        called = {call.name for tree, _ in self._trees for call in syntax.calls(tree)}
        self._called = [name for name in _STATUS if name in called]
        #: Whether it may have no value, so that asking it fails the task.
        self.may_break = any(
            _evaluates(task.env, dag.env) or None in _truths(tree, outcome)
            for tree, _ in self._trees
            for outcome in self.outcomes()
        )

    def outcomes(self) -> Iterator[Mapping[str, bool]]:
        """Every way in which the functions that it calls can answer."""
        for answers in product((True, False), repeat=len(self._called)):
            yield dict(zip(self._called, answers, strict=True))

    def may_hold(self, outcome: Mapping[str, bool]) -> bool:
        """Whether it can let the task run."""
        return all(wanted in _truths(tree, outcome) for tree, wanted in self._trees)

    def may_refuse(self, outcome: Mapping[str, bool]) -> bool:
        """Whether it can keep the task from running."""
        return any((not wanted) in _truths(tree, outcome) for tree, wanted in self._trees)


def _truths(tree: syntax.Node, outcome: Mapping[str, bool]) -> _Truths:
    match tree:
        case syntax.Apply() if tree.name in outcome:
            return frozenset({outcome[tree.name]})
        case syntax.Apply() if tree.name == "always":
            return frozenset({True})
        case syntax.Not():
            return frozenset(None if truth is None else not truth for truth in _truths(tree.operand, outcome))
        case syntax.Logic():
            decides = tree.operator == "||"
            found: set[bool | None] = set()
            for operand in tree.operands:
                truths = _truths(operand, outcome)
                found |= truths - {not decides}
                if (not decides) not in truths:
                    return frozenset(found)
            return frozenset({*found, not decides})
    if any(syntax.references(tree)) or any(
        call.name in expressions.STATUS_FUNCTIONS for call in syntax.calls(tree)
    ):
        return _UNKNOWN
    try:
        value = Expression("", tree).evaluate(Scope({}))
    except EvaluationError:
        return frozenset({None})
    # The text `false` is false as a whole condition, and true as a part of one.
    return frozenset({True, False} if value == "false" else {expressions.truth(value)})
