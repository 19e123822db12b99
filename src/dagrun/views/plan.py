"""What would run: the dry run, and the plan with waves, critical path and expected times."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from types import MappingProxyType
from typing import Final

from dagrun.core.graph import Graph, Node
from dagrun.core.hooks import name_of
from dagrun.core.model import Dependency, Task, Trigger
from dagrun.core.variants import base_id
from dagrun.core.work import Json
from dagrun.kinds import child_of, kind_of
from dagrun.views.estimate import Estimate
from dagrun.views.wording import clock, count, elided, plain, seconds

#: How many names of a path or a list are shown as text; JSON has them all.
_MAX_NAMES: Final = 20
#: The graphs of the DAGs that tasks run, and that the tasks of these run, by the name or path that is written.
ChildGraphs = Mapping[str, Graph]


def dry_run(graph: Graph, evaluated: Mapping[str, Json] | None = None) -> str:
    """The execution plan, in the order in which one worker would run it.

    `evaluated` are the values of parameters whose defaults are expressions.
    """
    lines = [
        f"DRY RUN: DAG '{graph.dag.name}'",
        f"Tenant: {graph.dag.tenant}",
        f"Tasks: {graph.task_count}",
        *(
            f"Parameter {name}: {json.dumps(value, ensure_ascii=False)}"
            for name, value in (evaluated or {}).items()
        ),
        "",
        "Execution Plan:",
    ]
    steps = []
    for number, i in enumerate(graph.order(), start=1):
        task = graph.nodes[i].task
        needs = ", ".join(need.task for need in task.needs) or "none"
        steps.append((task, f"  {number}. {task.id} ({_label(task)}, depends_on: {needs})"))
    return "\n".join([*lines, *_short(steps), *_hooks(graph)])


def _hooks(graph: Graph) -> list[str]:
    """A line for each hook."""
    if not graph.dag.hooks:
        return []
    return ["", "Hooks:", *(f"  {name_of(hook)} ({_label(hook.task)})" for hook in graph.dag.hooks)]


def _short(lines: Iterable[tuple[Task, str]]) -> Iterator[str]:
    """A line for each task; of the many variants of one task the first and the last."""
    for _, several in groupby(lines, key=lambda line: base_id(line[0].id)):
        yield from elided([line for _, line in several], _MAX_NAMES)


def as_json(plan: Estimate, children: ChildGraphs = MappingProxyType({})) -> dict[str, Json]:
    """The shape of `plan -o json` and of `run --dry-run -o json`. `children` are the graphs of child runs, by task."""
    graph = plan.graph
    ids = [node.task.id for node in graph.nodes]
    return {
        "dag": graph.dag.name,
        "tenant": graph.dag.tenant,
        "tasks": [
            {
                "id": node.task.id,
                "kind": node.task.kind,
                "depends_on": [need.task for need in node.task.needs],
                "trigger": str(node.task.trigger),
                "expected_seconds": plan.medians[node.index],
                "expected_skip": plan.skips.get(node.index),
                **_of_group(graph, node),
                **_of_child(node.task, children),
            }
            for node in graph.nodes
        ],
        "order": [ids[i] for i in graph.order()],
        "waves": [[ids[i] for i in wave] for wave in graph.waves()],
        "critical_path": [ids[i] for i in plan.critical_path],
        "expected_seconds": plan.expected,
        "max_parallel": plan.max_parallel,
        "history": {"runs": plan.runs, "unknown": plan.unknown},
        **_hooks_json(graph),
    }


def _hooks_json(graph: Graph) -> dict[str, Json]:
    """The field for hooks, if there are some."""
    hooks = [{"hook": name_of(hook), "kind": hook.task.kind} for hook in graph.dag.hooks]
    return {"hooks": hooks} if hooks else {}


def _of_group(graph: Graph, node: Node) -> dict[str, Json]:
    """The additional fields of a group and of a variant; the variants of a for_each are known only in the run."""
    if node.members is not None:
        found = [graph.nodes[i].variant for i in node.members]
        return {"variants": [dict(each.values) for each in found if each is not None]}
    if node.each is not None:
        return {"variants": None, "for_each": node.task.for_each}
    return {} if node.variant is None else {"group": graph.nodes[node.variant.group].task.id}


def _of_child(task: Task, children: ChildGraphs) -> dict[str, Json]:
    """The additional fields of a task that runs another DAG: that DAG, and its tasks as far as they are known."""
    named = child_of(task)
    if named is None:
        return {}
    graph = children.get(named)
    if graph is None:
        return {"dag": named}
    tasks = [
        {
            "id": each.id,
            "kind": each.kind,
            "depends_on": [need.task for need in each.needs],
            "trigger": str(each.trigger),
            **_of_child(each, children),
        }
        for each in graph.dag.tasks
    ]
    return {"dag": named, "tasks": tasks}


def as_text(plan: Estimate, now: float, children: ChildGraphs = MappingProxyType({})) -> str:
    """The plan for people; `now` is when the run would start. `children` are the graphs of child runs, by name."""
    graph, waves = plan.graph, plan.graph.waves()
    lines = [
        f"PLAN: DAG '{graph.dag.name}'",
        f"Tenant: {graph.dag.tenant}",
        f"Tasks: {graph.task_count} in {count(len(waves), 'wave')}, at most {plan.max_parallel} at once",
    ]
    for number, wave in enumerate(waves, start=1):
        together = f" ({len(wave)} in parallel)" if len(wave) > 1 else ""
        lines += ["", f"Wave {number}{together}:", *_short(_with_child(plan, i, children) for i in wave)]
    return "\n".join([*lines, *_hooks(graph), "", *_expectations(plan, now)])


def _with_child(plan: Estimate, i: int, children: ChildGraphs) -> tuple[Task, str]:
    """The line of a task; below it those of the DAG that it runs."""
    task, line = _task_line(plan, i)
    return task, "\n".join([line, *_child_lines(task, children, "    ")])


def _child_lines(task: Task, children: ChildGraphs, indent: str) -> Iterator[str]:
    graph = children.get(child_of(task) or "")
    if graph is None:
        return
    tasks = graph.dag.tasks
    for each in tasks[:_MAX_NAMES]:
        needs = ", ".join(_need(each, need) for need in each.needs) or "none"
        yield f"{indent}{each.id} ({plain(_label(each), 80)}, depends_on: {needs})"
        yield from _child_lines(each, children, indent + "  ")
    if len(tasks) > _MAX_NAMES:
        yield f"{indent}... and {count(len(tasks) - _MAX_NAMES, 'more task')}"


def _task_line(plan: Estimate, i: int) -> tuple[Task, str]:
    task = plan.graph.nodes[i].task
    needs = ", ".join(_need(task, need) for need in task.needs) or "none"
    label = plain(_label(task), 80)
    return task, f"  {task.id} ({label}, depends_on: {needs}){_task_expectation(plan, i)}"


def _label(task: Task) -> str:
    """What the task does, and for which list."""
    label = kind_of(task).label(task.action)
    if task.for_each is None:
        return label
    listed = task.for_each if isinstance(task.for_each, str) else count(len(task.for_each), "item")
    only = (
        "" if task.only_items is None else f", only {', '.join(f'[{number}]' for number in task.only_items)}"
    )
    return f"{label}, for_each: {listed}{only}"


def _need(task: Task, need: Dependency) -> str:
    """A dependency, with its trigger if it is not the default."""
    trigger = need.trigger or task.trigger
    return need.task if trigger is Trigger.SUCCESS else f"{need.task} [{trigger}]"


def _task_expectation(plan: Estimate, i: int) -> str:
    if i in plan.skips:
        return f": skipped when nothing fails ({plan.skips[i]})"
    usual = plan.medians[i]
    return "" if usual is None else f": {seconds(usual)}"


def _expectations(plan: Estimate, now: float) -> list[str]:
    names = [plan.graph.nodes[i].task.id for i in plan.critical_path]
    path = " -> ".join(elided(names, _MAX_NAMES)) or "nothing would run"
    if plan.expected is None:
        return [f"Critical path: {path} ({count(len(names), 'task')})", "Expected duration: no history yet"]
    unknown = plan.unknown
    at_least = "at least " if unknown else ""
    lines = [
        f"Critical path: {path} ({at_least}{seconds(plan.critical_seconds)})",
        f"Expected duration: {at_least}{seconds(plan.expected)}",
        f"Expected finish: {clock(now + plan.expected, now)}{' or later' if unknown else ''}, if it started now",
        f"Known from {count(plan.runs, 'earlier run')}: the median of each task's newest successes",
    ]
    if unknown:
        lines.append(f"Nothing is known of, and counted as no time: {', '.join(elided(unknown, _MAX_NAMES))}")
    return lines
