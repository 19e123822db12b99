"""What reaches a body: the layers of its environment, its directory, and what its expressions know of the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.core.events import DagStart
from dagrun.core.graph import Graph
from dagrun.core.model import Dag, Matrix, Task
from dagrun.core.state import RunState
from dagrun.core.work import Attempt, Blob, Json, Work
from dagrun.language.expressions import EvaluationError
from dagrun.registry import Registry
from dagrun.runtime.prepared_run import PreparedRun
from dagrun.runtime.work_builder import WorkBuilder
from dagrun.settings import Settings
from tests.unit.harness import task

FILES = {"a.env": {"F": "a", "G": "a"}, "b.env": {"G": "b"}}


def no_file(_: Blob) -> Mapping[str, Json]:
    raise AssertionError


def prepared(dag: Dag, **more: Any) -> PreparedRun:
    return PreparedRun(Graph.compile(dag), "", {}, Registry(), dotenv=FILES, **more)


def bodies(dag: Dag, environment: Mapping[str, str], **more: Any) -> WorkBuilder:
    ready = prepared(dag, **more)
    state = RunState(ready.graph)
    state.apply(DagStart(timestamp=0, task_count=1, dag_path="", dag_hash="", max_parallel=1))
    return WorkBuilder(ready, Settings(root=Path("/project")), state, "r1", no_file, environment=environment)


def work(dag: Dag, environment: Mapping[str, str] | None = None, **more: Any) -> Work:
    made = bodies(dag, environment or {}, **more)
    node = made.prepared.graph.nodes[0]
    attempt = Attempt(run_id="r1", task_id=node.task.id, number=1, timeout=None)
    return made.work(node, attempt)


def env(
    document: Mapping[str, str],
    own: Mapping[str, str],
    environment: Mapping[str, str] | None = None,
    **more: Any,
) -> dict[str, str]:
    """The variables of the only task of a document."""
    made = work(Dag(name="d", tasks=(task("t", env=own),), env=document), environment, **more)
    return {**made.env, **made.own_env}


def test_a_variable_sees_those_before_it_and_the_layers_below() -> None:
    document = {"A": "a", "B": "${{ env.A }}b", "OUT": "${{ env.OUT }}+"}
    own = {"C": "${{ env.B }}c", "D": "${{ env.C }}d"}
    assert env(document, own, {"OUT": "out"}) == {"A": "a", "B": "ab", "OUT": "out+", "C": "abc", "D": "abcd"}


def test_its_own_name_is_the_layer_below() -> None:
    path = "${{ env.PATH }}"
    assert (
        env({"PATH": f"/doc:{path}"}, {"PATH": f"/task:{path}"}, {"PATH": "/bin"})["PATH"]
        == "/task:/doc:/bin"
    )


def test_a_name_further_down_is_the_layer_below_or_nothing() -> None:
    assert env({}, {"A": "[${{ env.B }}]", "B": "b"})["A"] == "[]"
    assert env({"B": "doc"}, {"A": "[${{ env.B }}]", "B": "b"})["A"] == "[doc]"


names = st.sampled_from("ABCD")
values = st.lists(st.one_of(st.just("x"), names.map("${{{{ env.{} }}}}".format)), max_size=3).map("".join)
layers = st.dictionaries(names, values, max_size=4)


@given(layers, layers, st.dictionaries(names, st.sampled_from("12"), max_size=4))
def test_any_layers_are_read_from_the_lowest_to_the_highest(
    document: dict[str, str], own: dict[str, str], outside: dict[str, str]
) -> None:
    known = dict(outside)
    for layer in (document, own):
        for name, text in layer.items():  # one assignment after the other, as in a shell
            for other in "ABCD":
                text = text.replace(f"${{{{ env.{other} }}}}", known.get(other, ""))
            known[name] = text
    found = env(document, own, outside)
    assert found == {name: known[name] for name in {*document, *own}}


def test_files_of_variables_are_below_the_env_of_their_level() -> None:
    dag = Dag(
        name="d", dotenv=("a.env",), env={"E": "${{ env.F }}!", "P": "doc"},
        tasks=(task("t", dotenv=("b.env",), env={"T": "${{ env.G }}${{ env.E }}"}),),
    )  # fmt: skip
    made = work(dag)
    assert {**made.env, **made.own_env} == {"F": "a", "G": "b", "E": "a!", "P": "doc", "T": "ba!"}


def test_the_last_of_several_files_wins() -> None:
    assert work(Dag(name="d", dotenv=("a.env", "b.env"), tasks=(task("t"),))).env == {"F": "a", "G": "b"}
    assert work(Dag(name="d", dotenv=("b.env", "a.env"), tasks=(task("t"),))).env == {"F": "a", "G": "a"}


def test_a_declared_secret_in_a_file_reaches_nobody() -> None:
    dag = Dag(name="d", dotenv=("a.env",), tasks=(task("t", env={"X": "[${{ env.F }}]"}),))
    made = work(dag, secrets={"F": "geheim"})
    assert {**made.env, **made.own_env} == {"G": "a", "X": "[]"}


def test_a_working_directory_may_be_an_expression() -> None:
    dag = Dag(name="d", tasks=(task("t", working_dir="out/${{ env.D }}", env={"D": "x"}),))
    assert work(dag).cwd == Path("/project/out/x")


@pytest.mark.parametrize("value", ["", " ", "a\0b"])
def test_a_working_directory_that_is_none_fails_the_task(value: str) -> None:
    dag = Dag(name="d", tasks=(task("t", working_dir="${{ env.D }}"),))
    with pytest.raises(EvaluationError, match=r"working_dir: .* names no directory"):
        work(dag, {"D": value})


def test_a_matrix_value_is_a_variable_whatever_characters_its_name_has() -> None:
    own = Task(id="t", action=task("x").action, matrix=Matrix(axes={"os-name": ("alpine",)}))
    assert work(Dag(name="d", tasks=(own,))).own_env == {"MATRIX_OS_NAME": "alpine"}


@pytest.mark.parametrize(
    ("scheduled_at", "minute"),
    [(None, "1970-01-01T00:00:00.000Z"), ("2026-01-31T09:00:00.000Z", "2026-01-31T09:00:00.000Z")],
)  # fmt: skip
def test_the_time_that_a_run_is_scheduled_for_is_the_minute_of_its_fire_else_its_start(
    scheduled_at: str | None, minute: str
) -> None:
    dag = Dag(name="d", tasks=(task("t", env={"AT": "${{ run.scheduled_at }}"}),))
    assert work(dag, scheduled_at=scheduled_at).own_env["AT"] == minute


@pytest.mark.parametrize(
    ("condition", "holds"),
    [("'false'", False), ("''", False), ("'no'", True), ("run.status == 'running'", True), ("length(run.failed) == 0", True),
     ("run.reason == ''", True), ("env.X", False), ("env.Y", True)],
)  # fmt: skip
def test_what_a_condition_comes_to(condition: str, holds: bool) -> None:
    made = bodies(Dag(name="d", tasks=(task("t", condition=condition),)), {"X": "false", "Y": "1"})
    assert made.condition(made.prepared.graph.nodes[0]) is holds
