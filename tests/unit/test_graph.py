"""The graph: order, waves, cycles."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.graph import Graph, cycles
from dagrun.model import Dag
from tests.unit.harness import chain, graph, task

MANY = 100_000


def order(text: str) -> str:
    compiled = graph(text)
    return " ".join(compiled.nodes[i].task.id for i in compiled.order())


def waves(text: str) -> list[str]:
    compiled = graph(text)
    return [" ".join(compiled.nodes[i].task.id for i in wave) for wave in compiled.waves()]


def rings(**needs: str) -> list[str]:
    return [" ".join(ring) for ring in cycles({name: deps.split() for name, deps in needs.items()})]


@st.composite
def dags(draw: st.DrawFn) -> Dag:
    """A DAG whose tasks stand in any order in the file."""
    count = draw(st.integers(1, 12))
    needs = {i: draw(st.sets(st.integers(0, i - 1))) if i else set() for i in range(count)}
    file = draw(st.permutations(range(count)))
    return Dag(
        name="any", tasks=tuple(task(f"t{i}", *(f"t{need}" for need in sorted(needs[i]))) for i in file)
    )


@pytest.mark.parametrize(
    ("dag", "expected"),
    [
        ("z; a; m<-a; b<-z", "z a m b"),
        ("a", "a"),
        ("c<-b; b<-a; a", "a b c"),
        ("d<-b,c; c<-a; b<-a; a", "a c b d"),
        ("late; first<-root; root", "late root first"),
    ],
)
def test_of_the_ready_tasks_the_first_in_the_file_comes_first(dag: str, expected: str) -> None:
    assert order(dag) == expected


@pytest.mark.parametrize(
    ("dag", "expected"),
    [
        ("z; a; m<-a; b<-z", ["z a", "m b"]),
        ("a; b<-a; c<-b; d<-a,c", ["a", "b", "c", "d"]),
        ("d<-b,c; c<-a; b<-a; a", ["a", "c b", "d"]),
        ("a; b; c", ["a b c"]),
    ],
)
def test_a_task_stands_in_the_wave_after_its_last_dependency(dag: str, expected: list[str]) -> None:
    assert waves(dag) == expected


def test_nodes_know_their_edges_both_ways() -> None:
    top, left, right = graph("top; left<-top; right<-top").nodes
    assert (top.needs, top.dependents) == ((), (left.index, right.index))
    assert (left.needs, left.dependents) == ((top.index,), ())


def test_an_index_finds_a_task_by_its_id() -> None:
    compiled = graph("a; b")
    assert compiled.nodes[compiled.index["b"]].task.id == "b"


def test_a_dangling_edge_is_nobodys_to_compile() -> None:
    with pytest.raises(KeyError):
        Graph.compile(chain("a<-ghost"))


@given(dags())
def test_the_order_is_topological_and_whole(dag: Dag) -> None:
    compiled = Graph.compile(dag)
    place = {i: at for at, i in enumerate(compiled.order())}
    assert sorted(place) == list(range(len(dag.tasks)))
    assert all(place[need] < place[node.index] for node in compiled.nodes for need in node.needs)


@given(dags())
def test_the_order_is_always_the_same(dag: Dag) -> None:
    assert Graph.compile(dag).order() == Graph.compile(dag).order()


@given(dags())
def test_the_order_never_passes_over_a_ready_task_that_stands_earlier(dag: Dag) -> None:
    compiled = Graph.compile(dag)
    ended: set[int] = set()
    for i in compiled.order():
        ready = [
            node.index for node in compiled.nodes if node.index not in ended and ended.issuperset(node.needs)
        ]
        assert i == min(ready)
        ended.add(i)


@given(dags())
def test_in_a_wave_nothing_depends_on_anything_in_it_but_on_something_in_the_one_before(dag: Dag) -> None:
    compiled = Graph.compile(dag)
    found = compiled.waves()
    wave_of = {i: number for number, wave in enumerate(found) for i in wave}
    for node in compiled.nodes:
        assert wave_of[node.index] == max((wave_of[need] + 1 for need in node.needs), default=0)
    assert all(wave == sorted(wave) for wave in found)


def test_a_cycle_is_told_from_the_task_that_stands_first() -> None:
    assert rings(x="", a="b", b="c", c="a") == ["a b c a"]
    assert rings(c="a", b="c", a="b") == ["c a b c"]


def test_a_task_that_depends_on_itself_is_a_cycle() -> None:
    assert rings(a="a") == ["a a"]


def test_without_a_cycle_there_is_nothing_to_tell() -> None:
    assert rings(a="", b="a", c="a b") == []


def test_cycles_that_share_no_task_are_all_told() -> None:
    assert sorted(rings(a="b", b="a", c="d", d="c")) == ["a b a", "c d c"]


def test_no_more_than_ten_cycles_are_told() -> None:
    assert len(rings(**{f"t{i}": f"t{i}" for i in range(30)})) == 10


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=3)))
def test_what_is_told_is_a_cycle_and_every_cyclic_graph_is_told(drawn: Mapping[str, Sequence[str]]) -> None:
    needs = {name: [need for need in deps if need in drawn] for name, deps in drawn.items()}
    names = list(needs)
    told = list(cycles(needs))
    for ring in told:
        assert ring[0] == ring[-1]
        assert all(after in needs[before] for before, after in pairwise(ring))
        assert names.index(ring[0]) == min(map(names.index, ring))
    reduced = {name: set(deps) for name, deps in needs.items()}
    while leaves := [name for name, deps in reduced.items() if not deps]:
        for leaf in leaves:
            del reduced[leaf]
        for deps in reduced.values():
            deps.difference_update(leaves)
    assert bool(told) == bool(reduced)


def seconds_for(dag: Dag) -> float:
    begun = time.process_time()
    compiled = Graph.compile(dag)
    assert len(compiled.order()) == len(dag.tasks)
    assert compiled.waves()
    return time.process_time() - begun


def test_a_long_chain_is_fast() -> None:
    tasks = (task("t0"), *(task(f"t{i}", f"t{i - 1}") for i in range(1, MANY)))
    assert seconds_for(Dag(name="long", tasks=tasks)) < 5


def test_a_wide_fan_is_fast() -> None:
    tasks = (task("root"), *(task(f"t{i}", "root") for i in range(MANY - 2)))
    join = task("join", *(each.id for each in tasks[1:]))
    assert seconds_for(Dag(name="wide", tasks=(*tasks, join))) < 5


def test_a_cycle_through_everything_is_found() -> None:
    needs = {f"t{i}": [f"t{(i + 1) % MANY}"] for i in range(MANY)}
    (ring,) = cycles(needs)
    assert (len(ring), ring[0], ring[1]) == (MANY + 1, "t0", "t1")
