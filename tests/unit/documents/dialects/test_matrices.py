"""Matrices: values keep their text, and useless combinations are reported."""

from __future__ import annotations

import tracemalloc

import pytest

from dagrun.core.model import Matrix
from tests.unit.harness import read, reported, shown


def matrix(written: str) -> Matrix:
    """The matrix of a document's only task."""
    found = read(f"tasks: [{{id: a, run: x, matrix: {written}}}]").tasks[0].matrix
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("written", "value"),
    [("3.10", "3.10"), ("'3.10'", "3.10"), ("0755", "0755"), ("on", "on"), ("1e3", "1e3"), ("true", True), ("'true'", "true")],
)  # fmt: skip
def test_a_value_keeps_the_text_that_was_written(written: str, value: str | bool) -> None:
    found = matrix(f"{{a: [{written}, b], exclude: [{{a: {written}}}], include: [{{a: c, d: {written}}}]}}")
    assert found.axes["a"][0] == value
    assert found.exclude == ({"a": value},)
    assert found.include == ({"a": "c", "d": value},)


def test_axes_keep_the_order_of_the_file() -> None:
    assert list(matrix("{os: [a], exclude: [], arch: [b, c], include: []}").axes) == ["os", "arch"]


WRONG: dict[str, tuple[str, str]] = {
    "an included key whose variable is that of an axis": (
        "{os-name: [x], include: [{OS_NAME: y}]}",
        """
        dag.yaml:2:55: error: 'os-name' and 'OS_NAME' would both set $MATRIX_OS_NAME [variable-collision]
            2 |   - {id: a, run: x, matrix: {os-name: [x], include: [{OS_NAME: y}]}}
              |                                                       ^
          help: rename one of them
        """,
    ),
    "included keys with one variable": (
        "{os: [x], include: [{os: x, a-b: 1}, {os: x, A_B: 2}]}",
        """
        dag.yaml:2:74: error: 'a-b' and 'A_B' would both set $MATRIX_A_B [variable-collision]
            2 |   - {id: a, run: x, matrix: {os: [x], include: [{os: x, a-b: 1}, {os: x, A_B: 2}]}}
              |                                                                          ^
          help: rename one of them
        """,
    ),
    "empty": (
        "{}",
        """
        dag.yaml:2:21: error: the matrix is empty [empty-matrix]
            2 |   - {id: a, run: x, matrix: {}}
              |                     ^
          help: give it an axis: `os: [ubuntu, alpine]`
        """,
    ),
    "an axis with no values": (
        "{os: []}",
        """
        dag.yaml:2:34: error: 'os' must not be empty [invalid-value]
            2 |   - {id: a, run: x, matrix: {os: []}}
              |                                  ^
        """,
    ),
    "an axis that is no list": (
        "{os: linux}",
        """
        dag.yaml:2:34: error: 'os' must be a list [invalid-value]
            2 |   - {id: a, run: x, matrix: {os: linux}}
              |                                  ^
          help: write a list: [linux]
        """,
    ),
    "a value that is a list": (
        "{os: [[a]]}",
        """
        dag.yaml:2:35: error: an entry of 'os' must be text, a number, true or false [invalid-value]
            2 |   - {id: a, run: x, matrix: {os: [[a]]}}
              |                                   ^
          help: write text or a number; 'include' can add further keys
        """,
    ),
    "an expression": (
        "{os: ['${{ params.x }}']}",
        """
        dag.yaml:2:35: error: an entry of 'os' must not contain ${{ }}, which is not evaluated here [invalid-value]
            2 |   - {id: a, run: x, matrix: {os: ['${{ params.x }}']}}
              |                                   ^
        """,
    ),
    "a name that is none": (
        "{3x: [a]}",
        """
        dag.yaml:2:34: error: '3x' is not a valid name of an axis: use letters, digits, '_' and '-', and start with a letter or '_' [invalid-value]
            2 |   - {id: a, run: x, matrix: {3x: [a]}}
              |                                  ^
        """,
    ),
    "a value twice": (
        "{v: [3.10, '3.10']}",
        """
        dag.yaml:2:40: error: the axis 'v' has this value twice [duplicate-variant]
            2 |   - {id: a, run: x, matrix: {v: [3.10, '3.10']}}
              |                                        ^
        """,
    ),
    "two axes that are one variable": (
        "{a-b: [1], a_b: [1]}",
        """
        dag.yaml:2:40: error: 'a-b' and 'a_b' would both set $MATRIX_A_B [variable-collision]
            2 |   - {id: a, run: x, matrix: {a-b: [1], a_b: [1]}}
              |                                        ^
          help: rename one of them
        """,
    ),
    "an exclude of no axis": (
        "{os: [a], exclude: [{so: a}]}",
        """
        dag.yaml:2:50: error: the matrix has no axis 'so' [unknown-axis]
            2 |   - {id: a, run: x, matrix: {os: [a], exclude: [{so: a}]}}
              |                                                  ^
          help: it has: os
        """,
    ),
    "an exclude of nothing": (
        "{v: [3.9, 3.10], exclude: [{v: 3.1}]}",
        """
        dag.yaml:2:56: error: no combination of the matrix has v=3.1 [no-such-variant]
            2 |   - {id: a, run: x, matrix: {v: [3.9, 3.10], exclude: [{v: 3.1}]}}
              |                                                        ^
          help: 'v' has: 3.9, 3.10
        """,
    ),
    "nothing left": (
        "{os: [a, b], exclude: [{os: a}, {os: b}]}",
        """
        dag.yaml:2:42: error: 'exclude' removes all combinations of the matrix [empty-matrix]
            2 |   - {id: a, run: x, matrix: {os: [a, b], exclude: [{os: a}, {os: b}]}}
              |                                          ^
        """,
    ),
    "an include of what is there": (
        "{os: [a, b], include: [{os: a}]}",
        """
        dag.yaml:2:52: error: the entry adds nothing: os=a exists already [no-such-variant]
            2 |   - {id: a, run: x, matrix: {os: [a, b], include: [{os: a}]}}
              |                                                    ^
          help: remove it
        """,
    ),
    "an include twice": (
        "{include: [{os: a}, {os: a}]}",
        """
        dag.yaml:2:49: error: the entry adds nothing: os=a exists already [no-such-variant]
            2 |   - {id: a, run: x, matrix: {include: [{os: a}, {os: a}]}}
              |                                                 ^
          help: remove it
        """,
    ),
    "variants that would be called alike": (
        "{a: ['1', '1,b=2'], b: ['2,b=3', '3']}",
        """
        dag.yaml:2:21: error: two variants would have the name 'a=1,b=2,b=3' [duplicate-variant]
            2 |   - {id: a, run: x, matrix: {a: ['1', '1,b=2'], b: ['2,b=3', '3']}}
              |                     ^
          help: write their values without ',', '=' and control characters
        """,
    ),
    "an empty entry": (
        "{os: [a], include: [{}]}",
        """
        dag.yaml:2:49: error: the entry is empty [empty-entry]
            2 |   - {id: a, run: x, matrix: {os: [a], include: [{}]}}
              |                                                 ^
          help: write at least one value, such as {os: alpine}, or remove it
        """,
    ),
}


