"""The graph: order, waves, cycles."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.core.graph import Graph, cycles
from dagrun.core.model import Dag, Dependency, Matrix, Task, Trigger
from tests.unit.harness import chain, graph, task

MANY = 30_000


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
    """A DAG whose tasks are in any order in the file."""
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
def test_a_task_is_in_the_wave_after_its_last_dependency(dag: str, expected: list[str]) -> None:
    assert waves(dag) == expected


def test_nodes_know_their_edges_both_ways() -> None:
    top, left, right = graph("top; left<-top; right<-top").nodes
    assert (top.needs, top.dependents) == ((), (left.index, right.index))
    assert (left.needs, left.dependents) == ((top.index,), ())


def test_an_index_finds_a_task_by_its_id() -> None:
    compiled = graph("a; b")
    assert compiled.nodes[compiled.index["b"]].task.id == "b"


def test_a_dangling_edge_cannot_be_compiled() -> None:
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
def test_the_order_never_skips_a_ready_task_that_is_earlier(dag: Dag) -> None:
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


def test_a_cycle_begins_with_the_first_task_in_the_file() -> None:
    assert rings(x="", a="b", b="c", c="a") == ["a b c a"]
    assert rings(c="a", b="c", a="b") == ["c a b c"]


def test_a_task_that_depends_on_itself_is_a_cycle() -> None:
    assert rings(a="a") == ["a a"]


def test_without_a_cycle_nothing_is_found() -> None:
    assert rings(a="", b="a", c="a b") == []


def test_cycles_that_share_no_task_are_all_found() -> None:
    assert sorted(rings(a="b", b="a", c="d", d="c")) == ["a b a", "c d c"]


def test_no_more_than_ten_cycles_are_reported() -> None:
    assert len(rings(**{f"t{i}": f"t{i}" for i in range(30)})) == 10


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=3)))
def test_what_is_found_is_a_cycle_and_every_cyclic_graph_has_one(drawn: Mapping[str, Sequence[str]]) -> None:
    needs = {name: [need for need in deps if need in drawn] for name, deps in drawn.items()}
    names = list(needs)
    found = list(cycles(needs))
    for ring in found:
        assert ring[0] == ring[-1]
        assert all(after in needs[before] for before, after in pairwise(ring))
        assert names.index(ring[0]) == min(map(names.index, ring))
    reduced = {name: set(deps) for name, deps in needs.items()}
    while leaves := [name for name, deps in reduced.items() if not deps]:
        for leaf in leaves:
            del reduced[leaf]
        for deps in reduced.values():
            deps.difference_update(leaves)
    assert bool(found) == bool(reduced)


def seconds_for(dag: Dag) -> float:
    begun = time.process_time()
    compiled = Graph.compile(dag)
    assert len(compiled.order()) == len(dag.tasks)
    assert compiled.waves()
    return time.process_time() - begun


@pytest.mark.slow
def test_a_long_chain_is_fast() -> None:
    tasks = (task("t0"), *(task(f"t{i}", f"t{i - 1}") for i in range(1, MANY)))
    assert seconds_for(Dag(name="long", tasks=tasks)) < 20  # less than a second; minutes if it were quadratic


@pytest.mark.slow
def test_a_wide_fan_is_fast() -> None:
    tasks = (task("root"), *(task(f"t{i}", "root") for i in range(MANY - 2)))
    join = task("join", *(each.id for each in tasks[1:]))
    assert seconds_for(Dag(name="wide", tasks=(*tasks, join))) < 20


def test_a_cycle_through_everything_is_found() -> None:
    needs = {f"t{i}": [f"t{(i + 1) % MANY}"] for i in range(MANY)}
    (ring,) = cycles(needs)
    assert (len(ring), ring[0], ring[1]) == (MANY + 1, "t0", "t1")


# --- variants and groups ---

TWO = Matrix(axes={"os": ("ubuntu", "alpine")})


def compiled(*tasks: Task) -> Graph:
    return Graph.compile(Dag(name="d", tasks=tasks))


def names(graph: Graph, indices: Sequence[int]) -> list[str]:
    return [graph.nodes[i].task.id for i in indices]


def test_a_matrix_becomes_its_variants_and_after_them_the_group() -> None:
    found = compiled(
        task("a"), task("test", "a", matrix=TWO), task("b", "test"), task("c", "test[os=alpine]")
    )
    assert list(found.index) == ["a", "test[os=ubuntu]", "test[os=alpine]", "test", "b", "c"]
    needs = {node.task.id: names(found, node.needs) for node in found.nodes}
    assert needs["test[os=ubuntu]"] == needs["test[os=alpine]"] == ["a"]
    assert needs["test"] == ["test[os=ubuntu]", "test[os=alpine]"]
    assert (needs["b"], needs["c"]) == (["test"], ["test[os=alpine]"])
    variant, group = found.nodes[1], found.nodes[3]
    assert variant.variant is not None
    assert (variant.variant.group, variant.variant.key, variant.variant.values) == (
        3, "os=ubuntu", {"os": "ubuntu"},
    )  # fmt: skip
    assert (group.members, found.task_count) == (range(1, 3), 5)


def test_variants_are_in_order_and_in_waves_and_their_group_costs_nothing() -> None:
    found = compiled(task("after", "test"), task("mid", "z"), task("z"), task("test", matrix=TWO), task("y"))
    assert names(found, found.order()) == ["z", "mid", "test[os=ubuntu]", "test[os=alpine]", "after", "y"]
    assert [names(found, wave) for wave in found.waves()] == [
        ["z", "test[os=ubuntu]", "test[os=alpine]", "y"], ["after", "mid"],
    ]  # fmt: skip


def test_a_for_each_is_one_node_until_its_list_is_known() -> None:
    found = compiled(task("a"), task("each", "a", for_each="${{ tasks.a.outputs.x }}"), task("b", "each"))
    assert [names(found, wave) for wave in found.waves()] == [["a"], ["each"], ["b"]]
    assert (found.grows, found.task_count, found.nodes[1].members) == (True, 3, None)


@pytest.mark.parametrize(
    ("condition", "env", "asked_once"),
    [
        ("params.x", {}, True),
        ("item != 'a'", {}, False),
        ("env.X != 'a'", {"X": "${{ item }}"}, False),
        ("env.Y != 'a'", {"X": "${{ item }}"}, True),
    ],
)
def test_a_condition_is_evaluated_once_unless_it_reads_the_item(
    condition: str, env: dict[str, str], asked_once: bool
) -> None:
    (node,) = compiled(task("t", for_each=("a",), condition=condition, env=env, max_parallel=1)).nodes
    assert node.each is not None
    assert (node.task.condition, node.each.condition) == (
        (condition, None) if asked_once else (None, condition)
    )
    assert ("X" in node.task.env, node.each.env) == (False, env)
    (variant,) = node.expanded([0], range(7, 8))
    assert (variant.index, variant.task.id, variant.task.for_each) == (7, "t[0]", None)


def test_parallel_tasks_are_in_one_wave() -> None:
    found = compiled(
        task("a"), task("b", "a"), task("c", parallel_with=("b",)), task("d", "c"), task("e", parallel_with=("m",)),
        task("m", "b", matrix=TWO),
    )  # fmt: skip
    assert [names(found, wave) for wave in found.waves()] == [
        ["a"], ["b", "c"], ["d", "e", "m[os=ubuntu]", "m[os=alpine]"],
    ]  # fmt: skip


def test_parallel_with_that_contradicts_the_dependencies_is_ignored() -> None:
    found = compiled(
        task("a", parallel_with=("b",)), task("c", "a"), task("d", parallel_with=("c",)), task("b", "d")
    )
    assert [names(found, wave) for wave in found.waves()] == [["a", "d"], ["c", "b"]]


@pytest.mark.parametrize(
    ("trigger", "edges", "survives"),
    [
        (Trigger.SUCCESS, (None, None), False),
        (Trigger.SUCCESS, (None, Trigger.ALWAYS), False),
        (Trigger.SUCCESS, (Trigger.ALWAYS, Trigger.ALWAYS), True),
        (Trigger.SUCCESS, (None, Trigger.FAILURE), True),
        (Trigger.SUCCESS, (Trigger.SUCCESS, Trigger.ALWAYS), False),
        (Trigger.NONE_FAILED, (), False),
        (Trigger.ALWAYS, (None,), True),
    ],
)
def test_an_edge_that_only_sets_an_order_makes_no_survivor(
    trigger: Trigger, edges: tuple[Trigger | None, ...], survives: bool
) -> None:
    needs = tuple(Dependency(name, edge) for name, edge in zip("ab", edges, strict=False))
    last = Task(id="c", action=task("x").action, needs=needs, trigger=trigger)
    assert compiled(task("a"), task("b"), last).nodes[-1].survives is survives
