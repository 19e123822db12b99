"""A part of a DAG: what --only, --from and --until choose, and what becomes of the rest."""

from __future__ import annotations

import pytest

from dagrun.core.graph import Graph
from dagrun.core.model import Dag, Matrix, Trigger
from dagrun.core.selection import Selection, names, part, select, variants_of
from dagrun.errors import NotFoundError, UsageError
from dagrun.testing import dag
from dagrun.value import replace
from tests.unit.harness import task

CHAIN = dag(
    """
    name: chain
    outputs: {all: "${{ tasks.a.outputs.x }}", last: "${{ tasks.d.outputs.x }}"}
    tasks:
      - {id: a, run: x}
      - {id: b, run: x, depends_on: [a]}
      - {id: c, run: 'echo ${{ tasks.a.outputs.x }}', depends_on: [a]}
      - {id: d, run: x, depends_on: [b, c], only_if_changed: true}
      - {id: e, run: x, depends_on: [d], trigger: failure, if: "changed('d')"}
    """
)


def ids(chosen: Dag) -> list[str]:
    return [task.id for task in chosen.tasks]


def test_everything_is_the_dag_itself() -> None:
    assert select(CHAIN, Selection()) is CHAIN


def test_only_chooses_tasks_alone() -> None:
    chosen = select(CHAIN, Selection(only=["b"]))
    assert ids(chosen) == ["b"]
    assert chosen.tasks[0].needs == ()


def test_from_chooses_all_below_and_until_all_above() -> None:
    assert ids(select(CHAIN, Selection(start=["b"]))) == ["b", "d", "e"]
    assert ids(select(CHAIN, Selection(until=["b"]))) == ["a", "b"]
    assert ids(select(CHAIN, Selection(start=["b"], until=["d"]))) == ["b", "d"]


def test_a_dependency_that_is_chosen_too_stays() -> None:
    chosen = select(CHAIN, Selection(start=["b"]))
    assert [need.task for need in chosen.tasks[1].needs] == ["b"]


def test_a_task_asked_for_by_name_runs_whatever_its_dependencies_would_have_said() -> None:
    (task,) = select(CHAIN, Selection(only=["d"])).tasks
    assert (task.only_if_changed, task.trigger) == (False, Trigger.SUCCESS)


@pytest.mark.parametrize(("only", "read"), [("c", "a"), ("e", "d")])
def test_a_task_that_reads_one_that_is_left_out_is_refused(only: str, read: str) -> None:
    with pytest.raises(
        UsageError, match=rf"task '{only}' reads tasks\.{read}, which is not part of this run"
    ):
        select(CHAIN, Selection(only=[only]))


def test_outputs_that_read_what_is_left_out_are_left_out() -> None:
    assert list(select(CHAIN, Selection(until=["b"])).outputs) == ["all"]


def test_for_a_task_that_does_not_exist_the_nearest_name_is_proposed() -> None:
    tasks = dag("tasks: [{id: build, run: x}]")
    with pytest.raises(NotFoundError) as error:
        select(tasks, Selection(only=["biuld"]))
    assert error.value.hint == "did you mean 'build'?"


SEVERAL = Dag(
    name="d",
    tasks=(
        task("test", matrix=Matrix(axes={"os": ("ubuntu", "alpine")})),
        task("b", "test"),
        task("c", "test[os=alpine]"),
        task("each", for_each="${{ tasks.b.outputs.x }}"),
    ),
)


def many(chosen: Dag) -> dict[str, list[str]]:
    """The variants of every task that has some."""
    return {task.id: found for task in chosen.tasks if (found := list(variants_of(task, ())))}


def test_a_task_is_chosen_with_all_its_variants() -> None:
    chosen = select(SEVERAL, Selection(start=["test"]))
    assert (ids(chosen), many(chosen)) == (
        ["test", "b", "c"], {"test": ["test[os=ubuntu]", "test[os=alpine]"]},
    )  # fmt: skip


def test_above_a_task_that_waits_for_one_variant_is_that_variant() -> None:
    chosen = select(SEVERAL, Selection(until=["c"]))
    assert (ids(chosen), many(chosen)) == (["test", "c"], {"test": ["test[os=alpine]"]})
    assert [need.task for need in chosen.tasks[1].needs] == ["test[os=alpine]"]


def test_one_variant_alone() -> None:
    chosen = select(SEVERAL, Selection(only=["test[os=alpine]"]))
    assert (ids(chosen), many(chosen)) == (["test"], {"test": ["test[os=alpine]"]})


