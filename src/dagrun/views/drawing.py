"""A graph as text for programs that draw: Mermaid, Graphviz, JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from dagrun.core.graph import Graph
from dagrun.core.model import Dependency, Task, Trigger
from dagrun.core.work import Json
from dagrun.views.wording import count, plain

#: Characters of a condition that a drawing shows.
_LONGEST: Final = 60


def mermaid(graph: Graph) -> str:
    """A Mermaid flowchart. Nodes are numbered because some names (`end`) are keywords of Mermaid."""
    lines = ["---", f"title: {json.dumps(graph.dag.name)}", "---", "flowchart TD"]
    numbers = {task.id: number for number, task in enumerate(graph.dag.tasks)}
    for task in graph.dag.tasks:
        label = "<br/>".join(_mermaid_text(line) for line in _label(graph, task))
        lines.append(f'    n{numbers[task.id]}["{label}"]')
    for task, need in _edges(graph):
        label = _edge_label(graph, task, need)
        arrow = f'-->|"{_mermaid_text(label)}"|' if label else "-->"
        lines.append(f"    n{numbers[_above(graph, need)]} {arrow} n{numbers[task.id]}")
    return "\n".join(lines)


def dot(graph: Graph) -> str:
    """A Graphviz digraph."""
    lines = [f"digraph {_dot_text(graph.dag.name)} {{", "    node [shape=box];"]
    for task in graph.dag.tasks:
        name, *notes = [_dot_text(line) for line in _label(graph, task)]
        shown = "\\n".join(text[1:-1] for text in (name, *notes))
        lines.append(f"    {name}" + (f' [label="{shown}"];' if notes else ";"))
    for task, need in _edges(graph):
        label = _edge_label(graph, task, need)
        shown = f" [label={_dot_text(label)}]" if label else ""
        lines.append(f"    {_dot_text(_above(graph, need))} -> {_dot_text(task.id)}{shown};")
    return "\n".join([*lines, "}"])


def as_json(graph: Graph) -> str:
    """Nodes and edges as JSON on one line."""
    shape: Json = {
        "dag": graph.dag.name,
        "nodes": [
            {"id": task.id, "kind": task.kind, "trigger": str(task.trigger)}
            | dict(_conditions(task))
            | ({} if task.matrix is None else {"variants": _variants(graph, task)})
            for task in graph.dag.tasks
        ],
        "edges": [
            {"from": _above(graph, need), "to": task.id, "trigger": str(need.trigger or task.trigger)}
            for task, need in _edges(graph)
        ],
    }
    return json.dumps(shape, ensure_ascii=False)


#: The formats of `plan --graph`.
FORMS: Final[Mapping[str, Callable[[Graph], str]]] = {"mermaid": mermaid, "dot": dot, "json": as_json}


def _edges(graph: Graph) -> Iterator[tuple[Task, Dependency]]:
    return ((task, need) for task in graph.dag.tasks for need in task.needs)


def _above(graph: Graph, need: Dependency) -> str:
    """The task from which an edge is drawn: the group if the dependency is a variant."""
    variant = graph.nodes[graph.index[need.task]].variant
    return need.task if variant is None else graph.nodes[variant.group].task.id


def _edge_label(graph: Graph, task: Task, need: Dependency) -> str:
    """The variant that the edge depends on, if it is one, and the trigger, if it is not the default."""
    trigger = need.trigger or task.trigger
    which = need.task.removeprefix(_above(graph, need))
    return f"{which} {'' if trigger is Trigger.SUCCESS else trigger}".strip()


def _variants(graph: Graph, task: Task) -> int:
    return len(graph.nodes[graph.index[task.id]].members or ())


def _label(graph: Graph, task: Task) -> list[str]:
    """The lines of a node: the id of the task, the number of its variants, its conditions."""
    several = [] if task.matrix is None else [count(_variants(graph, task), "variant")]
    if task.for_each is not None:
        written = task.for_each if isinstance(task.for_each, list | tuple) else None
        several.append(
            "for each of a list" if written is None else f"for each of {count(len(written), 'item')}"
        )
    notes = [f"{word}: {plain(text, _LONGEST)}" for word, text in _conditions(task)]
    return [task.id, *several, *notes, *(["only if changed"] if task.only_if_changed else [])]


def _conditions(task: Task) -> list[tuple[str, str]]:
    both = (("if", task.condition), ("unless", task.unless))
    return [(word, text) for word, text in both if text is not None]


def _mermaid_text(text: str) -> str:
    """Text in which every character with a meaning in Mermaid, Markdown or HTML is written as its number."""
    return "".join(
        char if char.isascii() and (char.isalnum() or char in " _.,:-=") else f"#{ord(char)};"
        for char in text
    )


def _dot_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
