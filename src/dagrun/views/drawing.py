"""A graph as text for programs that draw: Mermaid, Graphviz, JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from dagrun.core.graph import Graph
from dagrun.core.model import Dependency, Task, Trigger
from dagrun.core.work import Json
from dagrun.kinds import child_of
from dagrun.views.wording import count, plain

#: The graphs of the DAGs that tasks run, by the name or path that is written.
ChildGraphs = Mapping[str, Graph]
_NONE: Final[ChildGraphs] = MappingProxyType({})
#: Characters of a condition that a drawing shows.
_LONGEST: Final = 60


def mermaid(graph: Graph, children: ChildGraphs = _NONE) -> str:
    """A Mermaid flowchart. Nodes are numbered because some names (`end`) are keywords of Mermaid."""
    head = ["---", f"title: {json.dumps(graph.dag.name)}", "---", "flowchart TD"]
    return "\n".join([*head, *_mermaid_nodes(graph, children, "n", "    ")])


def _mermaid_nodes(graph: Graph, children: ChildGraphs, prefix: str, indent: str) -> Iterator[str]:
    """The nodes and edges of one graph; a task that runs another DAG is in a box with the nodes of that."""
    names = {task.id: f"{prefix}{number}" for number, task in enumerate(graph.dag.tasks)}
    for task in graph.dag.tasks:
        name, label = names[task.id], "<br/>".join(_mermaid_text(line) for line in _label(graph, task))
        below = _child_graph(task, children)
        if below is None:
            yield f'{indent}{name}["{label}"]'
            continue
        yield f'{indent}subgraph {name}_run["{_mermaid_text(below.dag.name)}"]'
        yield f'{indent}    {name}["{label}"]'
        yield from _mermaid_nodes(below, children, f"{name}_", indent + "    ")
        yield f"{indent}end"
    for task, need in _edges(graph):
        label = _edge_label(graph, task, need)
        arrow = f'-->|"{_mermaid_text(label)}"|' if label else "-->"
        yield f"{indent}{names[_above(graph, need)]} {arrow} {names[task.id]}"


def dot(graph: Graph, children: ChildGraphs = _NONE) -> str:
    """A Graphviz digraph."""
    lines = [f"digraph {_dot_text(graph.dag.name)} {{", "    node [shape=box];"]
    return "\n".join([*lines, *_dot_nodes(graph, children, "", "    "), "}"])


def _dot_nodes(graph: Graph, children: ChildGraphs, prefix: str, indent: str) -> Iterator[str]:
    """The same for Graphviz. The names of nodes of child runs are `task/task`."""
    for task in graph.dag.tasks:
        name, *notes = [_dot_text(line) for line in _label(graph, task)]
        notes = [name, *notes] if notes or prefix else []
        shown = "\\n".join(text[1:-1] for text in notes)
        node = _dot_text(prefix + task.id) + (f' [label="{shown}"];' if notes else ";")
        below = _child_graph(task, children)
        if below is None:
            yield f"{indent}{node}"
            continue
        yield f"{indent}subgraph {_dot_text(f'cluster_{prefix}{task.id}')} {{"
        yield f"{indent}    label={_dot_text(below.dag.name)};"
        yield f"{indent}    {node}"
        yield from _dot_nodes(below, children, f"{prefix}{task.id}/", indent + "    ")
        yield f"{indent}}}"
    for task, need in _edges(graph):
        label = _edge_label(graph, task, need)
        shown = f" [label={_dot_text(label)}]" if label else ""
        yield f"{indent}{_dot_text(prefix + _above(graph, need))} -> {_dot_text(prefix + task.id)}{shown};"


def as_json(graph: Graph, children: ChildGraphs = _NONE) -> str:
    """Nodes and edges as JSON on one line."""
    return json.dumps({"dag": graph.dag.name, **_shape(graph, children)}, ensure_ascii=False)


def _shape(graph: Graph, children: ChildGraphs) -> dict[str, Json]:
    """The nodes and edges of one graph; a task that runs another DAG has its name, and that graph if it is known."""
    return {
        "nodes": [
            {"id": task.id, "kind": task.kind, "trigger": str(task.trigger)}
            | dict(_conditions(task))
            | ({} if task.matrix is None else {"variants": _variants(graph, task)})
            | ({} if child_of(task) is None else {"dag": child_of(task)})
            | ({} if (below := _child_graph(task, children)) is None else _shape(below, children))
            for task in graph.dag.tasks
        ],
        "edges": [
            {"from": _above(graph, need), "to": task.id, "trigger": str(need.trigger or task.trigger)}
            for task, need in _edges(graph)
        ],
    }


def _child_graph(task: Task, children: ChildGraphs) -> Graph | None:
    named = child_of(task)
    return None if named is None else children.get(named)


#: The formats of `plan --graph`.
FORMS: Final[Mapping[str, Callable[[Graph, ChildGraphs], str]]] = {
    "mermaid": mermaid,
    "dot": dot,
    "json": as_json,
}


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
