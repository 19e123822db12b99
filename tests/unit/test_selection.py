"""A part of a DAG: what --only, --from and --until choose, and what becomes of the rest."""

from __future__ import annotations

import pytest

from dagrun.errors import NotFoundError, UsageError
from dagrun.model import Dag, Matrix, Trigger
from dagrun.selection import Selection, select
from dagrun.testing import dag
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


def test_a_task_that_does_not_exist_is_told_with_the_nearest_name() -> None:
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


def test_a_task_is_chosen_with_all_its_variants() -> None:
    assert ids(select(SEVERAL, Selection(start=["test"]))) == ["test", "b", "c"]
    assert ids(select(SEVERAL, Selection(until=["c"]))) == ["test", "c"]
    assert [need.task for need in select(SEVERAL, Selection(until=["c"])).tasks[1].needs] == [
        "test[os=alpine]"
    ]


def test_one_variant_cannot_be_chosen() -> None:
    with pytest.raises(UsageError, match=r"'test\[os=alpine\]' is one variant") as error:
        select(SEVERAL, Selection(only=["test[os=alpine]"]))
    assert error.value.hint == "name 'test'"


def test_what_an_artifact_reads_must_be_part_of_the_run() -> None:
    dag = Dag(name="d", tasks=(task("a"), task("b", "a", artifacts=("${{ tasks.a.outputs.file }}",))))
    with pytest.raises(UsageError, match=r"'b' reads tasks\.a"):
        select(dag, Selection(only=["b"]))


def test_a_list_reads_what_it_is_made_of() -> None:
    with pytest.raises(UsageError, match=r"'each' reads tasks\.b"):
        select(SEVERAL, Selection(only=["each"]))


def test_nothing_left_is_no_run() -> None:
    with pytest.raises(UsageError, match="leave no task"):
        select(CHAIN, Selection(only=["a"], until=["b"], start=["b"]))
