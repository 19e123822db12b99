"""What is told of tasks that can never start: why, at the word that keeps them from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

from dagrun.dialects.base import Path, Places, Written
from dagrun.model import OnError, Trigger
from dagrun.outcomes import End
from dagrun.reachable import Goal, Search, is_plain
from dagrun.source import Finding


def check_unreachable(written: Written) -> Iterator[Finding]:
    """Every task that no combination of outcomes lets start, in a document without other errors.

    Those that only wait for one that was told are not told. Where the policy `stop_all` is the only reason it is a
    warning: a run can be started with the other one.
    """
    dag, places = written.dag, written.places
    if places is None or is_plain(dag):
        return
    search = Search(dag)
    dead = search.unreachable()
    going_on = Search(replace(dag, on_error=OnError.CONTINUE)) if dead else search
    for i in dead:
        if any(dep in dead and goal[1] == {End.GOOD} for dep, goal in search.waits_for(i)):
            continue
        if going_on.can_start(i):
            why = "it needs a failure above it, which ends the run (on_error: stop_all)"
            path = places.trigger(i)
            hint = f"say `{path[-1]}: always`, or go on after failures: `on_error: continue`"
            finding = Finding(written.source.place(path), why, "unreachable", hint, "warning")
        else:
            path, why = _reason(going_on, i, places)
            finding = Finding(written.source.place(path), why, "unreachable")
        yield replace(finding, message=f"'{dag.tasks[i].id}' can never start: {why}")


def _reason(search: Search, i: int, places: Places) -> tuple[Path, str]:
    """The word that keeps a task from starting, and why."""
    task, condition, path = search.tasks[i], search.conditions[i], places.task(i)
    word = "unless" if task.condition is None else "if"
    holding = [outcome for outcome in condition.outcomes() if condition.may_hold(outcome)]
    if not holding:
        return (*path, word), "its condition never holds"
    if task.only_if_changed and not task.needs:
        return (*path, "only_if_changed"), "it waits for a change, and nothing stands above it"
    after_failure = task.trigger is Trigger.FAILURE
    if after_failure or all(outcome.get("failure") for outcome in holding):
        above = search.above(i)
        if not search.possible((above, frozenset({End.FAILED}))):
            why = "nothing above it can fail" if above else "nothing stands above it"
            return places.trigger(i) if after_failure else (
                *path,
                word,
            ), f"it runs after a failure, and {why}"
    goals = search.waits_for(i)
    for dep, goal in goals:
        if not search.possible(goal):
            return _edge(search, i, dep, places), f"'{search.tasks[dep].id}' can never {_ends(goal)}"
    for (one, first), (other, second) in combinations(goals, 2):
        if not search.possible(first, second):
            names = search.tasks[one].id, search.tasks[other].id
            why = f"'{names[0]}' cannot {_ends(first)} where '{names[1]}' is to {_ends(second)}"
            return _edge(search, i, other, places), why
    return places.name(i), "the tasks above it cannot all end as it needs"


def _ends(goal: Goal) -> str:
    match sorted(goal[1]):
        case [End.GOOD]:
            return "end well"
        case [End.FAILED]:
            return "count as failed"
    return "end without a failure"


def _edge(search: Search, i: int, dep: int, places: Places) -> Path:
    return places.edge(i, next(need.task for number, need in search.edges[i] if number == dep))