def test_below_one_variant_is_who_waits_for_it_or_for_all() -> None:
    assert ids(select(SEVERAL, Selection(start=["test[os=alpine]"]))) == ["test", "b", "c"]
    chosen = select(SEVERAL, Selection(start=["test[os=ubuntu]"]))
    assert (ids(chosen), many(chosen)) == (["test", "b"], {"test": ["test[os=ubuntu]"]})


def test_variants_of_one_task_may_be_chosen_together() -> None:
    both = Selection(only=["test[os=alpine]", "test[os=ubuntu]"])
    assert select(SEVERAL, both).tasks[0] is SEVERAL.tasks[0]
    assert many(select(SEVERAL, Selection(only=["test"], until=["c"]))) == {"test": ["test[os=alpine]"]}


def test_items_of_a_list_that_only_the_run_knows_are_chosen_by_number() -> None:
    listed = Dag(
        name="d",
        tasks=(task("list"), task("each", "list", for_each="${{ tasks.list.outputs.x }}"), task("b", "each")),
    )
    assert many(select(listed, Selection(until=["each[3]", "each[0]"]))) == {"each": ["each[0]", "each[3]"]}
    assert ids(select(listed, Selection(until=["each[3]"], start=["list"]))) == ["list", "each"]
    assert select(listed, Selection(start=["list"], until=["b"])) is listed


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("test[os=alpin]", "did you mean 'test[os=alpine]'?"),
        ("b[0]", "'b' has no variants: name it alone"),
        ("each[x]", "its variants are called 'each[0]', 'each[1]' and so on"),
        ("each[*]", "its variants are called 'each[0]', 'each[1]' and so on"),
        ("each[01]", "its variants are called 'each[0]', 'each[1]' and so on"),
        ("tst[os=alpine]", "did you mean 'test[os=alpine]'?"),
    ],
)
def test_for_a_variant_that_does_not_exist_those_that_do_are_named(name: str, hint: str) -> None:
    with pytest.raises(NotFoundError) as error:
        select(SEVERAL, Selection(only=[name]))
    assert error.value.hint == hint


def test_a_part_of_a_part_is_the_same_as_the_part() -> None:
    chosen = select(SEVERAL, Selection(only=["test[os=alpine]"]))
    assert part(SEVERAL, names(chosen) & names(SEVERAL, names(chosen))) == chosen
    assert part(SEVERAL, names(SEVERAL)) is SEVERAL


def test_what_reads_one_variant_needs_that_one() -> None:
    reader = task("z", "test[os=alpine]", condition="tasks['test[os=alpine]'].status == 'success'")
    dag = replace(SEVERAL, tasks=(*SEVERAL.tasks, reader))
    assert ids(select(dag, Selection(until=["z"]))) == ["test", "z"]
    with pytest.raises(UsageError, match=r"'z' reads tasks\.test\[os=alpine\]"):
        select(dag, Selection(only=["test[os=ubuntu]", "z"]))


def test_what_an_artifact_reads_must_be_part_of_the_run() -> None:
    dag = Dag(name="d", tasks=(task("a"), task("b", "a", artifacts=("${{ tasks.a.outputs.file }}",))))
    with pytest.raises(UsageError, match=r"'b' reads tasks\.a"):
        select(dag, Selection(only=["b"]))


def test_a_list_reads_what_it_is_made_of() -> None:
    with pytest.raises(UsageError, match=r"'each' reads tasks\.b"):
        select(SEVERAL, Selection(only=["each"]))


def test_no_task_is_parallel_to_one_that_is_left_out() -> None:
    both = Dag(name="d", tasks=(task("a", parallel_with=("b",)), task("b", parallel_with=("a",))))
    chosen = select(both, Selection(only=["a"]))
    assert Graph.compile(chosen).waves() == [[0]]


def test_nothing_left_is_no_run() -> None:
    with pytest.raises(UsageError, match="leave no task"):
        select(CHAIN, Selection(only=["a"], until=["b"], start=["b"]))


def test_a_selection_within_child_runs_selects_their_tasks_here() -> None:
    own, inner = Selection(only=("a", "b/c", "b/d/e"), start=("b/f",)).split()
    assert own == Selection(only=("a", "b"), start=("b",))
    assert inner == {"b": Selection(only=("c", "d/e"), start=("f",))}


def test_a_task_that_is_named_itself_is_selected_whole() -> None:
    own, inner = Selection(only=("b", "b/c")).split()
    assert (own, inner) == (Selection(only=("b",)), {})
