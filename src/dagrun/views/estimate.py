"""How long a run will probably take: a simulation by the rules of a run, with the durations of earlier runs."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

from dagrun.core.completion import group_end
from dagrun.core.decide import decide
from dagrun.core.decisions import EndGroup, EvaluateCondition, Expand, Skip, Start
from dagrun.core.events import DagResume, DagStart, Event, TaskExpand, TaskOk, TaskSkip, TaskStart
from dagrun.core.graph import Graph, Node
from dagrun.core.outcomes import Outcome, Status
from dagrun.core.state import RunState
from dagrun.core.work import Json
from dagrun.documents.parameters import is_deferred
from dagrun.language import expressions
from dagrun.language.expressions import EvaluationError, Scope
from dagrun.value import Value

#: The expected duration of a task is the median of its newest successes, at most this many.
MAX_SUCCESSES: Final = 20


class History:
    """The recent durations of the tasks of a DAG. Runs are added newest first; the newest successes of a task are kept."""

    def __init__(self, graph: Graph) -> None:
        #: The number of runs in which a task succeeded.
        self.runs = 0
        self._durations: dict[str, list[float]] = {node.task.id: [] for node in graph.nodes}
        self._incomplete = len(self._durations)

    def add(self, events: Sequence[Event]) -> None:
        """Add the events of the next older run of this DAG."""
        found, is_complete = False, not any(map(_makes_partial, events))
        for event in reversed(events):
            if not isinstance(event, TaskOk) or event.reused_from is not None:
                continue
            if event.summary is not None and not is_complete:  # some variants may not have run
                continue
            if (kept := self._durations.get(event.task_id)) is not None:
                found = True
                if len(kept) < MAX_SUCCESSES:
                    kept.append(event.duration_seconds)
                    self._incomplete -= len(kept) == MAX_SUCCESSES
        self.runs += found

    @property
    def is_enough(self) -> bool:
        """Whether nothing of an older run would be kept."""
        return self._incomplete == 0

    def median(self, task_id: str) -> float | None:
        """The usual duration of the task in seconds; None if it never succeeded."""
        durations = self._durations[task_id]
        return round(median(durations), 3) if durations else None


def _makes_partial(event: Event) -> bool:
    """Whether the event shows that the run, or a stretch of it, covered only a part of the DAG."""
    match event:
        case DagStart():
            return bool(event.partial)
        case TaskOk():
            return event.reused_from is not None
    return isinstance(event, DagResume)


class Estimate(Value, kw_only=True):
    """The estimate for a run in which nothing fails. Durations in seconds, tasks by index."""

    graph: Graph
    max_parallel: int
    #: The number of earlier runs that it is based on; 0: there is no history.
    runs: int
    #: The usual duration of each task; None if it is not known.
    medians: tuple[float | None, ...]
    #: The tasks that would not run when nothing fails, with the reason.
    skips: Mapping[int, str]
    #: The longest path through the graph: by known durations, then by number of tasks.
    critical_path: tuple[int, ...]
    #: From the first start to the last end; None without history, too short if `unknown` names tasks.
    expected: float | None

    @property
    def critical_seconds(self) -> float:
        """The duration of the critical path, as far as it is known."""
        return round(sum(self.medians[i] or 0.0 for i in self.critical_path), 3)

    @property
    def unknown(self) -> list[str]:
        """The tasks that would run but whose duration is not known; they count as zero seconds."""
        return [
            node.task.id
            for node in self.graph.nodes
            if self.medians[node.index] is None and node.index not in self.skips and node.members is None
        ]


def estimate(
    graph: Graph, history: History, max_parallel: int, params: Mapping[str, Json] | None = None
) -> Estimate:
    """Simulate a run in which every task succeeds and takes its usual time. Costs O((tasks + edges) log tasks).

    A for_each, whose list is not known, is one task that takes as long as its whole group usually does.
    """
    medians = tuple(history.median(node.task.id) for node in graph.nodes)
    end, skips = _simulate(
        graph, [each or 0.0 for each in medians], max_parallel, _known_params(graph, params)
    )
    groups = {node.index for node in graph.nodes if node.members is not None}
    idle = skips.keys() | groups
    weights = [(0.0, 0) if i in idle else (each or 0.0, 1) for i, each in enumerate(medians)]
    return Estimate(
        graph=graph,
        max_parallel=max_parallel,
        runs=history.runs,
        medians=medians,
        skips=skips,
        critical_path=tuple(i for i in longest_path(graph, weights) if i not in idle),
        expected=round(end, 3) if history.runs else None,
    )


def longest_path(graph: Graph, weights: Sequence[tuple[float, int]]) -> list[int]:
    """The path of the greatest weight, from a root to its end; of equal ones the first in the file."""
    best = list(weights)
    before: list[int | None] = [None] * len(best)
    for i in graph.walk():
        longest = max(graph.nodes[i].needs, key=lambda dep: best[dep], default=None)
        if longest is not None:
            before[i] = longest
            best[i] = (weights[i][0] + best[longest][0], weights[i][1] + best[longest][1])
    path: list[int] = []
    at: int | None = max(range(len(best)), key=lambda i: best[i])
    while at is not None:
        path.append(at)
        at = before[at]
    return path[::-1]


def _simulate(
    graph: Graph, durations: Sequence[float], max_parallel: int, params: Mapping[str, Json]
) -> tuple[float, dict[int, str]]:
    """Drive a state with a clock that jumps from one end to the next. Returns the last end, and which tasks were skipped."""
    state = RunState(graph)
    start = DagStart(
        timestamp=0.0, task_count=len(durations), dag_path="", dag_hash="", max_parallel=max_parallel
    )
    state.apply(start)
    now, ends = 0.0, list[tuple[float, int]]()
    skips: dict[int, str] = {}
    while True:
        # All events have the moment 0 and every decision is made before it: no timeout is ever due.
        match decide(state, float("-inf")):
            case Start(node, attempt, _):
                state.apply(
                    TaskStart(timestamp=0.0, task_id=node.task.id, attempt=attempt, kind=node.task.kind)
                )
                among = (
                    node.index if node.index < len(durations) or node.variant is None else node.variant.group
                )
                heapq.heappush(ends, (now + durations[among], node.index))
            case Skip(node, reason, detail):
                state.apply(TaskSkip(timestamp=0.0, task_id=node.task.id, reason=str(reason), detail=detail))
                skips[node.index] = str(reason)
            case Expand(node):
                state.apply(TaskExpand(timestamp=0.0, task_id=node.task.id, count=1))
            case EndGroup(node):
                end = group_end(state, node, 0.0)
                state.apply(end)
                if isinstance(end, TaskSkip):
                    skips[node.index] = end.reason
            case EvaluateCondition(node):
                state.frontier.condition_evaluated(node.index, _holds(state, node, params))
            case None if ends:
                now, i = heapq.heappop(ends)
                state.apply(
                    TaskOk(timestamp=0.0, task_id=state.nodes[i].task.id, attempt=1, duration_seconds=0.0)
                )
            case _:  # Finish: without failures and timeouts there are no other decisions
                return now, {i: reason for i, reason in skips.items() if i < len(durations)}


def _known_params(graph: Graph, params: Mapping[str, Json] | None) -> Mapping[str, Json]:
    """The given values, or the defaults that are known before the run.

    A condition on a parameter that is left out is not decided.
    """
    if params is not None:
        return params
    return {
        param.name: param.default
        for param in graph.dag.params
        if param.default is not None and not is_deferred(param.default)
    }


def _holds(state: RunState, node: Node, params: Mapping[str, Json]) -> bool:
    """Whether the condition of a task holds, as far as it is known; one that reads outputs or the environment does."""
    for text, expected in ((node.task.condition, True), (node.task.unless, False)):
        if text is None:
            continue
        expression = expressions.condition(text)
        if any(call.name == "default" for call in expression.calls):
            continue  # it would treat a value that is not known yet as missing
        named = {str(reference.path[0]) for reference in expression.references if reference.path}
        tasks: Json = {
            task_id: {"status": str(state.tasks[state.index[task_id]].status)}
            for task_id in named & state.index.keys()
        }
        roots = {"params": params, **dict.fromkeys(expressions.TASK_ROOTS, tasks)}
        if node.variant is not None and node.variant.values:
            roots["matrix"] = node.variant.values
        try:
            if expressions.holds(expression.evaluate(Scope(roots, _functions(state, node)))) is not expected:
                return False
        except EvaluationError:
            continue
    return True


def _functions(state: RunState, node: Node) -> dict[str, expressions.Function]:
    return {
        "success": lambda: all(state.outcome(i) is Outcome.GOOD for i in node.needs),
        "failure": lambda: state.failed_above(node.index),
        "always": lambda: True,
        "cancelled": lambda: any(state.tasks[i].status is Status.CANCELLED for i in node.needs),
        "changed": lambda _: True,
    }
