"""A part of a DAG as a DAG: what `--only`, `--from` and `--until` select."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, Final

from dagrun.core.model import Dag, Matrix, Task, Trigger
from dagrun.core.variants import MAX_VARIANTS, base_id, meant, there_is, variant_id, variants
from dagrun.errors import NotFoundError, UsageError
from dagrun.language import expressions
from dagrun.value import Value, replace


class Selection(Value):
    """Tasks and variants by name: only these; these and all below them; these and all above them.

    Where several are given, a task must be in all of them.
    """

    only: Sequence[str] = ()
    start: Sequence[str] = ()
    until: Sequence[str] = ()

    def split(self) -> tuple[Selection, Mapping[str, Selection]]:
        """The selection among the tasks of a run, and those within the child runs of its tasks: `task/task` is in one.

        A task that is named itself is selected whole.
        """
        own: dict[str, tuple[str, ...]] = {}
        inner: dict[str, dict[str, tuple[str, ...]]] = {}
        names = {"only": self.only, "start": self.start, "until": self.until}
        whole = {name for each in names.values() for name in each if "/" not in name}
        for key, each in names.items():
            own[key] = tuple(dict.fromkeys(name.partition("/")[0] for name in each))
            for name in each:
                task, _, rest = name.partition("/")
                if rest and task not in whole:
                    found = inner.setdefault(task, {})
                    found[key] = (*found.get(key, ()), rest)
        return Selection(**own), {task: Selection(**found) for task, found in inner.items()}


EVERYTHING = Selection()

#: The end of the name that represents all items of a for_each that are not named.
REST: Final = "[*]"


def select(dag: Dag, selection: Selection) -> Dag:
    """The selected tasks, without dependencies on others. Raises NotFoundError, and UsageError when nothing is left."""
    return dag if selection == EVERYTHING else part(dag, chosen(dag, selection))


def chosen(dag: Dag, selection: Selection, items: Mapping[str, Sequence[str]] | None = None) -> Set[str]:
    """The ids of the selected tasks and of their variants. Raises NotFoundError, and UsageError when there is none.

    `items` are the variants that each for_each had in an earlier run.
    """
    named = (*selection.only, *selection.start, *selection.until)
    several = {
        task.id: variants_of(task, named)
        if items is None or task.for_each is None
        else items.get(task.id, ())
        for task in dag.tasks
    }
    above = {task.id: [need.task for need in task.needs] for task in dag.tasks}
    for task_id, found in several.items():
        if found:
            above |= dict.fromkeys(found, above[task_id])
            above[task_id] = list(found)
    for name in named:
        if name not in above or name == base_id(name) + REST:
            raise _not_found(dag, name, several)

    def with_variants(names: Iterable[str]) -> set[str]:
        return {each for name in names for each in (name, *several.get(name, ()))}

    left = set(above)
    if selection.only:
        left &= with_variants(selection.only)
    if selection.start:
        left &= _reach(with_variants(selection.start), _turned(above))
    if selection.until:
        left &= _reach(selection.until, above)
    if not left:
        raise UsageError("--only, --from and --until leave no task to run")
    return left


def names(dag: Dag, named: Iterable[str] = ()) -> set[str]:
    """The ids of all tasks and, as far as they are known, of their variants."""
    return {name for task in dag.tasks for name in (task.id, *variants_of(task, named))}


def variants_of(task: Task, named: Iterable[str]) -> Sequence[str]:
    """The ids of the variants of a task; of a for_each those that are `named`, and one for the rest."""
    if task.matrix is not None:
        return [variant_id(task.id, key) for key in variants(task.matrix)]
    if task.for_each is None:
        return ()
    if task.only_items is not None:
        return [variant_id(task.id, str(number)) for number in task.only_items]
    most = len(task.for_each) if isinstance(task.for_each, tuple) else MAX_VARIANTS
    numbers = {int(number) for name in named if (number := _number(task.id, name))}
    return [
        *(variant_id(task.id, str(number)) for number in sorted(numbers) if number < most),
        task.id + REST,
    ]


def _number(task_id: str, name: str) -> str:
    """The number in the id of a variant of a for_each; empty if it is no such id."""
    match = re.fullmatch(re.escape(task_id) + r"\[(0|[1-9][0-9]{0,8})\]", name, re.ASCII)
    return match[1] if match else ""


def _not_found(dag: Dag, name: str, several: Mapping[str, Sequence[str]]) -> NotFoundError:
    base = base_id(name)
    task = next((task for task in dag.tasks if task.id == base), None)
    if task is None or name == base:
        known = [*several, *(each for found in several.values() for each in found)]
        return NotFoundError("task", name, known, hint=f"DAG '{dag.name}' has: {', '.join([*several][:10])}")
    return NotFoundError("task", name, hint=which(task, name, several[base]))


def which(task: Task, name: str, found: Sequence[str]) -> str:
    """A hint for the name of a variant that the task does not have; it has those that were `found`."""
    siblings = [each for each in found if each != task.id + REST]
    if task.matrix is None and task.for_each is None:
        return f"'{task.id}' has no variants: name it alone"
    if task.matrix is None and len(siblings) < len(found):
        return f"its variants are called '{task.id}[0]', '{task.id}[1]' and so on"
    if not siblings:
        return f"'{task.id}' has no variants: its list is empty, or not known yet"
    if task.matrix is not None:
        return meant(name, siblings)
    in_a_row = siblings[1:] and siblings[-1] == variant_id(task.id, str(len(siblings) - 1))
    return f"there is '{siblings[0]}' to '{siblings[-1]}'" if in_a_row else there_is(siblings)


def part(dag: Dag, chosen: Set[str], running: Set[str] | None = None) -> Dag:
    """A DAG with only the chosen tasks. Raises UsageError when one of them reads a task that is left out.

    It has the variants that are chosen, or all variants of a task if none of them is. A task that loses all its
    dependencies was selected by name: it runs whatever their outcome was. Outputs of the run that read a task that is
    left out are left out too. Only tasks that are `running` read anything; None: all tasks run.
    """
    choice = _Choice(chosen)
    tasks = tuple(
        choice.without_others(choice.restricted(task)) for task in dag.tasks if task.id in choice.tasks
    )
    if tasks == dag.tasks:
        return dag
    problems = [
        f"task '{task.id}' reads tasks.{name}, which is not part of this run"
        for task in tasks
        if running is None or task.id in running
        for name in sorted(_read_by_task(task))
        if name not in choice
    ]
    if problems:
        raise UsageError("\n".join(problems), hint="choose more tasks with --only, --from or --until")
    outputs = {
        name: value for name, value in dag.outputs.items() if all(each in choice for each in _read_by(value))
    }
    return replace(dag, tasks=tasks, outputs=outputs)


class _Choice:
    """The chosen tasks, and the chosen variants of tasks of which not all variants are chosen."""

    def __init__(self, chosen: Set[str]) -> None:
        self.tasks = frozenset(map(base_id, chosen))
        self.variants: dict[str, set[str]] = {}
        for name in chosen - self.tasks:
            self.variants.setdefault(base_id(name), set()).add(name)

    def __contains__(self, name: str) -> bool:
        base = base_id(name)
        return base in self.tasks and (name == base or name in self.variants.get(base, (name,)))

    def restricted(self, task: Task) -> Task:
        """The task with only its chosen variants."""
        chosen = self.variants.get(task.id)
        if not chosen or task.id + REST in chosen:
            return task
        if task.matrix is not None:
            every = variants(task.matrix)
            left = tuple(values for key, values in every.items() if variant_id(task.id, key) in chosen)
            return task if len(left) == len(every) else replace(task, matrix=Matrix(axes={}, include=left))
        numbers = tuple(sorted(int(_number(task.id, name)) for name in chosen))
        return task if numbers == task.only_items else replace(task, only_items=numbers)

    def without_others(self, task: Task) -> Task:
        """The task without references to tasks that are not chosen."""
        parallel = tuple(name for name in task.parallel_with if name in self)
        if len(parallel) < len(task.parallel_with):
            task = replace(task, parallel_with=parallel)
        needs = tuple(need for need in task.needs if need.task in self)
        if needs or not task.needs:
            return task if len(needs) == len(task.needs) else replace(task, needs=needs)
        return replace(task, needs=(), trigger=Trigger.SUCCESS, only_if_changed=False)


def _read_by_task(task: Task) -> set[str]:
    texts = [text.parts for text in task.action.texts()]
    found = _read_by([task.params, task.env, task.artifacts, texts, task.for_each])
    for text in (task.condition, task.unless):
        if text is not None:
            found |= _named(expressions.condition(text))
    return found


def _read_by(value: Any) -> set[str]:
    """The tasks that the templates in a value read."""
    if isinstance(value, str):
        holes = expressions.template(value).placeholders if "${{" in value else ()
        return {name for hole in holes for name in _named(hole.expression)}
    if isinstance(value, Mapping):
        return _read_by(list(value.values()))
    return {name for item in value for name in _read_by(item)} if isinstance(value, list | tuple) else set()


def _named(expression: expressions.Expression) -> set[str]:
    found = {
        str(ref.path[0]) for ref in expression.references if ref.root in expressions.TASK_ROOTS and ref.path
    }
    return found | {str(call.arguments[0]) for call in expression.calls if call.name == "changed"}


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
