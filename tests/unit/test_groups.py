"""Groups and their variants as a run sees them: what starts, what fails, what is handed on, what is left to resume."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from dagrun.core.completion import attempt_end, group_end
from dagrun.core.decide import decide
from dagrun.core.decisions import EndGroup, Expand, Finish, Start
from dagrun.core.events import (
    DagDone,
    DagResume,
    DagStart,
    Event,
    TaskExpand,
    TaskFail,
    TaskOk,
    TaskSkip,
    TaskStart,
)
from dagrun.core.graph import Graph
from dagrun.core.model import Dag, Matrix, OnError, Retry, Task, Trigger
from dagrun.core.outcomes import FINAL
from dagrun.core.record import replay
from dagrun.core.resume import remainder
from dagrun.core.selection import Selection
from dagrun.core.state import RunState
from dagrun.core.work import AttemptResult, Result
from dagrun.errors import NotFoundError
from dagrun.kinds.workflow import WorkflowAction
from dagrun.runtime.engine import Engine
from dagrun.testing import HANG, ScenarioResult, fails
from dagrun.value import replace
from tests.unit.harness import played, task
from tests.unit.lives import Life

SIX = Matrix(axes={"os": ("ubuntu", "alpine"), "python": ("3.9", "3.10", "3.11")})
TWO = Matrix(axes={"os": ("ubuntu", "alpine")})
IDS = [f"test[os={os},python={python}]" for os in ("ubuntu", "alpine") for python in ("3.9", "3.10", "3.11")]
CALL = WorkflowAction("w")


def lists(*items: Any) -> Callable[[Any], dict[str, Any]]:
    """A body that puts out a list."""
    return lambda _: {"items": list(items)}


EACH = task("each", "list", for_each="${{ tasks.list.outputs.items }}")


def end_of(outcome: ScenarioResult, task_id: str) -> Event:
    """The event that ended a task."""
    (end,) = [
        event
        for event in outcome.events()
        if getattr(event, "task_id", "") == task_id
        and event.name in ("task_ok", "task_fail", "task_skip", "task_cancel")
    ]
    return end


# --- matrix ---


def test_every_variant_runs_and_the_group_ends_with_one_more_fact() -> None:
    outcome = played(task("test", matrix=SIX), task("b", "test"))
    assert outcome.started == [*IDS, "b"]
    assert set(outcome.statuses.values()) == {"success"}
    end = end_of(outcome, "test")
    assert isinstance(end, TaskOk)
    assert (end.summary, end.attempt, end.changed) == ("6/6 passed", None, True)
    assert [event.task_count for event in outcome.events() if isinstance(event, DagStart)] == [7]
    assert [event.tasks_succeeded for event in outcome.events() if isinstance(event, DagDone)] == [7]


def test_one_variants_failure_fails_the_group_and_what_is_below_it() -> None:
    outcome = played(
        task("test", matrix=SIX), task("b", "test"), task("c", IDS[0]), task("d", "b", trigger=Trigger.FAILURE),
        bodies={IDS[4]: fails(9)}, on_error=OnError.CONTINUE,
    )  # fmt: skip
    end = end_of(outcome, "test")
    assert isinstance(end, TaskFail)
    assert (end.summary, end.error_type, end.error) == ("5/6 passed", "VariantsFailed", f"{IDS[4]} failed")
    assert (outcome.statuses["test"], outcome.reasons["b"]) == ("failed", "DependencyFailed")
    assert (outcome.statuses["c"], outcome.statuses["d"]) == ("success", "success")
    assert outcome.view.status == "partial"
    assert outcome.view.counts()["failed"] == 1


def test_tolerated_failures_are_tolerated_of_the_group_too() -> None:
    outcome = played(
        task("test", matrix=SIX, continue_on_failure=True), task("b", "test"),
        bodies={IDS[4]: fails(9)},
    )  # fmt: skip
    assert (outcome.statuses["test"], outcome.statuses["b"]) == ("failed", "success")
    assert outcome.view.status == "success"


def test_a_variant_is_retried_alone() -> None:
    outcome = played(task("test", matrix=SIX, retry=Retry(retries=1, initial=5.0)), bodies={IDS[2]: fails(1)})
    assert outcome.started == [*IDS, IDS[2]]
    assert outcome.statuses["test"] == "success"


def test_a_variants_timeout_counts_as_its_failure() -> None:
    outcome = played(
        task("test", matrix=TWO, timeout=5.0), bodies={"test[os=alpine]": lambda _: HANG},
    )  # fmt: skip
    assert (outcome.statuses["test[os=alpine]"], outcome.statuses["test"]) == ("timed_out", "failed")


def test_a_variant_knows_its_values_in_expressions_and_in_its_environment() -> None:
    matrix = Matrix(axes={"python-version": ("3.10",), "fast": (True, False)})
    outcome = played(
        task(
            "test", matrix=matrix, condition="matrix.fast", env={"MATRIX_FAST": "mine", "V": "${{ env.MATRIX_PYTHON_VERSION }}"},
            params={"v": "${{ matrix['python-version'] }}", "f": "${{ matrix.fast }}"},
        ),
        task("b", "test"),
    )  # fmt: skip
    ran, skipped = "test[fast=true,python-version=3.10]", "test[fast=false,python-version=3.10]"
    assert outcome.params[ran] == {"v": "3.10", "f": True}
    assert outcome.reasons[skipped] == "ConditionFalse"
    assert (outcome.statuses["test"], outcome.statuses["b"]) == ("success", "success")


def test_all_variants_skipped_skip_the_group_for_their_reason() -> None:
    outcome = played(task("test", matrix=TWO, condition="matrix.os == 'beos'"), task("b", "test"))
    end = end_of(outcome, "test")
    assert isinstance(end, TaskSkip)
    assert (end.reason, end.summary) == ("ConditionFalse", "0/2 passed")
    assert outcome.reasons["b"] == "DependencySkipped"


def test_a_group_that_changed_nothing_says_so() -> None:
    outcome = played(
        task("test", matrix=TWO), task("b", "test", only_if_changed=True),
        bodies={"test": lambda _: Result({}, changed=False)},
    )  # fmt: skip
    assert outcome.reasons["b"] == "Unchanged"


def test_a_group_has_at_most_so_many_variants_running_and_others_pass_it() -> None:
    running: set[str] = set()
    most = 0

    def body(_: Any) -> Any:
        return HANG

    outcome = played(
        task("test", matrix=SIX, max_parallel=2, timeout=5.0, continue_on_failure=True), task("z", timeout=5.0),
        bodies={"test": body}, on_error=OnError.CONTINUE,
    )  # fmt: skip
    for event in outcome.events():
        if isinstance(event, TaskStart) and event.task_id != "z":
            running.add(event.task_id)
            most = max(most, len(running))
        elif event.name == "task_fail":
            running.discard(getattr(event, "task_id", ""))
    assert most == 2
    assert outcome.started[:3] == [*IDS[:2], "z"]
    assert outcome.clock.now() == outcome.record.events[0].timestamp + 15


def test_a_failure_that_stops_the_run_ends_the_other_variants_and_then_the_group() -> None:
    bodies = {IDS[0]: lambda _: None, IDS[1]: fails(9), "test": lambda _: HANG}
    outcome = played(task("test", matrix=SIX), task("b", "test"), bodies=bodies, max_parallel=3)
    assert [outcome.statuses[name] for name in IDS] == [
        "success", "failed", "cancelled", "skipped", "skipped", "skipped",
    ]  # fmt: skip
    assert (outcome.statuses["test"], outcome.reasons["b"], outcome.view.status) == (
        "failed",
        "StopAll",
        "failed",
    )
    assert outcome.state.frontier.cause == IDS[1]


def test_a_failure_elsewhere_cuts_a_group_off() -> None:
    late = {"bad": fails(9), "test": lambda _: HANG, IDS[0]: lambda _: None}
    outcome = played(task("bad", retry=Retry(retries=1, initial=5.0)), task("test", matrix=SIX), bodies=late)
    assert (outcome.statuses["test"], outcome.reasons["test"]) == ("cancelled", "StopAll")
    done = end_of(outcome, "test")
    assert getattr(done, "summary", "") == "1/6 passed"


def test_a_group_that_the_end_of_the_run_kept_from_being_whole_is_no_success() -> None:
    bodies = {"bad": fails(9)}
    outcome = played(task("bad", "a"), task("a"), task("test", matrix=SIX), bodies=bodies, max_parallel=2)
    assert sorted({outcome.statuses[name] for name in IDS}) == ["skipped", "success"]
    assert (outcome.statuses["test"], outcome.reasons["test"]) == ("skipped", "StopAll")


def test_a_cancel_ends_half_a_group() -> None:
    def cancel(engine: Engine) -> None:
        engine.cancel("me")

    outcome = played(
        task("test", matrix=SIX), task("b", "test"), max_parallel=4, at={3.0: cancel},
        bodies={"test": lambda _: HANG, IDS[0]: lambda _: None},
    )  # fmt: skip
    assert [outcome.statuses[name] for name in IDS] == ["success", *["cancelled"] * 5]
    assert (outcome.statuses["test"], outcome.statuses["b"], outcome.view.status) == ("cancelled",) * 3


# --- for_each ---


def test_a_list_becomes_variants_when_it_is_known() -> None:
    outcome = played(
        task("list"), task("each", "list", for_each="${{ tasks.list.outputs.items }}", params={"x": "${{ item.n }}"}),
        task("b", "each"), bodies={"list": lists({"n": 7}, {"n": 8})},
    )  # fmt: skip
    assert outcome.started == ["list", "each[0]", "each[1]", "b"]
    assert [outcome.params[f"each[{i}]"]["x"] for i in (0, 1)] == [7, 8]
    (expand,) = outcome.events("task_expand")
    assert isinstance(expand, TaskExpand)
    assert (expand.count, expand.items) == (2, [{"n": 7}, {"n": 8}])
    assert outcome.view.counts()["success"] == 4
    assert [task.id for task in outcome.view.tasks] == ["list", "each[0]", "each[1]", "each", "b"]


def test_variants_of_a_list_start_at_the_position_of_their_group() -> None:
    outcome = played(
        task("z", "list"), EACH, task("list"), task("y", "list"), bodies={"list": lists(1, 2)}, max_parallel=1
    )
    assert outcome.started == ["list", "z", "each[0]", "each[1]", "y"]


def test_an_empty_list_is_a_success_without_tasks() -> None:
    outcome = played(task("list"), EACH, task("b", "each"), bodies={"list": lists()})
    end = end_of(outcome, "each")
    assert isinstance(end, TaskOk)
    assert end.summary == "0/0 passed"
    assert outcome.params["b"] == {}
    assert outcome.view.counts()["success"] == 2


@pytest.mark.parametrize("value", ["text", {"a": 1}, None, 5])
def test_what_is_no_list_fails_the_group(value: Any) -> None:
    outcome = played(task("list"), EACH, bodies={"list": lambda _: {"items": value}})
    end = end_of(outcome, "each")
    assert isinstance(end, TaskFail)
    assert (end.error_type, end.summary) == ("ExpressionError", None)
    assert end.error.startswith("for_each: the value is no list")
    assert end.error.endswith("; fromJSON(..) reads one from JSON") is isinstance(value, str)
    assert outcome.view.counts()["failed"] == 1


def test_a_list_may_stand_in_the_document() -> None:
    outcome = played(task("each", for_each=("a", "${{ fromJSON('3') }}"), params={"x": "${{ item }}"}))
    assert [outcome.params[f"each[{i}]"]["x"] for i in (0, 1)] == ["a", 3]


def test_a_condition_without_the_item_is_asked_before_the_list() -> None:
    each = task("each", for_each="${{ params.gone }}", condition="false")
    outcome = played(each)
    assert (outcome.reasons["each"], outcome.events("task_expand")) == ("ConditionFalse", [])
    assert outcome.view.counts()["skipped"] == 1


def test_a_condition_on_the_item_is_asked_of_each() -> None:
    outcome = played(task("each", for_each=("a", "b"), condition="item != 'a'"))
    assert outcome.started == ["each[1]"]
    assert (outcome.reasons["each[0]"], outcome.statuses["each"]) == ("ConditionFalse", "success")


def test_a_group_that_is_skipped_never_learns_its_list() -> None:
    outcome = played(task("list"), EACH, bodies={"list": fails(9)})
    assert (outcome.reasons["each"], len(outcome.view.tasks)) == ("StopAll", 2)
    outcome = played(task("list"), EACH, bodies={"list": fails(9)}, on_error=OnError.CONTINUE)
    assert outcome.reasons["each"] == "DependencyFailed"


def test_a_group_that_survives_a_stop_learns_its_list_then() -> None:
    outcome = played(
        task("a"), task("each", "a", for_each=("x", "y"), trigger=Trigger.FAILURE), bodies={"a": fails(9)}
    )
    assert outcome.started == ["a", "each[0]", "each[1]"]
    assert (outcome.statuses["each"], outcome.view.status) == ("success", "failed")


def test_a_condition_that_looks_back_takes_the_triggers_place_for_all_variants() -> None:
    outcome = played(
        task("a"), task("each", "a", for_each=("x",), condition="always()"), bodies={"a": fails(9)},
        on_error=OnError.CONTINUE,
    )  # fmt: skip
    assert outcome.started == ["a", "each[0]"]


# --- payload ---


def test_what_is_below_a_group_gets_maps_of_what_its_variants_put_out() -> None:
    def body(params: dict[str, Any]) -> Any:
        return {"wheel": f"{params['os']}.whl"} if params["os"] != "beos" else 1 / 0

    matrix = Matrix(axes={"os": ("ubuntu", "alpine", "beos")})
    outcome = played(
        task("test", matrix=matrix, params={"os": "${{ matrix.os }}"}, continue_on_failure=True),
        task("b", "test", params={"one": "${{ tasks.test.outputs.wheel['os=alpine'] }}", "s": "${{ tasks.test.status }}"}),
        task("c", "test[os=ubuntu]"), bodies={"test": body},
    )  # fmt: skip
    wheels = {"os=ubuntu": "ubuntu.whl", "os=alpine": "alpine.whl"}
    assert outcome.params["b"] == {"test__wheel": wheels, "one": "alpine.whl", "s": "failed"}
    assert outcome.params["c"] == {"test[os=ubuntu]__wheel": "ubuntu.whl"}


def test_where_no_variant_succeeded_every_output_is_null() -> None:
    below = {"params": {"x": "${{ tasks.each.outputs.k }}", "s": "${{ tasks.each.status }}"}}
    outcome = played(task("each", for_each=()), task("b", "each", **below))
    assert outcome.params["b"] == {"x": None, "s": "success"}


def test_a_map_is_made_once_however_many_ask() -> None:
    below = [task(f"b{i}", "each") for i in range(3)]
    outcome = played(task("list"), EACH, *below, bodies={"list": lists(1, 2), "each": lambda _: {"k": 1}})
    maps = [outcome.params[each.id]["each__k"] for each in below]
    assert maps[0] == {"0": 1, "1": 1}
    assert maps[0] is maps[1] is maps[2]


# --- resume and rerun ---


def call(name: str, *needs: str, **more: Any) -> Task:
    return task(name, *needs, action=CALL, **more)


def lived(*tasks: Task, bodies: Callable[[], dict[str, Any]], **more: Any) -> Life:
    life = Life(Dag(name="d", tasks=tasks, on_error=OnError.CONTINUE, **more), bodies)
    life.begin()
    return life


def ran(life: Life) -> list[str]:
    return [task_id for task_id, _ in life.executors[-1].started]


def test_a_resume_runs_only_the_variants_that_did_not_end_well() -> None:
    broken = {"each[1]"}

    def bodies() -> dict[str, Any]:
        bad = {name: fails(9) for name in broken}
        return {"list": lists("a", "b", "c"), **bad, "each": lambda _: {"k": 1}}

    each = call("each", "list", for_each="${{ tasks.list.outputs.items }}", params={"x": "${{ item }}"})
    life = lived(call("list"), each, call("b", "each"), bodies=bodies)
    broken.clear()
    ended = life.resume()
    assert ended is not None
    assert (ended.view.status, ran(life)) == ("success", ["each[1]", "b"])
    assert life.executors[-1].params["each[1]"]["x"] == "b"
    assert life.executors[-1].params["b"]["each__k"] == {"0": 1, "1": 1, "2": 1}
    assert life.names().count("task_expand each") == 1
    resumed = next(event for event in life.events if isinstance(event, DagResume))
    assert (resumed.reused, resumed.rerun) == (["list", "each[0]", "each[2]"], ["each[1]", "each", "b"])


def test_a_group_that_ended_well_keeps_what_it_skipped() -> None:
    broken = {"b"}

    def bodies() -> dict[str, Any]:
        return {name: fails(9) for name in broken}

    life = lived(call("t", matrix=TWO, condition="matrix.os == 'alpine'"), call("b", "t"), bodies=bodies)
    broken.clear()
    life.resume()
    assert ran(life) == ["b"]


def test_a_list_that_is_too_large_for_the_journal_lies_in_a_file() -> None:
    items = ["x" * 40_000, "y" * 40_000]
    life = lived(
        call("list"), call("each", "list", for_each="${{ tasks.list.outputs.items }}", params={"x": "${{ item }}"}),
        bodies=lambda: {"list": lists(*items), "each[1]": fails(9)},
    )  # fmt: skip
    (expand,) = [event for event in life.events if isinstance(event, TaskExpand)]
    assert expand.items is None
    life.resume()
    assert (ran(life), life.executors[-1].params["each[1]"]["x"]) == (["each[1]"], items[1])


def test_a_rerun_takes_a_group_over_whole() -> None:
    life = lived(
        call("list"), call("each", "list", for_each="${{ tasks.list.outputs.items }}", condition="item != 'b'"),
        call("m", matrix=TWO), call("b", "each", "m"),
        bodies=lambda: {"list": lists("a", "b"), "each": lambda _: {"k": 1}, "m": lambda _: {"k": 2}},
    )  # fmt: skip
    ended = asyncio.run(life.service.rerun("r", Selection(only=["b"]), "again"))
    assert (ended.view.status, ran(life)) == ("success", ["b"])
    assert life.executors[-1].params["b"] == {"each__k": {"0": 1}, "m__k": {"os=ubuntu": 2, "os=alpine": 2}}
    assert {task.id: task.status for task in ended.view.tasks}["each[1]"] == "skipped"
    assert asyncio.run(life.service.rerun("r", Selection(only=["each"]), "more")).view.status == "success"
    assert ran(life) == ["each[0]"]


BROKEN = {"each[1]", "each[2]", "m[os=alpine]"}


def half(*more: Task) -> Life:
    """A run in which some variants failed; none of them does any more."""
    broken = set(BROKEN)
    each = call("each", "list", for_each="${{ tasks.list.outputs.items }}", params={"x": "${{ item }}"})
    life = lived(
        call("list"), each, call("m", matrix=TWO), call("b", "each", "m"), call("c", "m[os=ubuntu]"), *more,
        bodies=lambda: {
            "list": lists("a", "b", "c"), **{name: fails(9) for name in broken},
            "each": lambda params: {"k": params["x"]}, "m": lambda _: {"k": 2},
        },
    )  # fmt: skip
    broken.clear()
    return life


def again(life: Life, **selected: list[str]) -> tuple[list[str], dict[str, str]]:
    """A rerun: what ran, and how all ended."""
    ended = asyncio.run(life.service.rerun("r", Selection(**selected), "again"))
    assert ended.view.status == "success"
    return ran(life), {task.id: task.variants.summary for task in ended.view.tasks if task.variants}


@pytest.mark.parametrize(
    ("selected", "expected"),
    [
        ({"only": ["m[os=alpine]"]}, ["m[os=alpine]"]),
        ({"only": ["each[1]"]}, ["each[1]"]),
        ({"only": ["m"]}, ["m[os=ubuntu]", "m[os=alpine]"]),
        ({"only": ["b"]}, ["each[1]", "each[2]", "m[os=alpine]", "b"]),
        ({"only": ["c"]}, ["c"]),
        ({"start": ["each[1]"]}, ["each[1]", "each[2]", "m[os=alpine]", "b"]),
        ({"start": ["each[0]"]}, ["each[0]", "each[1]", "each[2]", "m[os=alpine]", "b"]),
        ({"start": ["m[os=ubuntu]"]}, ["each[1]", "each[2]", "m[os=ubuntu]", "m[os=alpine]", "b", "c"]),
        ({"only": ["list", "each[1]"]}, ["list", "each[0]", "each[1]", "each[2]"]),
    ],
)
def test_a_rerun_keeps_the_variants_that_have_a_good_result(
    selected: dict[str, list[str]], expected: list[str]
) -> None:
    assert sorted(again(half(), **selected)[0]) == sorted(expected)


def test_a_variant_that_runs_again_finds_its_item_and_its_siblings_results() -> None:
    life = half()
    _, summaries = again(life, start=["each[1]"])
    assert life.executors[-1].params["b"] == {
        "each__k": {"0": "a", "1": "b", "2": "c"}, "m__k": {"os=ubuntu": 2, "os=alpine": 2},
    }  # fmt: skip
    assert summaries == {"each": "3/3 passed", "m": "2/2 passed"}


def test_what_failed_and_is_not_asked_for_is_left_out() -> None:
    assert again(half(), only=["each[1]"])[1] == {"each": "2/2 passed"}
    assert again(half(), only=["c"])[1] == {"m": "1/1 passed"}


def test_a_rerun_of_a_rerun_knows_which_items_it_is_about() -> None:
    life = half()
    again(life, only=["each[2]"])
    ended = asyncio.run(life.service.rerun("again", Selection(only=["each"]), "more"))
    assert (ended.view.status, ran(life)) == ("success", ["each[0]", "each[2]"])
    with pytest.raises(NotFoundError) as error:
        asyncio.run(life.service.rerun("again", Selection(only=["each[1]"]), "none"))
    assert error.value.hint == "there is 'each[0]', 'each[2]'"


def test_a_rerun_of_some_variants_that_was_cut_off_is_resumed() -> None:
    life = half()
    again(life, only=["each[1]", "m[os=alpine]"])
    journal = life.runs.runs["again"].journal
    del journal[len(journal) // 2 :]
    ended = asyncio.run(life.service.resume("again"))
    assert ended is not None
    assert ended.view.status == "success"
    assert set(ran(life)) <= {"each[1]", "m[os=alpine]"}


def test_an_item_that_the_list_does_not_have_fails_what_was_to_run_it() -> None:
    outcome = played(task("list"), replace(EACH, only_items=(1, 7)), bodies={"list": lists("a", "b")})
    assert (
        outcome.state.tasks[outcome.state.index["each"]].error
        == "for_each: there is no each[7]: the list has 2 items"
    )


def test_only_the_items_that_were_chosen_run() -> None:
    outcome = played(task("list"), replace(EACH, only_items=(0, 2)), bodies={"list": lists("a", "b", "c")})
    assert outcome.started == ["list", "each[0]", "each[2]"]


# --- journals that are damaged, documents that have changed ---


def several() -> Life:
    """A run whose group has one variant that failed, so that it can be resumed."""
    return lived(
        call("list"), call("each", "list", for_each="${{ tasks.list.outputs.items }}"), call("m", "each", matrix=TWO),
        call("b", "m", trigger=Trigger.ALWAYS), max_parallel=1,
        bodies=lambda: {"list": lists("a", "b"), "each": lambda _: {"k": 1}, "m[os=alpine]": fails(9)},
    )  # fmt: skip


@pytest.mark.parametrize("lost", range(17))
def test_a_run_with_a_damaged_line_anywhere_ends_all_the_same(lost: int) -> None:
    whole = several()
    for then in ("resume", "cancel"):
        life = whole.cut(len(whole.events) if then == "resume" else len(whole.events) - 1)
        if lost < len(life.run.journal):
            del life.run.journal[lost]
        kept = {event.task_id for event in life.events if isinstance(event, TaskOk)} & set(
            life.folded().index
        )
        if then == "cancel":
            life.cancel()
        else:
            life.resume()
            lists_lost = whole.events[lost].name == "task_expand"
            assert lists_lost or not kept & set(ran(life))
        state = life.folded()
        assert state.finished_at is not None
        assert all(each.status in FINAL for each in state.tasks)


def left(life: Life, *tasks: Task) -> list[str]:
    """What a resume with a changed document would run."""
    state = replay(life.runs.read("r"), Dag(name="d", tasks=tasks))
    return list(remainder(state).rerun)


def test_a_matrix_that_has_grown_runs_what_is_new_and_ends_anew() -> None:
    life = lived(call("m", matrix=TWO), bodies=dict)
    three = Matrix(axes={"os": ("ubuntu", "alpine", "beos")})
    assert left(life, call("m", matrix=TWO)) == []
    assert left(life, call("m", matrix=three)) == ["m[os=beos]", "m"]
    assert left(life, call("m", matrix=Matrix(axes={"os": ("alpine",)}))) == []


def test_a_task_that_was_a_group_or_has_become_one_runs_anew() -> None:
    group, plain = lived(call("m", matrix=TWO), bodies=dict), lived(call("m"), bodies=dict)
    assert left(group, call("m")) == ["m"]
    assert left(plain, call("m", matrix=TWO)) == ["m[os=ubuntu]", "m[os=alpine]", "m"]
    assert left(plain, call("m", for_each=("a",))) == ["m"]


# --- what it costs ---

MANY = 10_000


@pytest.mark.parametrize("most", [None, 3])
def test_a_long_list_costs_a_few_steps_for_each_item(most: int | None) -> None:
    tasks = (task("list"), task("each", "list", for_each="x", max_parallel=most), task("b", "each"))
    state = RunState(Graph.compile(Dag(name="d", tasks=tasks)))
    state.apply(DagStart(timestamp=0.0, task_count=3, dag_path="", dag_hash="", max_parallel=8))
    while not isinstance(decision := decide(state, 0.0), Finish):
        match decision:
            case Start(node, attempt, _):
                state.apply(TaskStart(timestamp=0.0, task_id=node.task.id, attempt=attempt, kind="shell"))
                state.apply(attempt_end(state, node, AttemptResult(duration=0.0), 0.0, 0.5))
            case Expand(node):
                state.apply(TaskExpand(timestamp=0.0, task_id=node.task.id, count=MANY, items=[0] * MANY))
            case EndGroup(node):
                state.apply(group_end(state, node, 0.0))
            case _:
                raise AssertionError(decision)
    assert all(each.status in FINAL for each in state.tasks)
    assert state.frontier.steps <= 12 * MANY


def test_a_long_list_runs_in_linear_time() -> None:
    def steps(count: int) -> int:
        outcome = played(
            task("list"), EACH, task("b", "each"), bodies={"list": lists(*range(count))}, max_parallel=4
        )
        assert outcome.view.counts()["success"] == count + 2
        return outcome.state.frontier.steps

    assert steps(2_000) < 2.2 * steps(1_000)
