"""Warnings for tasks that can never start, for the reasons that people run into.

This is not a second implementation of the rules of a run: a reported task never starts, but many tasks that never start are
not reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from dagrun.core.graph import looks_back_and_survives
from dagrun.core.model import Dag, Dependency, OnError, Task, Trigger
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
    conditions = (task.condition, task.unless)
    return (
        task.trigger is Trigger.FAILURE
        or task.only_if_changed
        or any(each is not None for each in conditions)
        or any(need.trigger is Trigger.FAILURE for need in task.needs)
    )


def never_starting(dag: Dag, locations: Locations) -> dict[int, tuple[Path, str]]:
    """The tasks that can never start, by index: the location of the reason, and the reason."""
    index = {task.id: i for i, task in enumerate(dag.tasks)} | variant_ids(dag.tasks)
    failing = _failing(dag)
    below = _below(dag, index, failing)
    found: dict[int, tuple[Path, str]] = {}
    for i, task in enumerate(dag.tasks):
        if constant := _constant_condition(task):
            found[i] = (
                (*locations.task(i), constant),
                f"'{constant}' is always {str(constant != 'if').lower()}",
            )
        elif task.only_if_changed and not task.needs:
            path = (*locations.task(i), "only_if_changed")
            found[i] = path, "it waits for a change, but it has no dependency"
        elif _asks_for_failure(task) and i not in below:
            why = "no task above it can fail" if task.needs else "it has no dependency"
            path = locations.trigger(i) if task.trigger is Trigger.FAILURE else (*locations.task(i), "if")
            found[i] = path, f"it runs after a failure, but {why}"
        else:
            for need, why in _useless_edges(dag, index, failing | below, task):
                found.setdefault(i, (locations.edge(i, need), why))
    return found


def _useless_edges(
    dag: Dag, index: dict[str, int], may_count_as_failed: set[int], task: Task
) -> Iterator[tuple[str, str]]:
    """The dependencies that can never be satisfied, and why."""
    for need in task.needs:
        if need.trigger is Trigger.FAILURE and index[need.task] not in may_count_as_failed:
            yield need.task, f"it waits for a failure of '{need.task}', which cannot fail"
    if looks_back_and_survives(task)[0]:  # its condition decides what a failure means
        return
    good = {index[need.task] for need in task.needs if _needs_success(task, need)}
    for need in task.needs:
        dependency = dag.tasks[index[need.task]]
        if index[need.task] not in good or _has_variants(dependency):
            continue
        for further in dependency.needs:
            first = dag.tasks[index[further.task]]
            contradicts = further.trigger is Trigger.FAILURE and index[further.task] in good
            if contradicts and not first.needs and not _has_variants(first):
                why = (
                    f"'{need.task}' runs only if '{further.task}' fails, but this task needs both to succeed"
                )
                yield need.task, why


def _failing(dag: Dag) -> set[int]:
    """The tasks that can count as failed: by themselves, or cancelled when another task stops the run."""
    alone = {i for i, task in enumerate(dag.tasks) if _can_fail(task, dag)}
    if any((dag.tasks[i].on_error or dag.on_error) is OnError.STOP_ALL for i in alone):
        alone |= {i for i, task in enumerate(dag.tasks) if kind_of(task).can_fail}
    return alone


def _can_fail(task: Task, dag: Dag) -> bool:
    """Whether a failure of the task is possible and not tolerated. A noop can fail while its expressions are evaluated."""
    if task.continue_on_failure:
        return False
    if kind_of(task).can_fail or any(
        each is not None for each in (task.for_each, task.condition, task.unless)
    ):
        return True
    return any("${{" in repr(part) for part in (task.params, task.env, dag.env))


def _below(dag: Dag, index: dict[str, int], tasks: set[int]) -> set[int]:
    """All tasks that depend on these, directly or not."""
    dependents: list[list[int]] = [[] for _ in dag.tasks]
    for i, task in enumerate(dag.tasks):
        for need in task.needs:
            dependents[index[need.task]].append(i)
    found = set[int]()
    pile = list(tasks)
    while pile:
        new = set(dependents[pile.pop()]) - found
        found |= new
        pile += new
    return found


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


def _needs_success(task: Task, need: Dependency) -> bool:
    return (need.trigger or task.trigger) is Trigger.SUCCESS


def _has_variants(task: Task) -> bool:
    return task.matrix is not None or task.for_each is not None
