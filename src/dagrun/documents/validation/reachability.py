"""Tasks that can never start: the reasons that people run into, each a warning at the word that is the reason.

This is no second statement of the rules by which a run decides. A task that is reported never starts; many a task that
never starts is not reported, such as one whose reason is a combination of several tasks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from dagrun.core.graph import looks_back_and_survives
from dagrun.core.model import Dag, Dependency, OnError, Task, Trigger
from dagrun.core.variants import variant_ids
from dagrun.documents.dialects.dialect import Locations, ParsedDocument, Path
from dagrun.documents.yaml import Finding
from dagrun.kinds import kind_of
from dagrun.language import expressions
from dagrun.language.expressions import EvaluationError, Scope

_PASSES_OVER = frozenset({Trigger.FAILURE, Trigger.ALWAYS})


def check_reachability(written: ParsedDocument) -> Iterator[Finding]:
    """A warning for each task that has such a reason, in a document without errors. Costs O(tasks + edges)."""
    dag, locations = written.dag, written.locations
    if locations is None or not any(map(_is_special, dag.tasks)):
        return
    for i, (path, why, hint) in never_starting(dag, locations).items():
        message = f"'{dag.tasks[i].id}' can never start: {why}"
        yield Finding(written.source.place(path), message, "unreachable", hint, "warning")


def never_starting(dag: Dag, locations: Locations) -> dict[int, tuple[Path, str, str]]:
    """By the number of the task: where the reason is written, what it is, and what to do about it."""
    reasons = _Reasons(dag, locations)
    return {i: found for i, task in enumerate(dag.tasks) if (found := reasons.of(i, task))}


def _is_special(task: Task) -> bool:
    return (
        task.trigger is Trigger.FAILURE
        or task.condition is not None
        or task.unless is not None
        or (task.only_if_changed and not task.needs)
        or any(need.trigger is Trigger.FAILURE for need in task.needs)
    )


class _Reasons:
    """One document's tasks, by number."""

    def __init__(self, dag: Dag, locations: Locations) -> None:
        self.tasks = dag.tasks
        self.locations = locations
        self.index = {task.id: i for i, task in enumerate(dag.tasks)} | variant_ids(dag.tasks)
        fails = [_may_fail(task, dag) for task in dag.tasks]
        self.stops = [
            failing and (task.on_error or dag.on_error) is OnError.STOP_ALL
            for failing, task in zip(fails, dag.tasks, strict=True)
        ]
        #: Whether a task can count as failed: by itself, or cancelled while another one stops the run.
        self.fails = [
            failing or (any(self.stops) and kind_of(task).can_fail)
            for failing, task in zip(fails, dag.tasks, strict=True)
        ]
        #: Of every task: whether one above it can count as failed, and whether one can fail without stopping the run.
        self.failing_above, self.sparing_above = self._above(fails)

    def of(self, i: int, task: Task) -> tuple[Path, str, str] | None:
        """Why the task can never start, where that is written, and what to do."""
        for word, text, wanted in (("if", task.condition, True), ("unless", task.unless, False)):
            if text is not None and _constant(text) is (not wanted):
                value = "true" if wanted is False else "false"
                return (*self.locations.task(i), word), f"'{word}' is always {value}", ""
        if task.only_if_changed and not task.needs:
            path = (*self.locations.task(i), "only_if_changed")
            return path, "it waits for a change, and it depends on no task", ""
        if _after_failure(task) and not self.failing_above[i]:
            path = (
                self.locations.trigger(i)
                if task.trigger is Trigger.FAILURE
                else (*self.locations.task(i), "if")
            )
            above = "no task above it can fail" if task.needs else "it depends on no task"
            return path, f"it runs after a failure, and {above}", ""
        return next(self._edges(i, task), None)

    def _edges(self, i: int, task: Task) -> Iterator[tuple[Path, str, str]]:
        """Reasons that lie in one dependency, or in two that contradict each other."""
        looks_back, survives = looks_back_and_survives(task)
        for need in task.needs:
            number = self.index[need.task]
            if need.trigger is Trigger.FAILURE and not self.fails[number] and not self.failing_above[number]:
                path = self.locations.edge(i, need.task)
                yield path, f"it waits for a failure of '{need.task}', which cannot fail", ""
        if looks_back:
            return
        good = {self.index[need.task] for need in task.needs if _wants_success(task, need)}
        for need in task.needs:
            number = self.index[need.task]
            if number not in good or self._is_several(number):
                continue
            for further in self.tasks[number].needs:
                above = self.index[further.task]
                first = not self.tasks[above].needs and not self._is_several(above)
                if further.trigger is Trigger.FAILURE and above in good and first:
                    why = (
                        f"'{need.task}' runs only when '{further.task}' failed, and it needs both to succeed"
                    )
                    yield self.locations.edge(i, need.task), why, ""
            dependency = self.tasks[number]
            stopped = self.failing_above[number] and not self.sparing_above[number]
            if not survives and _after_failure(dependency) and stopped:
                why = f"'{need.task}' runs after a failure, which ends the run (on_error: stop_all)"
                word = self.locations.trigger(i)[-1]
                hint = f"write `{word}: always`, or let the run continue after failures: `on_error: continue`"
                yield self.locations.trigger(i), why, hint

    def _is_several(self, number: int) -> bool:
        return self.tasks[number].matrix is not None or self.tasks[number].for_each is not None

    def _above(self, fails: Sequence[bool]) -> tuple[list[bool], list[bool]]:
        """By a walk from the top down; in a document without errors there is no cycle."""
        needs = [{self.index[need.task] for need in task.needs} for task in self.tasks]
        dependents: list[list[int]] = [[] for _ in self.tasks]
        for i, above in enumerate(needs):
            for j in above:
                dependents[j].append(i)
        failing, sparing = [False] * len(needs), [False] * len(needs)
        missing = [len(above) for above in needs]
        ready = [i for i, count in enumerate(missing) if not count]
        for i in ready:  # it grows meanwhile
            for j in dependents[i]:
                failing[j] = failing[j] or failing[i] or self.fails[i]
                sparing[j] = sparing[j] or sparing[i] or (fails[i] and not self.stops[i])
                missing[j] -= 1
                if not missing[j]:
                    ready.append(j)
        return failing, sparing


def _wants_success(task: Task, need: Dependency) -> bool:
    return (need.trigger or task.trigger) is Trigger.SUCCESS


def _after_failure(task: Task) -> bool:
    """Whether the task itself asks for a failure above it, and for nothing else that would do as well."""
    asks = task.condition is not None and task.condition.strip(" \t\n${}") == "failure()"
    return task.trigger is Trigger.FAILURE or (asks and task.unless is None)


def _may_fail(task: Task, dag: Dag) -> bool:
    """Whether the task can fail, untolerated. One that does nothing can, if something of it is evaluated."""
    if task.continue_on_failure:
        return False
    if kind_of(task).can_fail or task.for_each is not None:
        return True
    parts: Collection[object] = (task.params, task.env, dag.env, task.condition or "", task.unless or "")
    return any("${{" in repr(part) for part in parts) or task.condition is not None or task.unless is not None


def _constant(text: str) -> bool | None:
    """What a condition comes to that asks for nothing; None when it asks, or has no value."""
    expression = expressions.condition(text)
    if expression.references or any(call.name in expressions.STATUS_FUNCTIONS for call in expression.calls):
        return None
    try:
        return expressions.truth(expression.evaluate(Scope({})))
    except EvaluationError:
        return None
