"""What would run, without running it: the dry run's text and shape."""

from __future__ import annotations

from dagrun.graph import Graph
from dagrun.kinds import kind_of
from dagrun.work import Json


def dry_run(graph: Graph) -> str:
    """The execution plan, in the order in which one worker would run it (CONTRACT 6)."""
    lines = [
        f"DRY RUN: DAG '{graph.dag.name}'",
        f"Tenant: {graph.dag.tenant}",
        f"Tasks: {len(graph.nodes)}",
        "",
        "Execution Plan:",
    ]
    for number, i in enumerate(graph.order(), start=1):
        task = graph.nodes[i].task
        label = kind_of(task).label(task.action)
        lines.append(
            f"  {number}. {task.id} ({label}, depends_on: {', '.join(need.task for need in task.needs) or 'none'})"
        )
    return "\n".join(lines)


def dry_run_json(graph: Graph) -> dict[str, Json]:
    """The same for scripts."""
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
            }
            for node in graph.nodes
        ],
        "order": [ids[i] for i in graph.order()],
        "waves": [[ids[i] for i in wave] for wave in graph.waves()],
    }
