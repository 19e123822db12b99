"""A graph as text for other programs to draw: Mermaid, Graphviz, JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from dagrun.graph import Graph
from dagrun.model import Need, Task, Trigger
from dagrun.views.wording import plain
from dagrun.work import Json

#: Characters of a condition that a drawing shows.
_LONGEST: Final = 60


def mermaid(graph: Graph) -> str:
    """A Mermaid flowchart. Nodes have numbers, since Mermaid takes some names (`end`) for words of its own."""
    lines = ["---", f"title: {json.dumps(graph.dag.name)}", "---", "flowchart TD"]
    for node in graph.nodes:
        label = "<br/>".join(_mermaid_text(line) for line in _label(node.task))
        lines.append(f'    n{node.index}["{label}"]')
    for task, need in _edges(graph):
        label = _edge_label(task, need)
        arrow = f'-->|"{_mermaid_text(label)}"|' if label else "-->"
        lines.append(f"    n{graph.index[need.task]} {arrow} n{graph.index[task.id]}")
    return "\n".join(lines)


def dot(graph: Graph) -> str:
    """A Graphviz digraph."""
    lines = [f"digraph {_dot_text(graph.dag.name)} {{", "    node [shape=box];"]
    for node in graph.nodes:
        name, *notes = [_dot_text(line) for line in _label(node.task)]
        shown = "\\n".join(text[1:-1] for text in (name, *notes))
        lines.append(f"    {name}" + (f' [label="{shown}"];' if notes else ";"))
    for task, need in _edges(graph):
        label = _edge_label(task, need)
        shown = f" [label={_dot_text(label)}]" if label else ""
        lines.append(f"    {_dot_text(need.task)} -> {_dot_text(task.id)}{shown};")
    return "\n".join([*lines, "}"])


def as_json(graph: Graph) -> str:
    """Nodes and edges on one line, for programs that draw for themselves."""
    shape: Json = {
        "dag": graph.dag.name,
        "nodes": [
            {"id": node.task.id, "kind": node.task.kind, "trigger": str(node.task.trigger)}
            | dict(_conditions(node.task))
            for node in graph.nodes
        ],
        "edges": [
            {"from": need.task, "to": task.id, "trigger": str(need.trigger or task.trigger)}
            for task, need in _edges(graph)
        ],
    }
    return json.dumps(shape, ensure_ascii=False)


#: The forms that `plan --graph` knows.
FORMS: Final[Mapping[str, Callable[[Graph], str]]] = {"mermaid": mermaid, "dot": dot, "json": as_json}


def _edges(graph: Graph) -> Iterator[tuple[Task, Need]]:
    for node in graph.nodes:
        for need in node.task.needs:
            yield node.task, need


def _edge_label(task: Task, need: Need) -> str:
    """What the edge asks of the dependency's end, unless it is what every edge asks."""
    trigger = need.trigger or task.trigger
    return "" if trigger is Trigger.SUCCESS else str(trigger)


def _label(task: Task) -> list[str]:
    """The task's name and, below it, what it asks besides its edges."""
    notes = [f"{word}: {plain(text, _LONGEST)}" for word, text in _conditions(task)]
    return [task.id, *notes, *(["only if changed"] if task.only_if_changed else [])]


def _conditions(task: Task) -> list[tuple[str, str]]:
    both = (("if", task.condition), ("unless", task.unless))
    return [(word, text) for word, text in both if text is not None]


def _mermaid_text(text: str) -> str:
    """Everything that Mermaid, Markdown or HTML might see a meaning in is written by its number."""
    return "".join(
        char if char.isascii() and (char.isalnum() or char in " _.,:-=") else f"#{ord(char)};"
        for char in text
    )


def _dot_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
