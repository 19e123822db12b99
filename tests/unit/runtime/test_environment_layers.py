"""The environment of a task: its layers from the lowest to the highest."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dagrun.core.model import Dag, Matrix, Task
from tests.unit.harness import task
from tests.unit.runtime.harness import env, work


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


def test_a_matrix_value_is_a_variable_whatever_characters_its_name_has() -> None:
    own = Task(id="t", action=task("x").action, matrix=Matrix(axes={"os-name": ("alpine",)}))
    assert work(Dag(name="d", tasks=(own,))).own_env == {"MATRIX_OS_NAME": "alpine"}
