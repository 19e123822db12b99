"""Warnings for tasks that can never start, for the reasons that people run into.

This is not a second implementation of the rules of a run: a reported task never starts, but many tasks that never start are
not reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dagrun.core.graph import looks_back_and_survives
from dagrun.core.model import Dag, OnError, Task, Trigger
from dagrun.core.variants import variant_ids
from dagrun.documents.dialects.dialect import Locations, ParsedDocument, Path
from dagrun.documents.yaml import Finding
from dagrun.kinds import kind_of
from dagrun.language import expressions
from dagrun.language.expressions import EvaluationError, Scope


def check_reachability(parsed: ParsedDocument) -> Iterator[Finding]:
    """A warning for each task that can never start, in a document without errors. Costs O(tasks + edges)."""
    if parsed.locations is None or not any(map(_is_special, parsed.dag.tasks)):
        return
    for i, (path, why) in never_starting(parsed.dag, parsed.locations).items():
        message = f"'{parsed.dag.tasks[i].id}' can never start: {why}"
        yield Finding(parsed.source.place(path), message, "unreachable", level="warning")


def _is_special(task: Task) -> bool:
    """Whether the task has anything that can keep it from starting, apart from the end of others."""
    return (
        task.trigger is Trigger.FAILURE
        or task.only_if_changed
        or task.condition is not None
        or task.unless is not None
        or any(need.trigger is Trigger.FAILURE for need in task.needs)
    )


def never_starting(dag: Dag, locations: Locations) -> dict[int, tuple[Path, str]]:
    """The tasks that can never start, by index: the location of the reason, and the reason."""
    index = {task.id: i for i, task in enumerate(dag.tasks)} | variant_ids(dag.tasks)
    needs = [[index[need.task] for need in task.needs] for task in dag.tasks]
    failing = _failing(dag, needs)
    exclusive = _exclusive(dag, index)
    found: dict[int, tuple[Path, str]] = {}
    for i, task in enumerate(dag.tasks):
        if key := _constant_condition(task):
            found[i] = (*locations.task(i), key), f"'{key}' is always {str(key != 'if').lower()}"
        elif task.only_if_changed and not task.needs:
            path = (*locations.task(i), "only_if_changed")
            found[i] = path, "it waits for a change, but it has no dependency"
        elif _asks_for_failure(task) and failing.isdisjoint(needs[i]):
            why = "no task above it can fail" if task.needs else "it has no dependency"
            path = locations.trigger(i) if task.trigger is Trigger.FAILURE else (*locations.task(i), "if")
            found[i] = path, f"it runs after a failure, but {why}"
        elif edge := next(_useless_edges(task, index, failing, exclusive), None):
            need, why = edge
            found[i] = locations.edge(i, need), why
    return found


def _useless_edges(
    task: Task, index: Mapping[str, int], failing: set[int], exclusive: Mapping[int, Mapping[int, str]]
) -> Iterator[tuple[str, str]]:
    """The dependencies that can never be satisfied, and why."""
    for need in task.needs:
        if need.trigger is Trigger.FAILURE and index[need.task] not in failing:
            yield need.task, f"it waits for a failure of '{need.task}', which cannot fail"
    successes = [need.task for need in task.needs if (need.trigger or task.trigger) is Trigger.SUCCESS]
    contradicting = [name for name in successes if index[name] in exclusive]
    looks_back, _ = looks_back_and_survives(task) if contradicting else (False, False)
    if not looks_back:  # else its condition decides what a failure means
        needed = {index[name] for name in successes}
        for name in contradicting:
            for first, its_name in exclusive[index[name]].items():
                if first in needed:
                    yield (
                        name,
                        f"'{name}' runs only if '{its_name}' fails, but this task needs both to succeed",
                    )


def _exclusive(dag: Dag, index: Mapping[str, int]) -> dict[int, dict[int, str]]:
    """For tasks that run only after a failure of a first task: these first tasks, with their ids. Variants are left out."""
    first = {i for i, task in enumerate(dag.tasks) if not task.needs and not _has_variants(task)}
    found: dict[int, dict[int, str]] = {}
    for i, task in enumerate(dag.tasks):
        for need in task.needs:
            if need.trigger is Trigger.FAILURE and index[need.task] in first and not _has_variants(task):
                found.setdefault(i, {})[index[need.task]] = need.task
    return found


def _failing(dag: Dag, needs: list[list[int]]) -> set[int]:
    """The tasks that can count as failed, and all that depend on these."""
    found = {i for i, task in enumerate(dag.tasks) if _can_fail(task, dag)}
    if any((dag.tasks[i].on_error or dag.on_error) is OnError.STOP_ALL for i in found):
        return set(range(len(dag.tasks)))  # a task that the stop cancels counts as failed
    dependents: list[list[int]] = [[] for _ in dag.tasks]
    for i, above in enumerate(needs):
        for dependency in above:
            dependents[dependency].append(i)
    pile = list(found)
    while pile:
        new = set(dependents[pile.pop()]) - found
        found |= new
        pile += new
    return found


def _can_fail(task: Task, dag: Dag) -> bool:
    """Whether a failure of the task is possible and not tolerated. A noop can fail while its expressions are evaluated."""
    texts = (task.for_each, task.condition, task.unless)
    values = (task.params, task.env, dag.env)
    return not task.continue_on_failure and (
        kind_of(task).can_fail
        or any(text is not None for text in texts)
        or any("${{" in repr(value) for value in values)
    )


def _constant_condition(task: Task) -> str:
    """The key of a condition that never lets the task run; empty if there is none."""
    for key, text, wanted in (("if", task.condition, True), ("unless", task.unless, False)):
        if text is not None and _constant(text) is (not wanted):
            return key
    return ""


def _constant(text: str) -> bool | None:
    """The value of a condition that reads nothing; None if it reads something, or has no value."""
    expression = expressions.condition(text)
    if expression.references or any(call.name in expressions.STATUS_FUNCTIONS for call in expression.calls):
        return None
    try:
        return expressions.truth(expression.evaluate(Scope({})))
    except EvaluationError:
        return None


def _asks_for_failure(task: Task) -> bool:
    """Whether the task needs a failure above it, and nothing else would do."""
    asks = task.condition is not None and task.condition.strip(" \t\n${}") == "failure()"
    return task.trigger is Trigger.FAILURE or (asks and task.unless is None)


def _has_variants(task: Task) -> bool:
    return task.matrix is not None or task.for_each is not None
