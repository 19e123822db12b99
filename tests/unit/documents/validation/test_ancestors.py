"""Ancestors of tasks, also through variants."""

from __future__ import annotations

import tracemalloc

import pytest

from dagrun.core.model import Dag, Dependency, Matrix, Task
from dagrun.documents.dialects.dialect import ParsedDocument
from dagrun.documents.validation.ancestors import AncestorIndex, Ancestors
from dagrun.documents.yaml import Source
from dagrun.kinds.shell import ShellAction


def task(id: str, *needs: str, matrix: Matrix | None = None) -> Task:
    return Task(id=id, action=ShellAction(("x",)), needs=tuple(map(Dependency, needs)), matrix=matrix)


def index(*tasks: Task) -> AncestorIndex:
    return AncestorIndex(ParsedDocument(Dag(name="d", tasks=tasks), (), Source.inline(""), None))


MATRIX = Matrix(axes={"a": ("1", "2")})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("first", True),
        ("m", False),
        ("m[a=1]", True),
        ("m[a=2]", False),
        ("one", True),
        ("last", False),
        ("x", False),
    ],
)
def test_a_dependency_on_one_variant_is_not_one_on_the_others(name: str, expected: bool) -> None:
    tasks = (task("first"), task("m", "first", matrix=MATRIX), task("one", "m[a=1]"), task("last", "one"))
    assert (name in Ancestors(index(*tasks), 3)) is expected


def test_all_variants_of_a_dependency_are_ancestors() -> None:
    ancestors = Ancestors(index(task("m", matrix=MATRIX), task("a", "m"), task("b", "a")), 2)
    assert sorted(ancestors) == ["a", "m", "m[a=1]", "m[a=2]"]
    assert len(ancestors) == 4


def test_below_an_unknown_dependency_every_task_may_be_an_ancestor() -> None:
    ancestors = Ancestors(index(task("a"), task("b", "unknown"), task("c", "b")), 2)
    assert "a" in ancestors


def test_the_advice_depends_on_the_order() -> None:
    tasks = index(task("a"), task("b", "a"), task("c"))
    assert Ancestors(tasks, 0).late("a") == "it is this task itself"
    assert Ancestors(tasks, 0).late("b") == "'b' waits for this task"
    assert Ancestors(tasks, 0).late("c") == "add 'c' to what this task depends on"


def test_many_variants_as_ancestors_of_many_tasks_need_little_memory() -> None:
    many = Matrix(axes={"a": tuple(map(str, range(3_000)))})
    tasks = index(task("m", matrix=many), task("n", "m"), *(task(f"t{i}", "n") for i in range(3_000)))
    tracemalloc.start()
    assert all(f"m[a={i}]" in Ancestors(tasks, i + 2) for i in range(3_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000  # a set of dependents for each variant would need more than 500 MB
