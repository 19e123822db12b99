"""Expected durations: medians of the past, played through by the run's own rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagrun.app.service import Service
from dagrun.core.events import DagResume, TaskOk
from dagrun.core.graph import Graph
from dagrun.core.record import RunRecord
from dagrun.registry import Registry
from dagrun.settings import Settings
from dagrun.testing import FakeClock, InlineExecutor, MemoryRuns, dag, fails, scenario
from dagrun.value import replace
from dagrun.views.estimate import MAX_SUCCESSES, Estimate, History, estimate, longest_path
from tests.unit.harness import chain, graph
from tests.unit.views.harness import planned, took

DIAMOND = """
    name: diamond
    tasks:
      - {id: top, run: "true"}
      - {id: left, run: "true", depends_on: [top]}
      - {id: right, run: "true", depends_on: [top]}
      - {id: bottom, run: "true", depends_on: [left, right]}
"""
WIDE = """
    name: wide
    tasks:
      - {id: a, run: "true"}
      - {id: b, run: "true"}
      - {id: c, run: "true"}
"""


def critical(plan: Estimate) -> list[str]:
    return [plan.graph.nodes[i].task.id for i in plan.critical_path]


def skipped(plan: Estimate) -> dict[str, str]:
    return {plan.graph.nodes[i].task.id: reason for i, reason in plan.skips.items()}


def test_the_critical_path_is_the_longest_in_time() -> None:
    plan = planned(DIAMOND, {"top": 1.0, "left": 2.0, "right": 5.0, "bottom": 0.5})
    assert critical(plan) == ["top", "right", "bottom"]
    assert plan.critical_seconds == plan.expected == 6.5
    assert plan.unknown == []


def test_without_history_the_critical_path_is_the_longest_in_tasks() -> None:
    plan = planned(DIAMOND)
    assert critical(plan) == ["top", "left", "bottom"]
    assert plan.expected is None
    assert plan.runs == 0


def test_a_duration_is_the_median_of_the_newest_successes() -> None:
    plan = planned(WIDE, {"a": 9.0}, {"a": 1.0}, {"a": 2.0})
    assert plan.medians[0] == 2.0
    assert plan.runs == 3


def test_only_the_newest_twenty_successes_count() -> None:
    history = History(graph("a"))
    for seconds in [5.0] * MAX_SUCCESSES + [100.0] * 50:
        history.add([TaskOk(timestamp=0, task_id="a", attempt=1, duration_seconds=seconds)])
    assert history.median("a") == 5.0


def test_history_is_enough_when_every_task_has_twenty_successes() -> None:
    history = History(graph("a; b"))
    ended = [TaskOk(timestamp=0, task_id=each, attempt=1, duration_seconds=1.0) for each in "ab"]
    for _ in range(MAX_SUCCESSES - 1):
        history.add(ended)
    history.add(ended[:1])
    assert not history.is_enough
    history.add(ended)
    assert history.is_enough


def test_a_list_of_which_only_a_part_ran_gives_no_duration() -> None:
    history = History(Graph.compile(dag("tasks: [{id: each, run: x, for_each: [a, b]}]")))
    complete = TaskOk(timestamp=0, task_id="each", attempt=None, duration_seconds=5.0, summary="2/2 passed")
    kept = TaskOk(timestamp=0, task_id="each[0]", attempt=0, duration_seconds=0.0, reused_from="other")
    history.add([kept, replace(complete, duration_seconds=1.0)])
    history.add(
        [
            DagResume(timestamp=0, reused=[], rerun=["each"], dag_hash="x"),
            replace(complete, duration_seconds=2.0),
        ]
    )
    assert history.median("each") is None
    history.add([complete])
    assert history.median("each") == 5.0


def test_a_task_that_failed_was_reused_or_was_deleted_gives_no_duration() -> None:
    compiled = Graph.compile(dag(WIDE))
    history = History(compiled)
    history.add(scenario(WIDE, {"a": fails(1), "b": took(3.0)}, max_parallel=1).events())
    history.add([TaskOk(timestamp=0, task_id="c", attempt=1, duration_seconds=0.0, reused_from="other")])
    history.add([TaskOk(timestamp=0, task_id="gone", attempt=1, duration_seconds=7.0)])
    assert [history.median(each) for each in "abc"] == [None, None, None]
    assert history.runs == 0


def test_a_task_without_history_counts_as_no_time_and_is_named() -> None:
    history = History(Graph.compile(dag(DIAMOND)))
    history.add([TaskOk(timestamp=0, task_id="left", attempt=1, duration_seconds=4.0)])
    plan = estimate(Graph.compile(dag(DIAMOND)), history, 8)
    assert plan.expected == 4.0
    assert plan.unknown == ["top", "right", "bottom"]
    assert critical(plan) == ["top", "left", "bottom"]


@pytest.mark.parametrize(("at_once", "expected"), [(1, 9.0), (2, 6.0), (3, 4.0)])
def test_the_expected_duration_minds_max_parallel_and_the_order_of_starts(
    at_once: int, expected: float
) -> None:
    plan = planned(WIDE, {"a": 3.0, "b": 2.0, "c": 4.0}, max_parallel=at_once)
    assert plan.expected == expected
    assert plan.critical_seconds == 4.0


def test_what_is_there_for_failures_is_not_expected_to_run() -> None:
    plan = planned(
        """
        name: guarded
        tasks:
          - {id: work, run: "true"}
          - {id: rollback, run: "true", depends_on: [work], trigger: failure}
          - {id: report, run: "true", depends_on: [rollback]}
          - {id: alarm, run: "true", depends_on: [work], if: "failure()"}
          - {id: tidy, run: "true", depends_on: [rollback], trigger: always}
        """,
        {"work": 2.0, "tidy": 1.0},
    )
    assert skipped(plan) == {
        "rollback": "NoFailure", "report": "DependencySkipped", "alarm": "ConditionFalse"
    }  # fmt: skip
    assert critical(plan) == ["work", "tidy"]
    assert plan.expected == 3.0
    assert plan.unknown == []


def test_conditions_that_are_known_before_the_run_are_evaluated() -> None:
    plan = planned(
        """
        name: asking
        params: {publish: false, stage: {type: string}}
        tasks:
          - {id: work, run: "true"}
          - {id: off, run: "true", depends_on: [work], if: params.publish}
          - {id: "on", run: "true", depends_on: [work], unless: params.publish}
          - {id: later, run: "true", depends_on: [work], if: tasks.work.outputs.go}
          - {id: given, run: "true", depends_on: [work], if: "params.stage == 'x'"}
          - {id: good, run: "true", depends_on: [work], if: "tasks.work.status == 'success'"}
          - {id: bad, run: "true", depends_on: [work], if: "tasks.work.status == 'failed'"}
          - {id: maybe, run: "true", depends_on: [work], if: "default(env.NOT_SET_HERE, 'no') == 'yes'"}
        """
    )
    assert skipped(plan) == {"off": "ConditionFalse", "bad": "ConditionFalse"}


def test_given_parameters_are_asked_in_place_of_defaults() -> None:
    compiled = Graph.compile(
        dag("name: p\nparams: {go: false}\ntasks: [{id: a, run: 'true', if: params.go}]\n")
    )
    assert estimate(compiled, History(compiled), 1, {"go": True}).skips == {}


def test_timeouts_change_nothing() -> None:
    plan = planned(
        "name: t\ntimeout: 1\ntasks: [{id: a, run: 'true', timeout: 1}, {id: b, run: 'true', depends_on: [a]}]\n",
        {"a": 5.0, "b": 5.0},
    )
    assert plan.expected == 10.0


def test_a_long_chain_costs_what_it_must() -> None:
    compiled = graph("t0;" + ";".join(f"t{i}<-t{i - 1}" for i in range(1, 3000)))
    plan = estimate(compiled, History(compiled), 4)
    assert len(plan.critical_path) == 3000


def test_of_equal_paths_the_first_in_the_file_is_shown() -> None:
    assert longest_path(graph("a; b; c<-a,b; d<-a"), [(1.0, 1)] * 4) == [0, 2]


class CountedRuns(MemoryRuns):
    """Counts the runs that are looked at."""

    looked_at = 0

    def read(self, run_id: str) -> RunRecord:
        self.looked_at += 1
        return super().read(run_id)


def recorded(runs: MemoryRuns, name: str, count: int) -> None:
    """Runs of a DAG of one task that took two seconds."""
    for number in range(count):
        writer = runs.create(replace(chain("a"), name=name), 0.0, f"{name}-{number}")
        writer.append(TaskOk(timestamp=0, task_id="a", attempt=1, duration_seconds=2.0))
        writer.close()


@pytest.mark.parametrize(
    ("of_this", "of_others", "looked_at", "known_from"),
    [(100, 0, MAX_SUCCESSES, MAX_SUCCESSES), (5, 100, 50, 0), (30, 45, 50, 5), (3, 4, 7, 3)],
)
def test_history_is_never_read_whole(
    of_this: int, of_others: int, looked_at: int, known_from: int, tmp_path: Path
) -> None:
    runs = CountedRuns()
    recorded(runs, "letters", of_this)
    recorded(runs, "other", of_others)
    service = Service(Settings(root=tmp_path), runs, FakeClock(), InlineExecutor, Registry)
    assert service.estimate(graph("a")).runs == known_from
    assert runs.looked_at == looked_at


def test_a_condition_on_a_default_that_only_the_run_evaluates_is_not_decided() -> None:
    plan = planned(
        """
        params: {day: "${{ date(run.started_at, '%a') }}"}
        tasks: [{id: a, run: x, if: params.day == 'Sun'}]
        """
    )
    assert skipped(plan) == {}