@pytest.mark.parametrize(
    ("written", "help"),
    [
        ("{os: 3}", "write a list: [3]"),
        ("{os: '${{ params.os }}'}", "use 'for_each' for a list that is known only during the run"),
        ("{os: [a], excludes: [{os: a}]}", "did you mean 'exclude'?"),
        ("{os: [a], includes: {os: a}}", "did you mean 'include'?"),
        ("{os: [a], exclude: {os: a}}", "write a list of mappings, such as `exclude: [{os: alpine}]`"),
        ("{os: [a], include: [b]}", "write a list of mappings, such as `include: [{os: alpine}]`"),
        ("{os: [a], fail-fast: false}", "here it is 'on_error: continue', next to 'matrix'"),
        ("{os: [a], max-parallel: 2}", "here it is 'max_parallel', next to 'matrix'"),
    ],
)
def test_an_error_says_what_to_write(written: str, help: str) -> None:
    last = reported(f"tasks:\n  - {{id: a, run: x, matrix: {written}}}").splitlines()[-1]
    assert last == f"  help: {help}"


@pytest.mark.parametrize(("written", "expected"), WRONG.values(), ids=WRONG)
def test_an_error_is_shown_at_its_place(written: str, expected: str) -> None:
    assert reported(f"tasks:\n  - {{id: a, run: x, matrix: {written}}}") == shown(expected)


def test_a_matrix_that_is_too_large_is_refused_before_it_is_expanded() -> None:
    axis = "[" + ", ".join(map(str, range(100))) + "]"
    found = reported(f"tasks:\n  - {{id: a, run: x, matrix: {{a: {axis}, b: {axis}, c: {axis}, d: {axis}}}}}")
    assert "the matrix has 100,000,000 combinations; at most 100,000 are allowed [too-many-variants]" in found


def test_long_values_in_many_variants_are_refused_before_they_cost_memory() -> None:
    values = ", ".join(f"v{i}" for i in range(1_000))
    document = (
        f"tasks:\n  - id: t\n    run: x\n    matrix:\n      a: [{values}]\n      b: [{'x' * 100_000}]\n"
    )
    tracemalloc.start()
    found = reported(document)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "the names of all variants would have 100,009,890 characters together; at most 50,000,000" in found
    assert peak < 10_000_000
