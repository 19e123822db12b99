"""What the tests of views share: earlier runs with known durations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dagrun.core.graph import Graph
from dagrun.core.work import AttemptResult
from dagrun.testing import dag, scenario
from dagrun.views.estimate import Estimate, History, estimate


def took(seconds: float) -> Callable[[Any], AttemptResult]:
    """A body that takes so long."""
    return lambda _: AttemptResult(duration=seconds, outputs={})


def planned(text: str, *runs: dict[str, float], max_parallel: int = 8) -> Estimate:
    """What is expected of a DAG after earlier runs, newest first, in which its tasks took so long."""
    graph = Graph.compile(dag(text))
    history = History(graph)
    for durations in runs:
        bodies = {task_id: took(seconds) for task_id, seconds in durations.items()}
        history.add(scenario(text, bodies).events())
    return estimate(graph, history, max_parallel)
