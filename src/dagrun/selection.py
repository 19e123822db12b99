"""A part of a DAG as a DAG: what `--only`, `--from` and `--until` choose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from dagrun import expressions
from dagrun.errors import NotFoundError, UsageError
from dagrun.model import ContainerAction, Dag, ShellAction, Task, Trigger
from dagrun.variants import base_id


@dataclass(frozen=True, slots=True)
class Selection:
    """Tasks by name: these alone; these and all below them; these and all above them. Several kinds must all agree."""

    only: Sequence[str] = ()
    start: Sequence[str] = ()
    until: Sequence[str] = ()


EVERYTHING = Selection()


def select(dag: Dag, selection: Selection) -> Dag:
    """The chosen tasks; dependencies on others are left out. Raises NotFoundError, UsageError when nothing is left."""
    return part(dag, chosen(dag, selection))


def chosen(dag: Dag, selection: Selection) -> Set[str]:
    """The ids of the chosen tasks. Raises NotFoundError, UsageError when there is none."""
    above = {task.id: [base_id(need.task) for need in task.needs] for task in dag.tasks}
    for name in (*selection.only, *selection.start, *selection.until):
        if name != base_id(name) and base_id(name) in above:
            raise UsageError(
                f"'{name}' is one variant: only whole tasks can be chosen", hint=f"name '{base_id(name)}'"
            )
        if name not in above:
            raise NotFoundError("task", name, above, hint=f"DAG '{dag.name}' has: {', '.join([*above][:10])}")
    found = set(above)
    if selection.only:
        found &= set(selection.only)
    if selection.start:
        found &= _reach(selection.start, _turned(above))
    if selection.until:
        found &= _reach(selection.until, above)
    if not found:
        raise UsageError("--only, --from and --until leave no task to run")
    return found


def part(dag: Dag, chosen: Set[str]) -> Dag:
    """A DAG of the chosen tasks alone. Raises UsageError when one of them reads a task that is left out.

    A task that loses every dependency was asked for by name: it runs, whatever its dependencies would have said.
    Outputs of the run that read a task that is left out are left out too.
    """
    if len(chosen) == len(dag.tasks):
        return dag
    tasks = [_alone(task, chosen) for task in dag.tasks if task.id in chosen]
    problems = [
        f"task '{task.id}' reads tasks.{name}, which is not part of this run"
        for task in tasks
        for name in sorted(_read_by_task(task) - chosen)
    ]
    if problems:
        raise UsageError("\n".join(problems), hint="choose more tasks with --only, --from or --until")
    outputs = {name: value for name, value in dag.outputs.items() if _read_by(value) <= chosen}
    return replace(dag, tasks=tuple(tasks), outputs=outputs)


def _alone(task: Task, chosen: Set[str]) -> Task:
    needs = tuple(need for need in task.needs if base_id(need.task) in chosen)
    if needs or not task.needs:
        return replace(task, needs=needs)
    return replace(task, needs=(), trigger=Trigger.SUCCESS, only_if_changed=False)


def _read_by_task(task: Task) -> set[str]:
    action = task.action
    commands = action.commands if isinstance(action, ShellAction | ContainerAction) else ()
    image = action.image if isinstance(action, ContainerAction) else ""
    found = _read_by([task.params, task.env, task.artifacts, commands, image, task.for_each])
    for text in (task.condition, task.unless):
        if text is not None:
            found |= _named(expressions.condition(text))
    return found


def _read_by(value: Any) -> set[str]:
    """The tasks that the templates in a value read."""
    if isinstance(value, str):
        holes = expressions.template(value).holes if "${{" in value else ()
        return {name for hole in holes for name in _named(hole.expression)}
    if isinstance(value, Mapping):
        return _read_by(list(value.values()))
    return {name for item in value for name in _read_by(item)} if isinstance(value, list | tuple) else set()


def _named(expression: expressions.Expression) -> set[str]:
    found = {
        str(ref.path[0]) for ref in expression.references if ref.root in expressions.TASK_ROOTS and ref.path
    }
    found |= {str(call.arguments[0]) for call in expression.calls if call.name == "changed"}
    return set(map(base_id, found))


def _reach(starts: Iterable[str], edges: Mapping[str, Sequence[str]]) -> set[str]:
    found = set(starts)
    pile = list(found)
    while pile:
        for name in edges[pile.pop()]:
            if name not in found:
                found.add(name)
                pile.append(name)
    return found


def _turned(edges: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    turned: dict[str, list[str]] = {name: [] for name in edges}
    for name, targets in edges.items():
        for target in targets:
            turned[target].append(name)
    return turned
