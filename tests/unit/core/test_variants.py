"""The variants of a matrix: product, exclude, GitHub's include, ids."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.core.model import Matrix, MatrixValue
from dagrun.core.variants import (
    base_id,
    item_numbers,
    key,
    meant,
    namesakes,
    variant_id,
    variant_ids,
    variants,
)
from tests.unit.harness import task

AXES = {"os": ("ubuntu", "alpine"), "python": ("3.9", "3.10")}


def keys(axes: Mapping[str, tuple[MatrixValue, ...]] = AXES, **more: Any) -> list[str]:
    return list(variants(Matrix(axes=axes, **more)))


def test_the_product_goes_in_the_files_order_the_last_axis_fastest() -> None:
    assert keys() == [
        "os=ubuntu,python=3.9", "os=ubuntu,python=3.10", "os=alpine,python=3.9", "os=alpine,python=3.10",
    ]  # fmt: skip


def test_a_key_is_sorted_by_name_whatever_the_files_order() -> None:
    assert keys({"python": ("3.9",), "fast": (True, False)}) == [
        "fast=true,python=3.9",
        "fast=false,python=3.9",
    ]


def test_exclude_matches_on_some_of_the_keys() -> None:
    assert keys(exclude=({"os": "alpine"},)) == ["os=ubuntu,python=3.9", "os=ubuntu,python=3.10"]
    assert len(keys(exclude=({"os": "alpine", "python": "3.9"}, {"os": "beos"}))) == 3
    assert keys(exclude=({"os": "alpine"}, {"os": "ubuntu"})) == []


def test_include_adds_keys_to_the_variants_that_it_does_not_contradict() -> None:
    assert keys(include=({"os": "alpine", "slow": True},)) == [
        "os=ubuntu,python=3.9", "os=ubuntu,python=3.10", "os=alpine,python=3.9,slow=true",
        "os=alpine,python=3.10,slow=true",
    ]  # fmt: skip
    assert all("colour=green" in each for each in keys(include=({"colour": "green"},)))


def test_include_adds_a_variant_where_it_fits_none() -> None:
    assert keys(include=({"os": "windows", "python": "3.9"},))[-1] == "os=windows,python=3.9"
    assert keys(include=({"os": "windows"},))[-1] == "os=windows"
    assert keys({}, include=({"os": "a"}, {"os": "b"})) == ["os=a", "os=b"]


def test_as_in_githubs_own_example() -> None:
    hint = variants(
        Matrix(
            axes={"fruit": ("apple", "pear"), "animal": ("cat", "dog")},
            include=(
                {"color": "green"}, {"color": "pink", "animal": "cat"}, {"fruit": "apple", "shape": "circle"},
                {"fruit": "banana"}, {"fruit": "banana", "animal": "cat"},
            ),
        )
    )  # fmt: skip
    assert list(hint.values()) == [
        {"fruit": "apple", "animal": "cat", "color": "pink", "shape": "circle"},
        {"fruit": "apple", "animal": "dog", "color": "green", "shape": "circle"},
        {"fruit": "pear", "animal": "cat", "color": "pink"},
        {"fruit": "pear", "animal": "dog", "color": "green"},
        {"fruit": "banana"},
        {"fruit": "banana", "animal": "cat"},
    ]


def test_what_was_excluded_comes_back_only_as_a_variant_of_its_own() -> None:
    excluded = {"os": "alpine", "python": "3.9"}
    assert (
        keys(exclude=(excluded,), include=({**excluded, "slow": True},))[-1]
        == "os=alpine,python=3.9,slow=true"
    )


def test_a_variant_that_is_named_twice_is_there_once() -> None:
    assert keys({"os": ("a", "b", "a")}, include=({"os": "c"}, {"os": "c"})) == ["os=a", "os=b", "os=c"]


def test_a_key_is_one_line_that_can_be_shown_and_typed() -> None:
    assert keys({"v": ("two\nlines", "\x1b[31m", "ü ñ")}) == [r"v=two\nlines", r"v=\x1b[31m", "v=ü ñ"]


def test_different_variants_with_the_same_key_are_found() -> None:
    assert list(namesakes(Matrix(axes=AXES, include=({"os": "mac"}, {"os": "mac"})))) == []
    axes = {"a": ("1", "1,b=2"), "b": ("2,b=3", "3")}
    assert list(namesakes(Matrix(axes=axes))) == ["a=1,b=2,b=3"]


def test_a_matrix_is_expanded_once_however_many_ask() -> None:
    assert variants(Matrix(axes=dict(AXES))) is variants(Matrix(axes=dict(AXES)))
    turned = Matrix(axes={"python": AXES["python"], "os": AXES["os"]})
    assert list(variants(turned)) != list(variants(Matrix(axes=AXES)))


def test_a_matrix_beyond_all_bounds_costs_nothing() -> None:
    ten = tuple(map(str, range(10)))
    with pytest.raises(ValueError, match="10,000,000,000 combinations"):
        variants(Matrix(axes={f"a{i}": ten for i in range(10)}))


MANY = [f"t[os={os},v={v}]" for os in ("ubuntu", "alpine") for v in range(4)]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("t[v=1, os=ubuntu]", "did you mean 't[os=ubuntu,v=1]'?"),
        ("t[v=2]", "there is 't[os=ubuntu,v=2]', 't[os=alpine,v=2]'"),
        ("t[os=ubunto,v=3]", "did you mean 't[os=ubuntu,v=3]'?"),
        ("t[]", f"there is {', '.join(map(repr, MANY[:6]))} and 2 more"),
    ],
)
def test_a_hint_for_a_variant_that_does_not_exist(name: str, hint: str) -> None:
    assert meant(name, MANY) == hint


def test_a_list_runs_whole_or_those_items_of_it_that_were_chosen() -> None:
    assert list(item_numbers(task("t", for_each=()), 3)) == [0, 1, 2]
    assert list(item_numbers(task("t", for_each=(), only_items=(0, 2, 5)), 3)) == [0, 2]


def test_an_id_contains_that_of_its_task() -> None:
    assert variant_id("test", "os=a") == "test[os=a]"
    assert (base_id("test[os=a[1]]"), base_id("test")) == ("test", "test")


VALUES = st.sampled_from(["a", "b", "c", True, False])
SOME = st.dictionaries(st.sampled_from("xyz"), VALUES, max_size=3)


@given(
    st.dictionaries(st.sampled_from("xyz"), st.lists(VALUES, min_size=1, max_size=3).map(tuple), max_size=3),
    st.lists(SOME, max_size=3).map(tuple), st.lists(SOME, max_size=3).map(tuple),
)  # fmt: skip
def test_no_two_variants_share_a_key_and_every_include_is_somewhere(
    axes: Any, exclude: Any, include: Any
) -> None:
    found = variants(Matrix(axes=axes, exclude=exclude, include=include))
    assert [key(values) for values in found.values()] == list(found)
    for entry in include[-1:]:
        assert any(entry.items() <= values.items() for values in found.values())


# --- any matrix: entries are looked up, and the result is as if each had been held against each combination ---

VALUES = st.sampled_from(["1", "2", True])
ENTRIES = st.lists(st.dictionaries(st.sampled_from("abcd"), VALUES, min_size=1, max_size=3), max_size=5)


def one_by_one(matrix: Matrix) -> list[dict[str, MatrixValue]]:
    """The definition, word by word."""

    def agree(entry: Mapping[str, MatrixValue], values: Mapping[str, MatrixValue]) -> bool:
        return all(name in values and values[name] == value for name, value in entry.items())

    originals = [dict(zip(matrix.axes, each, strict=True)) for each in product(*matrix.axes.values())]
    originals = [values for values in originals if not any(agree(entry, values) for entry in matrix.exclude)]
    found = [dict(values) for values in originals]
    for entry in matrix.include:
        axes = {name: value for name, value in entry.items() if name in matrix.axes}
        fitting = [i for i, values in enumerate(originals) if agree(axes, values)]
        for i in fitting:
            found[i].update(entry)
        if not fitting:
            found.append(dict(entry))
    return found


@given(
    axes=st.dictionaries(
        st.sampled_from("abc"), st.lists(VALUES, min_size=1, max_size=3, unique_by=str), min_size=1
    ),
    exclude=ENTRIES,
    include=ENTRIES,
)
def test_any_matrix_has_the_variants_that_the_definition_gives(
    axes: dict[str, list[MatrixValue]],
    exclude: list[dict[str, MatrixValue]],
    include: list[dict[str, MatrixValue]],
) -> None:
    matrix = Matrix(
        axes={name: tuple(values) for name, values in axes.items()},
        exclude=tuple(exclude),
        include=tuple(include),
    )
    expected: dict[str, dict[str, MatrixValue]] = {}
    for values in one_by_one(matrix):
        expected.setdefault(key(values), values)
    assert list(variants(matrix).items()) == list(expected.items())


def test_variants_have_ids_and_lists_that_come_later_have_none() -> None:
    tasks = [task("a"), task("t", matrix=Matrix(axes={"os": ("x", "y")})), task("l", for_each=(1, 2))]
    assert variant_ids(tasks) == {"t[os=x]": 1, "t[os=y]": 1}
